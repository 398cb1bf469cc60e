"""One stage of the fit: a mesh of fixed topology, moved together with albedo, gloss, light and gains."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from recon.bounce import walls
from recon.descent import Descent, Tally
from recon.fit.picture import Estimate, direct, met
from recon.fit.precondition import Preconditioner, UniformAdam
from recon.fit.problem import Target
from recon.fit.seen import colours_seen, evenness, mesh_edges
from recon.fit.settings import Settings, Stage
from recon.fit.unknowns import FAR, Unknowns
from recon.keylights import KeyLights, key_lights
from recon.light import FINE, lobes
from recon.raster.protocol import Rasterizer, Topology
from recon.shading import lobe_sharpness, vertex_normals
from recon.visibility import Occluder
from recon.workers import each

LIFT = 0.01
"""Start of shadow rays above the surface, of the edge length's own scale (unit frame)."""

Progress = Callable[[str, int, int, dict[str, float]], None]
"""Called as (stage, step, steps, losses)."""


@dataclass(eq=False)
class Fit:
    """The state that goes from stage to stage. vertices: (n, 3) float32, unit frame. faces: (m, 3) int32. began_again:
    its shape, from the hull."""

    vertices: torch.Tensor
    faces: np.ndarray
    unknowns: Unknowns
    history: list[dict[str, Any]] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    began_again: bool = False

    def topology(self) -> Topology:
        return Topology.of(self.faces, len(self.vertices), self.vertices.device)


def shadow_tables(
    vertices: torch.Tensor, faces: torch.Tensor, targets: Sequence[Target], lift: float, shadows: bool
) -> list[torch.Tensor]:
    """Per session: (n, coarse cells) float32, 1 where the vertex sees the direction."""
    sessions = {t.session: t.standing.session_directions for t in targets}
    tables = []
    for number in range(max(sessions) + 1):
        if number not in sessions or not shadows:
            cells = next(iter(sessions.values())).shape[0]
            tables.append(torch.ones(len(vertices), cells, device=vertices.device))
            continue
        normals = vertex_normals(vertices, faces.long())
        way = sessions[number].cpu().numpy()
        tables.append(Occluder(vertices, faces).unshadowed(vertices, normals, way, lift).float())
    return tables


def lamps_of(
    vertices: torch.Tensor, faces: torch.Tensor, targets: Sequence[Target], unknowns: Unknowns, lift: float, count: int
) -> KeyLights | None:
    """The `count` brightest cells of every view as lamps with shadows of their own; None for none."""
    if not count:
        return None
    normals = vertex_normals(vertices, faces.long())
    views = [(t.number, t.session, t.standing) for t in targets]
    return key_lights(vertices, normals, faces, views, unknowns.radiance, unknowns.nearness, count, lift)


def estimate_of(
    vertices: torch.Tensor,
    faces: torch.Tensor,
    unknowns: Unknowns,
    tables: list[torch.Tensor],
    keys: KeyLights | None = None,
    bounced: Mapping[int, torch.Tensor] | None = None,
) -> Estimate:
    sharp = lobe_sharpness(unknowns.roughness)[0, 0]
    normals = vertex_normals(vertices, faces.long())
    return Estimate(vertices, normals, unknowns, tables, lobes(sharp) @ unknowns.radiance, keys, bounced)


@torch.no_grad()
def bounces_of(
    estimate: Estimate, faces: torch.Tensor, targets: Sequence[Target], lift: float
) -> dict[int, torch.Tensor]:
    """Per view, (n, 3) irradiance over pi that the estimate's own surface sends on to itself."""
    standings = {t.session: t.standing for t in targets}
    between = {
        session: walls(estimate.vertices, estimate.normals, faces, standing.session_directions, lift)
        for session, standing in standings.items()
    }
    albedo = estimate.unknowns.albedo

    def bounced(target: Target) -> torch.Tensor:
        with torch.no_grad():
            outside = direct(estimate, target, slice(None), estimate.vertices, estimate.normals)
            return between[target.session].light(outside, albedo)

    return dict(zip((t.number for t in targets), each(bounced, targets), strict=True))


def run_stage(
    fit: Fit,
    targets: Sequence[Target],
    stage: Stage,
    settings: Settings,
    rasterizer: Rasterizer,
    rng: np.random.Generator,
    progress: Progress | None = None,
    deadline: float | None = None,
) -> None:
    """Fit in place."""
    topology = fit.topology()
    faces = topology.faces
    preconditioner = Preconditioner(fit.faces, len(fit.vertices), settings.stiffness)
    latent = preconditioner.latent(fit.vertices).requires_grad_()
    unknowns = fit.unknowns
    shape = UniformAdam([latent], stage.vertex_rate)
    rest = torch.optim.Adam(
        [
            {"params": [unknowns.albedo_raw], "lr": settings.albedo_rate * 3},
            {"params": [unknowns.radiance_raw], "lr": settings.light_rate},
            {"params": [unknowns.roughness_raw, unknowns.metallic_raw], "lr": settings.optics_rate},
            {"params": [unknowns.nearness_raw], "lr": 2 * settings.light_rate},
            {"params": [unknowns.gains_raw], "lr": settings.gain_rate},
        ],
        betas=(0.9, 0.99),
    )
    starts = [(group, group["lr"]) for group in (*shape.param_groups, *rest.param_groups)]
    edges = mesh_edges(fit.faces, fit.vertices.device)
    normals = vertex_normals(fit.vertices, faces.long())
    even_along = evenness(colours_seen(fit.vertices, faces, targets), normals, edges)
    descent = Descent([shape], [rest], len(targets), settings.views_per_step, rng, fit.tally, deadline)
    tables: list[torch.Tensor] = []
    keys: KeyLights | None = None
    bounced: dict[int, torch.Tensor] | None = None
    began = time.monotonic()
    for step, chosen in descent.rounds(range(stage.steps)):
        for group, rate in starts:
            group["lr"] = rate * stage.fall ** (max(step - stage.still, 0) / max(stage.steps - stage.still, 1))
        vertices = preconditioner.values(latent)
        if step % settings.shadow_every == 0:
            tables = shadow_tables(vertices.detach(), faces, targets, LIFT * stage.cell, settings.shadows)
            lamps = settings.key_lights if settings.shadows else 0
            keys = lamps_of(vertices.detach(), faces, targets, unknowns, LIFT * stage.cell, lamps)
            if settings.bounces and settings.shadows:
                still = estimate_of(vertices.detach(), faces, unknowns, tables, keys)
                bounced = bounces_of(still, faces, targets, LIFT * stage.cell)
        if vertices.requires_grad and stage.outlier_limit:
            vertices.register_hook(lambda g: limited(g, stage.outlier_limit))
        estimate = estimate_of(vertices, faces, unknowns, tables, keys, bounced)
        views = [targets[number] for number in chosen]
        error, (colour, mask) = met(estimate, views, topology, rasterizer, settings.mask_weight)
        smooth = regularisers(unknowns, edges, settings, even_along)
        if not descent.down(error + smooth, moving=step >= stage.still):
            continue
        if step % 25 == 0 or step == stage.steps - 1:
            terms = {"colour": float(colour), "mask": float(mask), "smooth": float(smooth.detach())}
            fit.history.append({"side_px": stage.side_px, "step": step, **terms, "seconds": time.monotonic() - began})
            if progress:
                progress(f"{stage.side_px} px", step, stage.steps, terms)
    fit.vertices = preconditioner.values(latent).detach()


def limited(gradient: torch.Tensor, limit: float) -> torch.Tensor:
    """Rows (n, 3) longer than `limit` times the median of those that are not zero are cut to that length.

    Outlines pull on few vertices a hundred times harder than shading pulls on all the others.
    """
    length = gradient.norm(dim=1, keepdim=True)
    pulled = length[length > 0]
    if len(pulled) == 0:
        return gradient
    most = limit * pulled.median()
    return gradient * (most / length.clamp(min=1e-30)).clamp(max=1.0)


def regularisers(
    unknowns: Unknowns, edges: torch.Tensor, settings: Settings, even_along: torch.Tensor | None = None
) -> torch.Tensor:
    """Albedo even along edges (as far as `even_along` (e,) says), light between neighbouring cells and near grey, gains
    near one.

    Photographs alone cannot tell a dark part in bright light from a bright part in dim light: the mean albedo is kept
    where the photographs show it under light of radiance one, and unevenness counts relative to it.
    """
    albedo = unknowns.albedo
    mean = albedo.mean()
    steps = (albedo[edges[:, 0]] - albedo[edges[:, 1]]).abs()
    along = (steps if even_along is None else steps * even_along[:, None]).mean() / mean
    drift = torch.log(mean / unknowns.mean_albedo) ** 2
    radiance = torch.log(unknowns.radiance + 1e-3)
    grey = (radiance - radiance.mean(1, keepdim=True)).abs().mean()
    sky = radiance.reshape(*FINE, 3)
    uneven = (sky - sky.roll(1, 1)).abs().mean() + (sky[1:] - sky[:-1]).abs().mean()
    gains = (unknowns.gains_raw**2).mean()
    near = unknowns.nearness_raw.reshape(FINE)
    bent = ((near - near.roll(1, 1)) ** 2).mean() + ((near[1:] - near[:-1]) ** 2).mean()
    near_light = 0.02 * bent + 0.001 * ((near - FAR) ** 2).mean()
    even = settings.albedo_smoothness * along + settings.light_smoothness * (uneven + grey)
    return even + 0.1 * gains + drift + near_light
