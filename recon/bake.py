"""Maps of a fitted part: the photographs, divided by the fit's own light, texel by texel.

A texel's colour is the robust mean, over the training photographs that see it, of (radiance / exposure - mirrored
light) / diffuse light, so that detail finer than the mesh comes back without the lamps' shading. Where no photograph
counts, it is the fitted vertices' own albedo, and between the two it fades.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from recon.capture.model import Capture
from recon.confidence import ENOUGH_VIEWS, POOR_RESIDUAL
from recon.fit.picture import srgb
from recon.plain import colour_of, evened
from recon.result import Reconstruction
from recon.shading import vertex_normals
from recon.sights import Sight, sights_of
from recon.unwrap import Atlas, size_for, unwrap

LEAST_COSINE = float(np.cos(np.deg2rad(75)))
NOISE, DOUBT = 0.01, 0.1
"""Standard error of a radiance: in itself, and as a share of what the fit explains."""
PRIOR = 0.02
"""Weight of the vertices' albedo beside one square view in full light."""
BEHIND_PX = 6.0
"""A texel so many widths of a pixel behind what the camera sees is hidden."""
FULL_VIEW = 0.05
"""Weight from which a view counts as one."""
ROUNDS = 4
CHUNK = 16384
GUTTER = 8


@dataclass(frozen=True, eq=False)
class Maps:
    """Of one atlas, (s, s) row 0 at v = 1, gutters filled. albedo: (s, s, 3) linear. roughness, metallic, confidence:
    (s, s) in [0, 1]. normal: (s, s, 3) unit in the frame of `recon.tangents`, x along u, y along v, z outwards; None
    where it is the smooth one. All float32. facts: how much of the surface the photographs gave, and by how many views.
    """

    atlas: Atlas
    albedo: np.ndarray
    roughness: np.ndarray
    metallic: np.ndarray
    confidence: np.ndarray
    facts: Mapping[str, Any]
    normal: np.ndarray | None = None


@torch.no_grad()
def bake(capture: Capture, found: Reconstruction, size: int | None = None, atlas: Atlas | None = None) -> Maps:
    """size: side of the maps in texels, a power of two; by default as fine as the photographs. atlas: of the same
    faces, in place of a new one."""
    if atlas is None:
        size = size or size_for(found.vertices, found.faces, pixel_m(capture, found))
        atlas = unwrap(found.vertices, found.faces, size)
    size = atlas.size
    rows, columns = np.nonzero(atlas.covered)
    corners = torch.as_tensor(found.faces[atlas.face[rows, columns]].astype(np.int64))
    bary = torch.tensor(atlas.bary[rows, columns], dtype=torch.float32)
    points = torch.tensor(found.vertices, dtype=torch.float32)
    normals = vertex_normals(points, torch.as_tensor(found.faces).long())
    albedo = torch.tensor(found.albedo, dtype=torch.float32)
    sights = sights_of(capture, found)
    colour, trust, views = np.empty((len(rows), 3), np.float32), np.empty(len(rows), np.float32), np.empty(len(rows))
    for start in range(0, len(rows), CHUNK):
        part = slice(start, start + CHUNK)
        at = _Texels(corners[part], bary[part])
        observed = [_observe(at, points, normals, sight) for sight in sights]
        colour[part], trust[part], views[part] = _settle(at.of(albedo), observed)
    if found.facts.get("one_colour", False):
        colour = evened(torch.as_tensor(colour), colour_of(albedo, found.views_seen)).numpy()
    gloss = [np.einsum("nc,nc->n", np.asarray(v, float)[corners], bary) for v in (found.roughness, found.metallic)]
    flat = np.column_stack([colour, *gloss, trust]).astype(np.float32)
    image = np.zeros((size, size, flat.shape[1]), np.float32)
    image[rows, columns] = np.clip(flat, 0, 1)
    image = filled(image, atlas.covered)
    facts = {
        "size": size,
        "texel_m": float(_texel_m(found, atlas)),
        "photographed_share": float((views >= 1).mean()),
        "median_views": float(np.median(views)),
    }
    return Maps(atlas, image[..., :3], image[..., 3], image[..., 4], image[..., 5], facts)


def pixel_m(capture: Capture, found: Reconstruction) -> float:
    """Width of a pixel on the part, median over the training views, in the unit of the capture."""
    centre = found.vertices.mean(0)
    poses = [p for v, p in zip(capture.views, found.camera_from_part, strict=True) if not v.held_out]
    depth = [float(p[2, :3] @ centre + p[2, 3]) for p in poses]
    return float(np.median([z / v.intrinsics[0, 0] for z, v in zip(depth, capture.training, strict=True)]))


def filled(image: np.ndarray, covered: np.ndarray, reach: int = GUTTER) -> np.ndarray:
    """(h, w, k) with every texel within `reach` of a covered one set to the nearest's value, all others to the mean."""
    found: Any = distance_transform_edt(~covered, return_indices=True)
    distance, near = found
    out = image[near[0], near[1]]
    out[distance > reach] = image[covered].mean(0, dtype=np.float64)
    return out


@dataclass(frozen=True, eq=False)
class _Texels:
    """corners: (n, 3) vertices about each, bary: (n, 3)."""

    corners: torch.Tensor
    bary: torch.Tensor

    def of(self, values: torch.Tensor, chosen: torch.Tensor | slice = slice(None)) -> torch.Tensor:
        """(k, c) values (vertices, c) interpolated at the chosen texels."""
        return torch.einsum("npc,np->nc", values[self.corners[chosen]], self.bary[chosen])


@dataclass(frozen=True, eq=False)
class _Seen:
    """What one view says of a chunk, (k, 3) each but chosen (k,) into the chunk and weight (k, 1)."""

    chosen: torch.Tensor
    radiance: torch.Tensor
    diffuse: torch.Tensor
    rest: torch.Tensor
    weight: torch.Tensor


def _observe(at: _Texels, points: torch.Tensor, normals: torch.Tensor, sight: Sight) -> _Seen:
    place, normal = at.of(points), torch.nn.functional.normalize(at.of(normals), dim=1)
    cosine = (normal * torch.nn.functional.normalize(sight.eye - place, dim=1)).sum(1)
    pixel = place @ sight.pixels[:, :3].T + sight.pixels[:, 3]
    z = pixel[:, 2]
    xy = pixel[:, :2] / z[:, None].clamp(min=1e-9)
    h, w = sight.depth.shape
    inside = (xy > 0).all(1) & (xy[:, 0] < w) & (xy[:, 1] < h) & (z > 0)
    chosen = torch.nonzero((cosine > LEAST_COSINE) & inside)[:, 0]
    xy, z, cosine = xy[chosen], z[chosen], cosine[chosen]
    front = sight.depth[xy[:, 1].long(), xy[:, 0].long()]
    grid = (xy / torch.tensor([w, h]) * 2 - 1)[None, None]
    sampled = torch.nn.functional.grid_sample(sight.layers, grid, mode="bicubic", align_corners=False)[0, :, 0].T
    trust = sampled[:, 3].clamp(0, 1) * (z < front + BEHIND_PX * z / sight.focal)
    weight = ((cosine - LEAST_COSINE) / (1 - LEAST_COSINE)) ** 2 * trust
    return _Seen(
        chosen, sampled[:, :3], at.of(sight.diffuse, chosen), at.of(sight.rest, chosen), weight[:, None]
    )  # fmt: skip


def _settle(prior: torch.Tensor, observed: list[_Seen]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Albedo (n, 3), confidence (n,) and count of views (n,) of a chunk."""
    albedo, believed = prior.clone(), PRIOR / (NOISE**2 + (DOUBT * prior) ** 2)
    for number in range(ROUNDS + 1):
        total, mass = prior * believed, believed.clone()
        for seen in observed:
            now = albedo[seen.chosen]
            variance = NOISE**2 + DOUBT**2 * (seen.rest**2 + (now * seen.diffuse) ** 2)
            off = seen.radiance - seen.rest - now * seen.diffuse
            tame = 1.0 if number == 0 else 1 / (off.abs() / variance.sqrt()).mean(1, keepdim=True).clamp(min=1)
            weight = seen.weight * tame / variance
            total.index_add_(0, seen.chosen, weight * seen.diffuse * (seen.radiance - seen.rest))
            mass.index_add_(0, seen.chosen, weight * seen.diffuse**2)
        albedo = (total / mass).clamp(0, 1)
    count, error, weights = torch.zeros(len(prior)), torch.zeros(len(prior)), torch.full((len(prior),), 1e-9)
    for seen in observed:
        off = srgb(seen.radiance) - srgb(albedo[seen.chosen] * seen.diffuse + seen.rest)
        weight = seen.weight[:, 0]
        count.index_add_(0, seen.chosen, (weight / FULL_VIEW).clamp(max=1))
        error.index_add_(0, seen.chosen, weight * off.abs().mean(1))
        weights.index_add_(0, seen.chosen, weight)
    trust = (count / ENOUGH_VIEWS).clamp(0, 1) * (1 - error / weights / POOR_RESIDUAL).clamp(0, 1)
    return albedo.numpy(), trust.numpy(), count.numpy()


def _texel_m(found: Reconstruction, atlas: Atlas) -> float:
    t = found.vertices[found.faces]
    area = np.linalg.norm(np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]), axis=1).sum() / 2
    return np.sqrt(area / max(int(atlas.covered.sum()), 1))
