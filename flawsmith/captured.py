"""A reconstruction as the part of a recipe: a Part like any other, with its own maps and what nobody saw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial import KDTree

import parts
from core.errors import GeometryError
from core.files import sha256_bytes, sha256_file
from core.mesh import CAPTURED, NORMAL
from core.part import Part, Region
from flawsmith.recipe import PartChoice
from recon.model_files import NORMAL as NORMAL_MAP
from recon.save import ARRAYS, REPORT, Saved, read

UNSEEN = "unseen"
UNTRUSTED = 0.05
"""Confidence below which a face is `unseen`: never a site for defects unless the recipe names it."""
SMOOTH_DEG = 50.0
"""Between faces of a fitted surface, which is never as crisp as CAD."""


def is_capture(path: Path) -> bool:
    """True for a capture's folder or pose file, False for a part file or a saved reconstruction."""
    if path.is_dir():
        return not (path / REPORT).is_file()
    if path.name.endswith("_par.txt"):
        return True
    return path.suffix.lower() in (".json", ".yaml", ".npy") and path.name != REPORT


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
    names = [ARRAYS, "albedo.png", "roughness.png", "metallic.png"]
    names += [NORMAL_MAP] if (path.parent / NORMAL_MAP).is_file() else []
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
    part = smooth_under_maps(part)
    scale = float(np.ptp(part.mesh.vertices, axis=0).max() / np.ptp(saved.vertices, axis=0).max())
    gloss = np.array(part.mesh.corner[CAPTURED[1]])
    gloss[:, :, 2] = _trust(saved, part.mesh.vertices / scale)[part.mesh.faces]
    unseen = gloss[:, :, 2].min(1) < UNTRUSTED
    regions = dict(part.regions)
    regions |= {n: Region(n, "surface", m) for n, m in ((UNSEEN, unseen), ("seen", ~unseen)) if m.any()}
    return Part(
        name=saved.facts["capture"]["name"], mesh=part.mesh.with_corner(**{CAPTURED[1]: gloss}),
        sha256=part_sha256(folder / REPORT), source=folder.name, regions=regions, maps=part.maps,
        report={**part.report, "verdict": saved.facts["verdict"]},
    )  # fmt: skip


def smooth_under_maps(part: Part) -> Part:
    """The part as it was fitted where it has a normal map: that leans on normals that are smooth across every edge."""
    if all(maps.normal is None for maps in part.maps):
        return part
    import torch

    from recon.tangents import smooth_normals

    faces = part.mesh.faces
    normals = smooth_normals(torch.tensor(part.mesh.vertices), torch.tensor(faces).long()).numpy()
    return replace(part, mesh=part.mesh.with_corner(**{NORMAL: normals[faces]}))


def offered(part: Part, regions: tuple[str, ...]) -> tuple[str, ...]:
    """The recipe's regions, without what no photograph saw unless one of them is `unseen` itself: a pattern or a region
    that happens to reach there does not ask for it."""
    asked = any(r.removeprefix("!") == UNSEEN for r in regions)
    return regions if asked or UNSEEN not in part.regions else (*regions, f"!{UNSEEN}")


def _trust(saved: Saved, vertices: np.ndarray) -> np.ndarray:
    """(k,) confidence of the fitted vertex nearest to each of the part's own: repair may have joined or moved some."""
    _, near = KDTree(saved.vertices).query(vertices)
    return saved.confidence[near]
