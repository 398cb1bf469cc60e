"""The pass over a signed grid: a mesh of the right genus, for the vertex solver to start from."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from core.seeds import child
from recon.capture.model import Capture
from recon.descent import Descent, Tally
from recon.fit.optimise import Progress, limited, regularisers
from recon.fit.picture import met
from recon.fit.precondition import UniformAdam
from recon.fit.problem import Target, UnitFrame, targets
from recon.hull import visual_hull
from recon.raster.protocol import Rasterizer
from recon.raster.warp_backend import WarpRasterizer
from recon.volume.explained import compared, seen_through, vertex_errors
from recon.volume.field import edges_once, joined, outside_masks, signed_distance, solid, unevenness
from recon.volume.flexicubes import Grid
from recon.volume.holes import AGREEING, candidates, tunnels
from recon.volume.pits import standing
from recon.volume.regions import about, without
from recon.volume.settings import VolumeSettings
from recon.volume.shape import Shadows, Volume, estimate_of

CLEARLY = 0.8
"""A hole, or a pit in which nothing stands, is believed when the error of the pixels that show its place is below this
share of the error when closed."""


@dataclass(eq=False)
class VolumeFit:
    """volume: the state. frame: of its unit. outside: (samples,) distances out of the masks' hull; a cell where the
    backdrop shows."""

    volume: Volume
    frame: UnitFrame
    outside: torch.Tensor
    history: list[dict[str, Any]] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    def keep_out(self, samples: np.ndarray) -> None:
        """The part is not there: (samples,) bool."""
        there = torch.as_tensor(samples, device=self.outside.device)
        self.outside = torch.where(there, self.outside.clamp(min=self.volume.grid.step), self.outside)

    def mesh(self) -> tuple[np.ndarray, np.ndarray]:
        """vertices (n, 3) float64 in the unit frame, faces (m, 3): solid pieces only."""
        with torch.no_grad():
            dual = self.volume.surface()
        return solid(dual.vertices.cpu().numpy().astype(np.float64), dual.faces.cpu().numpy())


def topology(
    capture: Capture,
    settings: VolumeSettings | None = None,
    seed: int = 0,
    start: tuple[np.ndarray, np.ndarray] | None = None,
    progress: Progress | None = None,
    rasterizer: Rasterizer | None = None,
    device: str = "cpu",
    deadline: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """vertices (n, 3) float64 in the capture's frame, faces (m, 3) int32, closed: what `recon.fit.reconstruct` takes as
    `start`. start: closed mesh in place of the hull. deadline: time.monotonic() at which it stops early. Else the
    same seed gives the same mesh on the CPU.

    GeometryError when nothing is left, or more than 1 % of the steps were not finite.
    """
    fit = solve(capture, settings or VolumeSettings(), seed, start, progress, rasterizer, device, deadline)
    vertices, faces = fit.mesh()
    return fit.frame.part(vertices), faces


def solve(
    capture: Capture,
    settings: VolumeSettings,
    seed: int = 0,
    start: tuple[np.ndarray, np.ndarray] | None = None,
    progress: Progress | None = None,
    rasterizer: Rasterizer | None = None,
    device: str = "cpu",
    deadline: float | None = None,
) -> VolumeFit:
    """`topology`, with the whole state. Where something stands in a pit, the first `pierce_after` of the steps are done
    twice, with it and without it; where holes may be that are closed then, so is the rest. About each the result is
    that of the two which explains better the pixels that show it."""
    rasterizer = rasterizer or WarpRasterizer()
    fit = begin(capture, settings, start, device)
    sure = tunnels(
        seen_through(fit.volume, fit.frame, capture.training, rasterizer), fit.volume.values(), fit.volume.grid
    )
    if sure.any():
        fit.keep_out(sure)
        redistance(fit, settings)
    views = targets(capture, fit.frame, settings.side_px, settings.loss.turning_light, device)
    views = [t for t in views if not capture.views[t.number].held_out]
    asked = round(settings.pierce_after * settings.steps)
    spans = ((0, asked), (asked, settings.steps))

    def further(fit: VolumeFit, part: int) -> None:
        run(fit, views, settings, child(seed, "volume", part), spans[part], progress, rasterizer, deadline)

    def decided(closed: VolumeFit, found: list[np.ndarray], free: np.ndarray, part: int) -> VolumeFit:
        """After these steps closed, and with all that was found taken out: about each the better explained of the two.
        free: samples that are kept out there."""
        opened = deepcopy(closed) if found else None
        further(closed, part)
        if opened is None:
            return closed
        for candidate in found:
            opened.keep_out(candidate & free)
            opened.volume.set_values(without(opened.volume.values(), candidate, opened.volume.grid))
        redistance(opened, settings)
        further(opened, part)
        pairs = compared(closed.volume, opened.volume, found, views, settings, rasterizer)
        better = [after < CLEARLY * before for before, after in pairs]
        closed.volume.take(opened.volume, about(found, better, closed.volume.grid))
        closed.history.append({"step": spans[part][1], "asked": len(found), "opened": sum(better), "errors": pairs})
        return closed

    points, _, pixels = vertex_errors(fit.volume, views, settings, rasterizer)
    pieces = standing(fit.volume.values(), fit.volume.grid, fit.outside.cpu().numpy(), points, pixels)
    fit = decided(fit, pieces, np.zeros(fit.volume.grid.samples, bool), 0)
    redistance(fit, settings)
    through = seen_through(fit.volume, fit.frame, capture.training, rasterizer)
    errors = vertex_errors(fit.volume, views, settings, rasterizer)
    found = candidates(fit.volume.values(), fit.volume.grid, *errors, through)
    return decided(fit, found, through >= AGREEING, 1)


def begin(
    capture: Capture, settings: VolumeSettings, start: tuple[np.ndarray, np.ndarray] | None, device: str = "cpu"
) -> VolumeFit:
    """The grid round the visual hull, with the hull (or `start`, cut by the hull) in it."""
    hull = visual_hull(capture, 2 * settings.cells)
    frame = UnitFrame.of(hull[0])
    bounds = frame.unit(hull[0])
    grid = Grid.around(bounds.min(0), bounds.max(0), settings.cells)
    vertices, faces = hull if start is None else start
    outside = outside_masks(capture.training, frame, grid, settings.tolerated).to(device)
    values = signed_distance(frame.unit(vertices), faces, grid, device)
    values = torch.maximum(values, outside - settings.slack * grid.step)
    inside = [v.image[v.mask > 0.9] for v in capture.training]
    colour = torch.as_tensor(np.concatenate(inside).mean(0), dtype=torch.float32, device=device)
    volume = Volume.start(values, colour, grid, settings.stiffness, len(capture.views), settings.paint)
    return VolumeFit(volume, frame, outside)


def run(
    fit: VolumeFit,
    views: list[Target],
    settings: VolumeSettings,
    rng: np.random.Generator,
    span: tuple[int, int],
    progress: Progress | None,
    rasterizer: Rasterizer,
    deadline: float | None = None,
) -> None:
    """Fit in place, steps span[0] to span[1] of the whole."""
    volume, unknowns = fit.volume, fit.volume.unknowns
    shape = UniformAdam([volume.latent], settings.rate)
    flex = torch.optim.Adam(volume.flexed(), settings.flex_rate)
    rest = torch.optim.Adam(
        [
            painted(volume, settings),
            {"params": [unknowns.radiance_raw], "lr": settings.loss.light_rate},
            {"params": [unknowns.roughness_raw, unknowns.metallic_raw], "lr": settings.loss.optics_rate},
            {"params": [unknowns.gains_raw], "lr": settings.loss.gain_rate},
        ],
        betas=(0.9, 0.99),
    )
    descent = Descent([shape, flex], [rest], len(views), settings.views_per_step, rng, fit.tally, deadline)
    shadows: Shadows | None = None
    for step, chosen in descent.rounds(range(*span)):
        share = max(step - settings.still, 0) / max(settings.steps - settings.still, 1)
        warm = min(1.0, (step - max(span[0], settings.still) + 1) / settings.warm)
        shape.param_groups[0]["lr"] = warm * settings.rate * settings.fall**share
        if step > span[0] and step % settings.distance_every == 0 and step <= 0.85 * settings.steps:
            redistance(fit, settings)
        dual = volume.surface()
        net = joined(dual.faces, len(dual.vertices))
        if shadows is None or step % settings.renew_every == 0:
            shadows = Shadows(dual.vertices.detach(), net, views, volume.grid.step)
        terms = _terms(fit, dual, net, shadows, [views[n] for n in chosen], settings, share, rasterizer)
        total = torch.stack(list(terms.values())).sum()
        if not descent.down(total, moving=step >= settings.still):
            continue
        if step % 20 == 0 or step == settings.steps - 1:
            said = {name: float(term.detach()) for name, term in terms.items()}
            fit.history.append({"step": step, **said})
            if progress:
                progress(f"volume {settings.cells}", step, settings.steps, said)
    fit.tally.refuse_skipped("check the capture's poses and masks, or lower the rates")


def painted(volume: Volume, settings: VolumeSettings) -> dict[str, Any]:
    """The albedo's parameters and their rate."""
    if isinstance(volume.albedo, torch.Tensor):
        return {"params": [volume.albedo], "lr": 3 * settings.loss.albedo_rate}
    return {"params": list(volume.albedo.raw), "lr": settings.paint_rate, "eps": 1e-15}


def _terms(
    fit: VolumeFit,
    dual: Any,
    net: Any,
    shadows: Shadows,
    views: list[Target],
    settings: VolumeSettings,
    share: float,
    rasterizer: Rasterizer,
) -> dict[str, torch.Tensor]:
    vertices = dual.vertices
    vertices.register_hook(lambda g: limited(g, settings.outlier_limit))
    unknowns = fit.volume.unknowns_at(vertices)
    estimate = estimate_of(vertices, net, unknowns, shadows, fit.volume.paint)
    pictures, _ = met(estimate, views, net, rasterizer, settings.loss.mask_weight)
    edges = edges_once(dual.faces)
    first, last = settings.sign
    sign = last + (first - last) * max(1 - 4 * share, 0.0)
    step = fit.volume.grid.step
    return {
        "pictures": pictures,
        "smooth": regularisers(unknowns, edges, settings.loss),
        "sign": sign * fit.volume.sign_term(),
        "spread": settings.spread * dual.spread / step,
        "uneven": settings.laplacian * unevenness(vertices, edges) / step**2,
    }


def redistance(fit: VolumeFit, settings: VolumeSettings) -> None:
    """The values become distances to their own surface again, without voids and crumbs and within the masks' hull."""
    vertices, faces = fit.mesh()
    grid = fit.volume.grid
    values = signed_distance(vertices, faces, grid, str(fit.outside.device))
    fit.volume.set_values(torch.maximum(values, fit.outside - settings.slack * grid.step))
