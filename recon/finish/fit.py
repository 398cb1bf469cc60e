"""The last pass from a fit to a fit with maps of its own.

Vertex colours under a lobe of one gloss have done what they can: here every pixel is shaded by itself, its light drawn
from an environment map and from a GGX lobe (Hasselgren et al., Shape, Light, and Material Decomposition from Images
using Monte Carlo Rendering and Denoising, 2022), shadow rays and near lamps included. Light that bounces stays what
the fit before found. Draws come from one generator, so that a run repeats exactly on the CPU.
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch

from core.seeds import child, child_seed
from recon.bake import bake, filled, pixel_m
from recon.capture.model import Capture
from recon.descent import Descent, Tally
from recon.finish.picture import Scene, Stand, even_draws, facing, picture
from recon.finish.relief import curl
from recon.finish.state import State
from recon.fit.optimise import LIFT, Progress, limited
from recon.fit.picture import losses
from recon.fit.poses import with_poses
from recon.fit.precondition import UniformAdam
from recon.fit.problem import Target, UnitFrame, targets
from recon.fit.settings import Finish
from recon.fit.summary import best_gain, measures
from recon.montecarlo.estimator import Points, shade
from recon.raster.protocol import Rasterizer
from recon.raster.warp_backend import WarpRasterizer
from recon.result import Reconstruction, Shading
from recon.tangents import normal_map
from recon.unwrap import Atlas, size_for, unwrap
from recon.visibility import Occluder

MOST_RAYS = 2**21
"""In one call of `shade`, which keeps about fifty numbers for each when it need not go back."""


def finished(
    capture: Capture,
    found: Reconstruction,
    settings: Finish,
    seed: int = 0,
    progress: Progress | None = None,
    rasterizer: Rasterizer | None = None,
    device: str = "cpu",
    deadline: float | None = None,
) -> Reconstruction:
    """The same part, fitted on: `maps` are its own. A part of one colour (`recon.plain`) keeps its albedo, as left
    alone it would take up again what shading leaves unexplained. deadline: time.monotonic() at which it stops early.

    GeometryError when more than 1 % of the steps had to be skipped because they were not finite.
    """
    rasterizer = rasterizer or WarpRasterizer()
    began = time.monotonic()
    if found.facts.get("one_colour", False):
        settings = replace(settings, albedo_rate=0.0)
    capture = with_poses(capture, found.camera_from_part)
    frame = UnitFrame.of(found.vertices)
    atlas = unwrap(found.vertices, found.faces, size_for(found.vertices, found.faces, pixel_m(capture, found)))
    state = State.of(found, atlas, frame, settings.stiffness, device)
    views = targets(capture, frame, settings.side_px, True, device)
    stands = [
        Stand(
            _tensor(v.room_from_part, device),
            _tensor(np.zeros_like(found.vertices) if s.bounced is None else s.bounced, device),
        )
        for v, s in zip(capture.views, found.shadings, strict=True)
    ]
    told = _run(state, capture, views, stands, settings, seed, progress, rasterizer, deadline)
    told |= {"settings": asdict(settings), "seconds": time.monotonic() - began}
    return _result(state, capture, found, atlas, frame, views, stands, settings, seed, rasterizer, told)


def _run(
    state: State,
    capture: Capture,
    views: list[Target],
    stands: list[Stand],
    settings: Finish,
    seed: int,
    progress: Progress | None,
    rasterizer: Rasterizer,
    deadline: float | None,
) -> dict[str, Any]:
    """Fit in place."""
    rng = child(seed, "finish")
    drawn = torch.Generator(state.latent.device).manual_seed(child_seed(seed, "finish draws") % 2**63)
    training = [n for n, v in enumerate(capture.views) if not v.held_out]
    shape = UniformAdam([state.latent], settings.vertex_rate)
    rest = torch.optim.Adam(
        [
            {"params": [state.albedo_raw], "lr": settings.albedo_rate},
            {"params": [state.gloss_raw], "lr": settings.gloss_rate},
            {"params": [state.relief_raw], "lr": settings.relief_rate},
            {"params": [state.light_raw], "lr": settings.light_rate},
            {"params": [state.gains_raw], "lr": settings.gain_rate},
        ],
        betas=(0.9, 0.99),
    )
    starts = [(group, group["lr"]) for group in (*shape.param_groups, *rest.param_groups)]
    lift = LIFT * state.edge
    occluder = Occluder(state.vertices, state.topology.faces)
    tally = Tally()
    descent = Descent([shape], [rest], len(training), settings.views_per_step, rng, tally, deadline)
    history: list[dict[str, Any]] = []
    for step, chosen in descent.rounds(range(settings.steps)):
        share = step / max(settings.steps, 1)
        for group, rate in starts:
            group["lr"] = rate * settings.fall**share
        scene = Scene.of(state, occluder, lift)
        occluder.moved(scene.vertices)
        if scene.vertices.requires_grad:
            scene.vertices.register_hook(lambda g: limited(g, settings.outlier_limit))
        colour = mask = torch.zeros((), device=state.latent.device)
        for n in (training[i] for i in chosen):
            seen = picture(scene, views[n], stands[n], rasterizer, drawn, settings.draws, settings.sigma_px)
            one, two = losses(seen, views[n])
            colour, mask = colour + one / len(chosen), mask + two / len(chosen)
        smooth = evenness(state, scene, settings)
        total = colour + settings.mask_weight * mask + smooth
        if not descent.down(total):
            continue
        if step % 20 == 0 or step == settings.steps - 1:
            terms = {"colour": float(colour.detach()), "mask": float(mask.detach()), "smooth": float(smooth.detach())}
            history.append({"stage": "finish", "side_px": settings.side_px, "step": step, **terms})
            if progress:
                progress(f"finish {settings.side_px} px", step, settings.steps, terms)
    tally.refuse_skipped("check the capture's poses and masks, or choose preset standard")
    return {
        "steps": tally.steps, "skipped_steps": tally.skipped, "stopped_early": tally.stopped_early, "history": history,
    }  # fmt: skip


def evenness(state: State, scene: Scene, settings: Finish) -> torch.Tensor:
    """() Albedo, gloss and relief even between texels, relief as heights have it and near flat, light even and near
    grey, gains near one; the mean albedo stays where it was, as photographs alone cannot tell it from the light's
    strength.
    """
    albedo, gloss, charted = scene.looks[..., :3], scene.looks[..., 3:], state.charted
    relief = torch.cat([*scene.reliefs], -1)
    mean = albedo[charted].mean()
    light = state.light_raw
    uneven = (light - light.roll(1, 1)).abs().mean() + (light[1:] - light[:-1]).abs().mean()
    grey = (light - light.mean(-1, keepdim=True)).abs().mean()
    drift = torch.log(mean / state.mean_albedo) ** 2
    gains = ((state.gains_raw - state.gains_raw.mean(0)) ** 2).mean()
    return (
        settings.albedo_smoothness * steps_between(albedo, charted) / mean
        + settings.gloss_smoothness * steps_between(gloss, charted)
        + settings.relief_smoothness * steps_between(relief, charted)
        + settings.relief_curl * (curl(scene.reliefs[0], charted) + curl(scene.reliefs[1], charted)) / 2
        + settings.relief_flatness * (relief[charted] ** 2).mean()
        + settings.light_smoothness * (uneven + grey)
        + drift
        + 0.1 * gains
    )


def steps_between(image: torch.Tensor, charted: torch.Tensor) -> torch.Tensor:
    """() Mean absolute difference of (s, s, k) between neighbouring texels of charts (s, s)."""
    across = (image[:, 1:] - image[:, :-1]).abs() * (charted[:, 1:] & charted[:, :-1])[..., None]
    down = (image[1:] - image[:-1]).abs() * (charted[1:] & charted[:-1])[..., None]
    return (across.sum() + down.sum()) / (image.shape[2] * charted.sum())


@torch.no_grad()
def _result(
    state: State,
    capture: Capture,
    found: Reconstruction,
    atlas: Atlas,
    frame: UnitFrame,
    views: list[Target],
    stands: list[Stand],
    settings: Finish,
    seed: int,
    rasterizer: Rasterizer,
    told: dict[str, Any],
) -> Reconstruction:
    vertices, device = state.vertices, state.latent.device
    relief = state.finer.agreed(state.reliefs)
    scene = Scene.of(state, Occluder(vertices, state.topology.faces), LIFT * state.edge, relief)
    drawn = torch.Generator(device).manual_seed(child_seed(seed, "finish pictures") % 2**63)
    said, shadings = [], []
    for target, stand, before in zip(views, stands, found.shadings, strict=True):
        view, gain = capture.views[target.number], state.gain(target.number)
        seen = picture(scene, target, stand, rasterizer, drawn, settings.final_draws, settings.sigma_px)
        if view.held_out:
            factor = best_gain(seen, target)
            seen, gain = torch.cat([seen[..., :3] * factor, seen[..., 3:]], -1), gain * factor
        said.append({"view": view.name, "held_out": view.held_out, **measures(seen, target)})
        shadings.append(_shading(scene, target, stand, gain, drawn, settings.final_draws, before))
    held = [m["psnr_db"] for m in said if m["held_out"]]
    optics = state.optics()
    facts = {**found.facts, "views": said, "held_out_psnr_db": float(np.mean(held)) if held else None}
    facts["finish"] = {k: v for k, v in told.items() if k != "history"}
    facts["before_finish"] = {
        "held_out_psnr_db": found.facts.get("held_out_psnr_db"),
        "views": found.facts.get("views"),
    }
    facts["stopped_early"] = bool(found.facts.get("stopped_early")) or told["stopped_early"]
    result = replace(
        found,
        vertices=frame.part(vertices.cpu().numpy().astype(np.float64)),
        albedo=optics.albedo.cpu().numpy(),
        roughness=optics.roughness[:, 0].cpu().numpy(),
        metallic=optics.metallic[:, 0].cpu().numpy(),
        environment=torch.exp(state.light_raw).cpu().numpy(),
        shadings=shadings,
        history=[*found.history, *told["history"]],
        facts=facts,
    )
    texels = filled(torch.cat([scene.looks, relief], -1).cpu().numpy(), atlas.covered)
    maps = replace(
        bake(capture, result, atlas=atlas), roughness=texels[..., 3], metallic=texels[..., 4],
        normal=normal_map(texels[..., 5:]),
    )  # fmt: skip
    return replace(result, maps=replace(maps, albedo=texels[..., :3]) if settings.albedo_rate else maps)


def _shading(
    scene: Scene, target: Target, stand: Stand, gain: torch.Tensor, drawn: torch.Generator, draws: int, before: Shading
) -> Shading:
    """How a view lights the vertices, by as many draws as a picture of its own."""
    optics, eye = scene.state.optics(), target.standing.eye
    parts = []
    for rows in torch.arange(len(scene.vertices), device=scene.vertices.device).split(max(1, MOST_RAYS // (2 * draws))):
        points = scene.vertices[rows]
        at = Points(
            points, facing(scene.normals[rows], eye - points), eye, stand.room_from_part, target.standing.pivot
        )  # fmt: skip
        numbers = even_draws(len(rows), draws, drawn)
        parts.append(shade(at, optics.only(rows), scene.environment, numbers, scene.occluder, 1.0, scene.lift))
    diffuse = torch.cat([p.diffuse for p in parts]) + stand.bounced * (1 - optics.metallic)
    mirrored = torch.cat([p.mirrored for p in parts])
    return Shading(diffuse.cpu().numpy(), mirrored.cpu().numpy(), gain.cpu().numpy(), before.bounced)


def _tensor(array: np.ndarray, device: str) -> torch.Tensor:
    return torch.tensor(np.asarray(array, np.float32), device=device)
