"""Where on a photograph a blueprint's defect goes: drawn in millimetres on the part's surface, at a plausible place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from core.blueprint import Blueprint
from core.defect import Defect, Site
from core.errors import InputError, PlacementError, RecipeError
from core.layers import Layers
from core.material import Material
from core.models import load
from core.seeds import child
from defects.generative.augment import Example, augmented
from defects.generative.look import Look
from defects.procedural.decals import half_extents
from defects.procedural.kind import Ground, Kind
from defects.procedural.kinds import KINDS
from defects.procedural.measure import label_size
from flawsmith.paint_ground import PhotoGround
from flawsmith.paint_look import look_of
from scenes import library

DRAWS = 20
SITES = 40
FACING = 0.5
"""Least cosine between the surface and the view."""
BENT = 0.9
"""Least cosine between the normal at the site and those under the label, unless a blueprint may cross edges."""
EDGE_PX, EDGE_TIMES = 1.5, 4.0
"""Edges are sought at this scale, and are so many times as steep as the part's median."""
BLOWN = 0.3
"""Greatest share of the label that the photograph shows burnt out."""
GROUNDS = ("powder_coat_grey", "milled_steel", "sand_cast_iron", "galvanised")
"""Finishes on which a kind is drawn: the first on which it can exist. Only its outline is used."""


@dataclass(frozen=True, eq=False)
class Mark:
    """mask: (h, w) bool, never empty. defect: as a manifest keeps it, id 0. origin: "blueprint" or "example".

    look: what the drawn layers look like there; None where only a mask is known.
    """

    mask: np.ndarray
    defect: Defect
    origin: str
    look: Look | None = None


def draw_mark(
    ground: PhotoGround, blueprint: Blueprint, rng: np.random.Generator, taken: np.ndarray, least_px: int = 16
) -> Mark:
    """A defect of the blueprint on the photographed part, clear of `taken` (h, w) bool.

    The outline is that of the procedural kind, laid on the tangent plane of the hull at the site and seen through the
    camera. PlacementError when no place was found; RecipeError for a kind that has no outline on a surface.
    """
    kind = refuse_solid(blueprint)
    assert kind.paint is not None
    allowed = cv2.erode((ground.part & ~taken).astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    longest, plain = _longest_m(ground), _plain(ground)
    for _ in range(DRAWS):
        values = blueprint.sample(rng)
        params = kind.parameters(values, blueprint.name)
        stream = int(rng.integers(2**62))
        material = _material(kind, params)
        layers = kind.paint(params, Ground(material), child(stream, "paint"))
        if 2 * min(half_extents(layers)) > longest:
            continue
        for _ in range(SITES):
            found = _laid(
                ground, layers, allowed & plain if not blueprint.placement.cross_edges else allowed, rng, blueprint
            )
            if found is None or found[0].sum() < least_px:
                continue
            look = look_of(ground, layers, found[0], found[2], kind.name, material, child(stream, "light"))
            mask = look.mask(allowed.shape) & allowed
            if mask.sum() < least_px:
                continue
            measured = label_size(layers)
            defect = _defect(blueprint, asdict(params), measured, stream, found[1], layers)
            return Mark(mask, defect, "blueprint", look)
    raise PlacementError(
        f"{DRAWS * SITES} places for '{blueprint.name}' on {ground.photo.name} were too small, steep or bent",
        f"a label of {least_px} px on the part", "use larger defects, sharper photographs or other views",
    )  # fmt: skip


def refuse_solid(blueprint: Blueprint) -> Kind:
    """The blueprint's kind. RecipeError for one that has no outline on a surface."""
    kind = KINDS[blueprint.kind]
    if kind.paint is None:
        raise RecipeError(
            f"blueprint '{blueprint.name}' changes the part's shape (kind '{kind.name}')",
            "a kind with an outline on the surface", "use it with route: render, or choose another",
        )  # fmt: skip
    return kind


def example_mark(
    ground: PhotoGround,
    blueprint: Blueprint,
    examples: Sequence[Example],
    rng: np.random.Generator,
    taken: np.ndarray,
    least_px: int = 16,
) -> Mark:
    """The mask of a real example, moved, turned and scaled a little, at a place inside the part."""
    allowed = cv2.erode((ground.part & ~taken).astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    rows, columns = np.nonzero(allowed)
    for _ in range(DRAWS if len(rows) else 0):
        shape = augmented(examples[int(rng.integers(len(examples)))], rng).mask
        r, c = np.nonzero(shape)
        at = int(rng.integers(len(rows)))
        to = np.stack([r - int(r.mean()) + rows[at], c - int(c.mean()) + columns[at]], 1)
        if ((to < 0) | (to >= allowed.shape)).any() or not allowed[to[:, 0], to[:, 1]].all() or len(to) < least_px:
            continue
        mask = np.zeros_like(allowed)
        mask[to[:, 0], to[:, 1]] = True
        site = _site(ground, int(rows[at]), int(columns[at]), 0.0)[0]
        return Mark(mask, _defect(blueprint, {}, {}, int(rng.integers(2**62)), site, None), "example")
    raise PlacementError(
        f"no example mask fits into the part on {ground.photo.name}", "masks smaller than the part", "add smaller ones"
    )


def _plain(ground: PhotoGround) -> np.ndarray:
    """(h, w) bool: where the photograph shows no edge of the part: smoothed gradients that stand out of the rest."""
    grey = cv2.GaussianBlur(ground.photo.pixels.astype(np.float32).mean(axis=2), (0, 0), EDGE_PX)
    steep = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    on = steep[ground.part]
    limit = EDGE_TIMES * max(float(np.median(on)), 1.0)
    return steep <= limit


def _longest_m(ground: PhotoGround) -> float:
    """The part's diagonal in the photograph, metres at its greatest depth."""
    rows, columns = np.nonzero(ground.part)
    far = float(ground.depth_m[rows, columns].max())
    return float(np.hypot(np.ptp(rows) + 1, np.ptp(columns) + 1)) * ground.camera.metres_per_pixel(far)


def _laid(
    ground: PhotoGround, layers: Layers, allowed: np.ndarray, rng: np.random.Generator, blueprint: Blueprint
) -> tuple[np.ndarray, Site, tuple[Any, Any, Any]] | None:
    """Every pixel that the label touches, seen through the camera from a random site, the site, and its point, u and v
    in the camera's frame; None where the place will not do."""
    rows, columns = np.nonzero(allowed)
    if not len(rows):
        return None
    at = int(rng.integers(len(rows)))
    site, point, u, v, n = _site(ground, int(rows[at]), int(columns[at]), float(rng.uniform(0, 2 * np.pi)))
    if -n @ (point / np.linalg.norm(point) if ground.intrinsics is not None else np.array([0, 0, 1.0])) < FACING:
        return None
    along, across = half_extents(layers)
    reach = int(np.ceil(np.hypot(along, across) / ground.metres_per_px(rows[at], columns[at]) / FACING)) + 2
    h, w = allowed.shape
    y0, y1 = max(int(rows[at]) - reach, 0), min(int(rows[at]) + reach + 1, h)
    x0, x1 = max(int(columns[at]) - reach, 0), min(int(columns[at]) + reach + 1, w)
    r, c = (g.ravel() for g in np.mgrid[y0:y1, x0:x1])
    origin, way = ground.rays(r, c)
    slope = way @ n
    slope = np.where(np.abs(slope) < 1e-6, 1e-6, slope)
    hit = origin + way * (((point - origin) @ n) / slope)[:, None] - point
    chart = np.stack([hit @ u, hit @ v], 1)
    pixel = ground.metres_per_px(rows[at], columns[at])
    low, high = np.array(layers.origin_m), np.array(layers.origin_m) + layers.size_m
    inside = ((chart > low) & (chart < high)).all(axis=1)
    label = np.zeros(len(r), bool)
    label[inside] = layers.sample("sdf_m", chart[inside]) < 0.5 * pixel
    if not label.any() or not allowed[r[label], c[label]].all() or _at_border(r[label], c[label], (h, w)):
        return None
    if not blueprint.placement.cross_edges and (ground.normal[r[label], c[label]] @ n).min() < BENT:
        return None
    if (ground.photo.pixels[r[label], c[label]].min(axis=1) >= 250).mean() > BLOWN:
        return None
    mask = np.zeros(allowed.shape, bool)
    mask[r[label], c[label]] = True
    return mask, site, (point, u, v)


def _site(ground: PhotoGround, row: int, column: int, turn: float) -> tuple[Site, Any, Any, Any, Any]:
    """Site in the part's frame, and its point, u, v and normal in the camera's."""
    point, n = ground.point(row, column), ground.normal[row, column].astype(float)
    n = n / max(float(np.linalg.norm(n)), 1e-9)
    u = np.cross(n, [0.0, 1.0, 0.0] if abs(n[1]) < 0.9 else [1.0, 0.0, 0.0])
    u /= np.linalg.norm(u)
    u = np.cos(turn) * u + np.sin(turn) * np.cross(n, u)
    turned, shift = ground.part_from_camera[:3, :3], ground.part_from_camera[:3, 3]
    place, along, up = turned @ point + shift, turned @ u, turned @ n
    site = Site(-1, _triple(place), _triple(along), _triple(up))
    return site, point, u, np.cross(n, u), n


def _at_border(rows: np.ndarray, columns: np.ndarray, size: tuple[int, int]) -> bool:
    return bool(rows.min() == 0 or columns.min() == 0 or rows.max() == size[0] - 1 or columns.max() == size[1] - 1)


def _defect(
    blueprint: Blueprint,
    values: Mapping[str, Any],
    measured: Mapping[str, float],
    seed: int,
    site: Site,
    layers: Layers | None,
) -> Defect:
    radius = 0.0 if layers is None else float(np.hypot(*half_extents(layers)))
    return Defect(
        id=0, kind=blueprint.kind, form=KINDS[blueprint.kind].form, blueprint=blueprint.name,
        blueprint_version=blueprint.version, severity=blueprint.severity,
        verdict=blueprint.verdict({**values, **measured}), seed=seed, site=site, parameters=values, regions=(),
        cad_face=-1, patch=-1, zone_m=(*site.point_m, radius), measured=measured,
    )  # fmt: skip


def _material(kind: Kind, params: Any) -> Material:
    for name in GROUNDS:
        path = library.folder("materials") / f"{name}.yaml"
        material = load(Material, path) if path.is_file() else None
        if material is not None and not (kind.lacks and kind.lacks(params, material)):
            return material
    raise InputError(f"kind '{kind.name}' on a photograph", "a kind that can exist on coated or bare metal", "leave it")


def _triple(v: np.ndarray) -> tuple[float, float, float]:
    return float(v[0]), float(v[1]), float(v[2])
