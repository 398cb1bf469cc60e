"""A capture reconstructed: read, mended, fitted, judged and delivered, for `flawsmith reconstruct` and for recipes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core.errors import InputError, RecipeError, RenderError
from core.files import sha256_file, usable_folder
from core.seeds import child_seed
from flawsmith.captured import is_capture
from flawsmith.recipe import Recipe
from flawsmith.versions import versions
from recon.capture.model import Capture
from recon.save import REPORT, read
from recon.verdict import Verdict, coverage, judge

if TYPE_CHECKING:
    from recon.capture.masks import MaskReport
    from recon.fit import Settings
    from recon.probe import LightProbe
    from recon.result import Reconstruction

LARGEST_PX = 1024
"""Longer side to which photographs are averaged down on reading; no preset fits finer, but maps are that fine."""

Progress = Callable[[str, int, int, dict[str, float]], None]
NO_PROBE: dict[str, Any] = {"light_probe": None, "probe_turn_deg": 0.0, "probe_ball": None, "probe_view": None}


def reconstruct_capture(
    path: Path,
    out: Path,
    *,
    preset_name: str = "standard",
    minutes: float | None = None,
    seed: int = 0,
    device: str = "cpu",
    light: Literal["room", "part"] | None = None,
    rerender: int = 0,
    refine_poses: bool = False,
    light_probe: LightProbe | None = None,
    progress: Progress | None = None,
) -> Verdict:
    """Read a capture, mend its masks, fit, judge and save into `out`. A refused one is saved too, with its reasons.

    The whole of `flawsmith reconstruct`. light: where the lamps stood still, if the capture does not say it.
    refine_poses: for poses that are off by more than half a pixel; right ones drift by a third of one. rerender:
    views to render again in Cycles from part.glb, which needs Blender. OUT-preview.png shows the fit after each stage
    and goes when it is done. light_probe: of the room, which is then not fitted. An interrupted fit goes on after its
    last whole stage when the same is asked again.
    InputError (TakenFolder) when `out` holds other files, or the reconstruction of another capture or by other options.
    """
    out = usable_folder(out)
    unfinished, preview = (out.with_name(name) for name in (f".{out.name}.fit.npz", f"{out.name}-preview.png"))
    if out.is_dir() and any(out.iterdir()) and not ((out / REPORT).is_file() or unfinished.is_file()):
        raise TakenFolder(f"{out} holds other files", "a new or empty folder", "choose another --out")
    # torch and warp wait until there is a capture: a run from CAD needs neither
    from defects.generative.memory import enough_memory
    from defects.generative.ready import check_device
    from flawsmith.deliver import Outcome, deliver, need_blender
    from recon.fit import preset
    from recon.merge import load_merged

    check_device(device)
    capture, joined = load_merged(path, max_side=LARGEST_PX, light=light)
    if light_probe is not None and capture.light == "part":
        raise InputError("a light probe for a part that lay still", "a part that turned in the room", "leave it out")
    probe, word = (None, "") if light_probe is None else light_probe.read(capture)
    capture = capture.with_views(capture.views, word) if word else capture
    asked = {
        "preset": preset_name, "minutes": minutes, "seed": seed, "light": light, "refine_poses": refine_poses,
        "rerender": rerender, **_said(light_probe),
    }  # fmt: skip
    if (out / REPORT).is_file():
        return _kept(out, capture, asked)
    if rerender:
        need_blender()
    settings = preset(preset_name).with_minutes(minutes)
    settings = settings.with_poses_refined() if refine_poses else settings
    try:
        with enough_memory(f"the fit of {len(capture.views)} photographs", _smaller(preset_name)):
            capture, masks, found, verdict = fitted_and_judged(
                capture,
                settings,
                seed,
                device=device,
                progress=progress,
                checkpoint=unfinished,
                preview=preview,
                probe=probe,
            )
    except InputError:  # going on from there would end there again
        unfinished.unlink(missing_ok=True)
        preview.unlink(missing_ok=True)
        raise
    provenance = {"versions": versions().model_dump(mode="json"), "masks": _masks(masks, capture)}
    provenance["sessions"] = None if joined is None else joined.model_dump(mode="json")
    provenance["asked"] = asked | {"rerender": 0}
    deliver(out, Outcome(capture, found, verdict, provenance), rerender, device)
    unfinished.unlink(missing_ok=True)
    preview.unlink(missing_ok=True)
    return verdict


def _said(probe: LightProbe | None) -> dict[str, Any]:
    """What was asked of a light probe, by its picture's hash and not its place."""
    if probe is None:
        return NO_PROBE
    ball = None if probe.ball is None else [probe.ball.x, probe.ball.y, probe.ball.radius]
    return {
        "light_probe": sha256_file(probe.path), "probe_turn_deg": probe.turn_deg, "probe_ball": ball,
        "probe_view": probe.view,
    }  # fmt: skip


def _kept(out: Path, capture: Capture, asked: Mapping[str, Any]) -> Verdict:
    """The verdict of the reconstruction that is in `out`, where the same was asked of the same capture."""
    before = read(out)
    if before.facts["capture"]["sha256"] != capture.sha256:
        raise TakenFolder(f"{out} holds the reconstruction of another capture", "a new folder", "choose another --out")
    then = NO_PROBE | before.facts["provenance"].get("asked", {})
    others = {k: then.get(k) for k in {**then, **asked} if asked.get(k) != then.get(k)}
    if others:
        told = ", ".join(f"{k.replace('_', '-')} {v}" for k, v in others.items())
        raise TakenFolder(
            f"{out} holds a reconstruction of this capture with {told}", "the same options, or a new folder",
            "choose another --out, or delete that one",
        )  # fmt: skip
    return before.verdict


def _smaller(preset_name: str) -> str:
    """What to do where a preset does not fit into memory."""
    if preset_name == "draft":
        return "end other programs, or give fewer or smaller photographs"
    return f"use --preset {'standard' if preset_name == 'full' else 'draft'}, or end other programs"


def fitted_and_judged(
    capture: Capture,
    settings: Settings,
    seed: int = 0,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
    checkpoint: Path | None = None,
    preview: Path | None = None,
    probe: np.ndarray | None = None,
) -> tuple[Capture, MaskReport, Reconstruction, Verdict]:
    """A capture as it was loaded -> the capture with its masks mended, what its masks were like, the fit, the verdict.

    InputError (UnfitCapture) where photographs, masks and poses contradict each other; nothing is fitted then.
    """
    from recon.capture.check import check_poses
    from recon.capture.masks import cross_check
    from recon.doubts import refuse_unfit, vetted
    from recon.hull import carve
    from recon.lighting import lighting
    from recon.silhouettes import hull_agreement
    from recon.solve import solve

    check_poses(capture)
    refuse_unfit(coverage(capture))
    masks = cross_check(capture)
    capture, doubts = vetted(capture, masks)
    found = solve(
        capture, settings, child_seed(seed, "reconstruct"), progress, device=device, checkpoint=checkpoint,
        preview=preview, light=probe,
    )  # fmt: skip
    found = replace(found, facts={**found.facts, "seed": seed})
    hull = carve(capture)
    hull_iou = float(np.nanmean(hull_agreement(capture, (hull.vertices, hull.faces))))
    verdict = judge(capture, masks, found, hull_iou, doubts=doubts, lighting=lighting(capture, found))
    return capture, masks, found, verdict


def _masks(masks, capture: Capture) -> dict:
    return {
        "mean_iou": masks.mean_iou,
        "offset_px": masks.systematic_px,
        "suspects": [{"view": s.name, "why": s.why} for s in masks.suspects],
        "views_used": len(capture.views),
    }


def _probe(recipe: Recipe) -> LightProbe | None:
    """The light probe that the recipe names."""
    choice = recipe.part.light_probe
    if choice is None:
        return None
    from recon.chrome_ball import Ball
    from recon.probe import LightProbe

    ball = None if choice.ball is None else Ball(*choice.ball)
    return LightProbe(recipe.file(choice.path, "light probe"), choice.turn_deg, ball, choice.view)


class TakenFolder(InputError):
    """The folder for a reconstruction holds something else."""


class RefusedCapture(RecipeError):
    """The reconstruction of a recipe's capture was refused, and the recipe has no other part."""


def with_reconstruction(
    recipe: Recipe,
    out: Path,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
    device: str = "cpu",
) -> Recipe:
    """The recipe itself, or, where its part is a capture, with the reconstruction made beside `out`.

    device: the renderer's word for it. Refused, or unusable in itself: the recipe's own `fallback` part instead, which
    `note` is told. RefusedCapture where there is none.
    """
    from flawsmith.paint_choice import torch_device
    from recon.capture.unfit import UnfitCapture

    choice = recipe.part
    path = recipe.place(choice.path, "part")
    if not is_capture(path):
        return recipe if path.is_file() else recipe.with_part(choice.model_copy(update={"path": str(path / REPORT)}))
    folder = out.with_name(f"{out.name}-reconstruction")
    probe = _probe(recipe)
    try:
        verdict = reconstruct_capture(
            path,
            folder,
            preset_name=choice.preset,
            minutes=choice.minutes,
            seed=recipe.seed,
            device=torch_device(device),
            light=choice.light,
            light_probe=probe,
            progress=progress,
        )
    except TakenFolder:
        raise
    except (InputError, RenderError) as error:
        if recipe.part.fallback is None and not isinstance(error, UnfitCapture):
            raise
        return _instead(recipe, error.given, f"{error.do}; look at {choice.path}", note, error)
    if verdict.usable:
        return recipe.with_part(choice.model_copy(update={"path": str((folder / REPORT).resolve())}))
    return _instead(recipe, f"the reconstruction of {choice.path} was {verdict.sentence()}", f"look at {folder}", note)


def _instead(
    recipe: Recipe, why: str, look: str, note: Callable[[str], None] | None, cause: Exception | None = None
) -> Recipe:
    """The recipe with its fallback part. RefusedCapture where it has none."""
    if recipe.part.fallback is None:
        expected = "a capture that can be reconstructed, part.fallback with a CAD file, or route: photo"
        raise RefusedCapture(why, expected, look) from cause
    if note:
        note(f"part.fallback was taken instead of the capture: {why}")
    return recipe.with_part(recipe.part.model_copy(update={"path": recipe.part.fallback}))
