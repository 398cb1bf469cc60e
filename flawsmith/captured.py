"""Captures as the part of a recipe: reconstructed once, judged, and then a Part like any other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.spatial import KDTree

import parts
from core.errors import GeometryError, InputError, RecipeError
from core.files import sha256_bytes, sha256_file
from core.mesh import CAPTURED
from core.part import Part, Region
from core.seeds import child_seed
from flawsmith.recipe import PartChoice, Recipe
from flawsmith.versions import versions
from recon import capture as captures
from recon.bake import bake
from recon.capture.check import check_poses
from recon.capture.masks import cross_check, mended
from recon.capture.model import Capture
from recon.fit import preset, reconstruct
from recon.hull import carve, hull_agreement
from recon.save import ARRAYS, REPORT, Saved, read, save
from recon.strips import texture_measures
from recon.verdict import Verdict, judge

UNTRUSTED = 0.05
"""Confidence below which a face is `unseen`: never a site for defects unless the recipe names it."""
LARGEST_PX = 1024
"""Longer side to which photographs are averaged down on reading; no preset fits finer."""
SMOOTH_DEG = 50.0
"""Between faces of a fitted surface, which is never as crisp as CAD."""

Progress = Callable[[str, int, int, dict[str, float]], None]


def is_capture(path: Path) -> bool:
    """True for a capture's folder or pose file, False for a part file or a saved reconstruction."""
    if path.is_dir():
        return not (path / REPORT).is_file()
    return path.suffix.lower() in (".json", ".yaml", ".npy") and path.name != REPORT


def reconstruct_capture(
    path: Path,
    out: Path,
    *,
    preset_name: str = "standard",
    minutes: float | None = None,
    seed: int = 0,
    device: str = "cpu",
    light: Literal["room", "part"] | None = None,
    progress: Progress | None = None,
) -> Verdict:
    """Read a capture, mend its masks, fit, judge and save into `out`. A refused one is saved too, with its reasons.

    The whole of `flawsmith reconstruct`. light: where the lamps stood still, if the capture does not say it.
    InputError when `out` holds the reconstruction of another capture.
    """
    capture = captures.load(path, max_side=LARGEST_PX, light=light, checked=False)
    if (out / REPORT).is_file():
        before = read(out)
        if before.facts["capture"]["sha256"] != capture.sha256:
            raise InputError(
                f"{out} holds the reconstruction of another capture", "a new folder", "choose another --out"
            )
        return before.verdict
    check_poses(capture)
    masks = cross_check(capture)
    capture = mended(capture, masks)
    settings = preset(preset_name).with_minutes(minutes)
    found = reconstruct(capture, settings, child_seed(seed, "reconstruct"), progress, device=device)
    hull = carve(capture)
    verdict = judge(capture, masks, found, float(np.nanmean(hull_agreement(capture, (hull.vertices, hull.faces)))))
    maps = bake(capture, found)
    measured = texture_measures(capture, found, maps)
    provenance = {"versions": versions().model_dump(mode="json"), "masks": _masks(masks, capture)}
    save(out, capture, found, verdict, provenance, maps, measured)
    return verdict


def _masks(masks, capture: Capture) -> dict:
    return {
        "mean_iou": masks.mean_iou,
        "offset_px": masks.systematic_px,
        "suspects": [{"view": s.name, "why": s.why} for s in masks.suspects],
        "views_used": len(capture.views),
    }


def with_reconstruction(recipe: Recipe, out: Path, progress: Progress | None = None) -> Recipe:
    """The recipe itself, or, where its part is a capture, with the reconstruction made beside `out`.

    Refused: the recipe's own `fallback` part instead. RecipeError where there is none.
    """
    choice = recipe.part
    path = recipe.place(choice.path, "part")
    if not is_capture(path):
        return recipe if path.is_file() else recipe.with_part(choice.model_copy(update={"path": str(path / REPORT)}))
    folder = out.with_name(f"{out.name}-reconstruction")
    verdict = reconstruct_capture(
        path,
        folder,
        preset_name=choice.preset,
        minutes=choice.minutes,
        seed=recipe.seed,
        light=choice.light,
        progress=progress,
    )
    if verdict.usable:
        return recipe.with_part(choice.model_copy(update={"path": str((folder / REPORT).resolve())}))
    if choice.fallback is None:
        raise RecipeError(
            f"the reconstruction of {choice.path} was {verdict.sentence()}",
            "a capture that can be reconstructed, or part.fallback with a CAD file",
            f"look at {folder}",
        )
    return recipe.with_part(choice.model_copy(update={"path": choice.fallback}))


def load_part(path: Path, choice: PartChoice) -> Part:
    """The recipe's part: a CAD or mesh file, or a saved reconstruction by its reconstruction.json."""
    if path.name == REPORT:
        return captured_part(path.parent, choice)
    return parts.load(
        path, unit=choice.unit, tolerance_mm=choice.tolerance_mm, smooth_angle_deg=choice.smooth_angle_deg
    )


def part_sha256(path: Path) -> str:
    """Of what makes the part: a reconstruction's report holds times, its arrays and maps do not."""
    if path.name != REPORT:
        return sha256_file(path)
    names = (ARRAYS, "albedo.png", "roughness.png", "metallic.png")
    return sha256_bytes("".join(sha256_file(path.parent / n) for n in names).encode())


def captured_part(folder: Path, choice: PartChoice | None = None) -> Part:
    """A Part of a saved reconstruction: its own maps, and the regions `seen` and `unseen`.

    GeometryError when the capture has no scale: defects have sizes in millimetres.
    """
    saved = read(folder)
    unit = choice.unit if choice else None
    if not saved.facts["capture"]["metric"] and unit is None:
        raise GeometryError(
            f"the reconstruction {folder.name} has no scale ({saved.facts['capture']['scale_from']})",
            "a metric capture, or the length of its unit",
            "photograph a marker board with the part, or give part.unit",
        )
    angle = max(choice.smooth_angle_deg, SMOOTH_DEG) if choice else SMOOTH_DEG
    part = parts.load(folder / "part.obj", unit=unit or "m", smooth_angle_deg=angle, name=folder.parent.name)
    scale = float(np.ptp(part.mesh.vertices, axis=0).max() / np.ptp(saved.vertices, axis=0).max())
    gloss = np.array(part.mesh.corner[CAPTURED[1]])
    gloss[:, :, 2] = _trust(saved, part.mesh.vertices / scale)[part.mesh.faces]
    unseen = gloss[:, :, 2].min(1) < UNTRUSTED
    regions = dict(part.regions)
    regions |= {n: Region(n, "surface", m) for n, m in (("unseen", unseen), ("seen", ~unseen)) if m.any()}
    return Part(
        name=saved.facts["capture"]["name"], mesh=part.mesh.with_corner(**{CAPTURED[1]: gloss}),
        sha256=part_sha256(folder / REPORT), source=folder.name, regions=regions, maps=part.maps,
        report={**part.report, "verdict": saved.facts["verdict"]},
    )  # fmt: skip


def _trust(saved: Saved, vertices: np.ndarray) -> np.ndarray:
    """(k,) confidence of the fitted vertex nearest to each of the part's own: repair may have joined or moved some."""
    _, near = KDTree(saved.vertices).query(vertices)
    return saved.confidence[near]
