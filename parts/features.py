"""The regions of a part, shape classes included: what a blueprint's `regions` can name."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from core.mesh import Mesh
from parts.raw import Raw
from parts.regions import Regions, hex_colour
from parts.surfaces import FULL_RAD, Surface, classify


@dataclass(frozen=True, eq=False)
class Features:
    """surfaces: all segments. label: (m,) the segment of each face. bores, bosses: groups of segments that are one
    closed cylinder (a hole that the CAD file splits in two halves is one bore).
    """

    surfaces: tuple[Surface, ...]
    label: np.ndarray
    bores: tuple[tuple[int, ...], ...]
    bosses: tuple[tuple[int, ...], ...]


def find(mesh: Mesh) -> Features:
    """Segments of the mesh and the closed cylinders among them."""
    surfaces = classify(mesh)
    label = np.zeros(len(mesh.faces), np.int64)
    for i, surface in enumerate(surfaces):
        label[surface.faces] = i
    closed = [g for g in _coaxial(surfaces) if sum(surfaces[i].arc_rad for i in g) >= FULL_RAD]
    bores = tuple(g for g in closed if surfaces[g[0]].concave)
    bosses = tuple(g for g in closed if not surfaces[g[0]].concave)
    return Features(surfaces, label, bores, bosses)


def _coaxial(surfaces: tuple[Surface, ...]) -> list[tuple[int, ...]]:
    """Cylinders of one axis, radius, side and stretch along the axis, together."""
    groups: list[list[int]] = []
    by_radius: dict[int, list[list[int]]] = {}
    for i, s in enumerate(surfaces):
        if s.shape != "cylindrical":
            continue
        size = round(math.log(s.radius_m) / 0.02)
        near = [g for k in (size - 1, size, size + 1) for g in by_radius.get(k, ())]
        group = next((g for g in near if _same(surfaces[g[0]], s)), None)
        if group is None:
            group = []
            groups.append(group)
            by_radius.setdefault(size, []).append(group)
        group.append(i)
    return [tuple(g) for g in groups]


def _same(a: Surface, b: Surface) -> bool:
    if a.concave != b.concave or abs(a.radius_m - b.radius_m) >= 1e-2 * a.radius_m:
        return False
    axis, other = np.array(a.axis), np.array(b.axis)
    between = np.array(b.centre_m) - np.array(a.centre_m)
    along = float(between @ axis)
    tolerance = 1e-2 * a.radius_m
    return bool(
        abs(axis @ other) > 0.9998
        and float(np.linalg.norm(between - along * axis)) < tolerance
        and abs(along) < 0.5 * (a.length_m + b.length_m) - 1e-3 * a.radius_m
    )


def regions(raw: Raw, mesh: Mesh, found: Features) -> Regions:
    """Every name that `Part.select` understands for this part."""
    result = Regions()
    label, surfaces = found.label, found.surfaces
    for shape in ("planar", "cylindrical", "curved"):
        result.add(shape, "surface", label, _where([s.shape == shape for s in surfaces]))
    result.add("bore", "surface", label, tuple(i for g in found.bores for i in g))
    result.add("boss", "surface", label, tuple(i for g in found.bosses for i in g))
    for kind, groups in (("bore", found.bores), ("boss", found.bosses)):
        for k, group in enumerate(groups):
            result.add(f"{kind}:{k}", "surface", label, group)
    for i, name in enumerate(raw.solid_names):
        result.add(f"solid:{name}", "solid", mesh.face["solid"], (i,))
    for name, members in raw.groups.items():
        result.add(f"assembly:{name}", "solid", mesh.face["solid"], members)
    used = np.unique(mesh.face["colour"][mesh.face["colour"] >= 0]).tolist()
    for name in sorted({hex_colour(raw.colours[i]) for i in used}):
        values = tuple(i for i in used if hex_colour(raw.colours[i]) == name)
        result.add(f"colour:{name}", "colour", mesh.face["colour"], values)
    material = raw.labels("material")
    for i in np.unique(material[material >= 0]).tolist():
        result.add(f"material:{raw.material_names[i]}", "colour", material, (i,))
    for i in np.unique(mesh.face["cad_face"]).tolist():
        if i >= 0:
            result.add(f"face:{i}", "face", mesh.face["cad_face"], (i,))
    for i in range(int(mesh.face["patch"].max()) + 1):
        result.add(f"patch:{i}", "patch", mesh.face["patch"], (i,))
    return result


def _where(flags: list[bool]) -> tuple[int, ...]:
    return tuple(i for i, f in enumerate(flags) if f)
