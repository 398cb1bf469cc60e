"""Radiance that a vertex sends to a camera: metallic-roughness under the room's grid of light, shadows included."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from recon.light import COARSE, FINE

PLASTIC = 0.04
"""Reflectance of a dielectric at normal incidence (index 1.5)."""
LEAST_APART = 0.04
"""Squared distance to a lamp, in its distance from the pivot, below which it grows no brighter."""


@dataclass(frozen=True, eq=False)
class Standing:
    """One view's light geometry on the device; see `recon.light.Frames`. eye: (3,) camera position, part frame.

    session_directions: (coarse cells, 3) part frame, those of the visibility table. fine_cells, fine_weights:
    (fine cells, 4) taps that bring the room's light to the part's fine grid; fine_directions: (fine cells, 3) of that
    grid, part frame. pivot: (3,) the point of the table's axis from which lamps have their distance.
    """

    eye: torch.Tensor
    gather: torch.Tensor
    room_grid_from_part: torch.Tensor
    grid_from_part: torch.Tensor
    session_directions: torch.Tensor
    fine_cells: torch.Tensor
    fine_weights: torch.Tensor
    fine_directions: torch.Tensor
    pivot: torch.Tensor


@dataclass(frozen=True, eq=False)
class KeyLight:
    """cells: (k,) of the part's fine grid that are lamps. open: (n, k) share of each that the vertices see."""

    cells: torch.Tensor
    open: torch.Tensor


@dataclass(frozen=True, eq=False)
class Optics:
    """albedo (n, 3), roughness (n, 1), metallic (n, 1) of the vertices in question."""

    albedo: torch.Tensor
    roughness: torch.Tensor
    metallic: torch.Tensor

    def only(self, chosen: torch.Tensor) -> Optics:
        return Optics(self.albedo[chosen], self.roughness[chosen], self.metallic[chosen])


def vertex_normals(vertices: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    """vertices (n, 3), faces (m, 3) int64 -> (n, 3) unit, area weighted."""
    a, b, c = (vertices.index_select(0, faces[:, k]) for k in range(3))
    cross = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for k in range(3):
        total = total.index_add(0, faces[:, k], cross)
    return total / total.norm(dim=1, keepdim=True).clamp(min=1e-20)


def taps(wanted: torch.Tensor, grid: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """As `recon.light.taps`, with gradients through the weights."""
    bands, steps = grid
    row = ((1 - wanted[:, 2]) / 2 * bands - 0.5).clamp(0, bands - 1)
    x, y = wanted[:, 0], wanted[:, 1]
    at_pole = x * x + y * y < 1e-10
    azimuth = torch.atan2(torch.where(at_pole, torch.zeros_like(y), y), torch.where(at_pole, torch.ones_like(x), x))
    column = (azimuth + math.pi) / (2 * math.pi) * steps - 0.5
    top = row.detach().long().clamp(max=bands - 2)
    left = torch.floor(column.detach()).long()
    v, u = row - top, column - left
    cells = torch.stack([(top + i) * steps + (left + j) % steps for i in (0, 1) for j in (0, 1)], 1)
    weights = torch.stack([(v if i else 1 - v) * (u if j else 1 - u) for i in (0, 1) for j in (0, 1)], 1)
    return cells, weights


def gathered(values: torch.Tensor, standing: Standing) -> torch.Tensor:
    """(fine cells, k) of the room's grid -> the same on the part's fine grid."""
    return (values[standing.fine_cells] * standing.fine_weights[..., None]).sum(1)


def diffuse_light(
    normals: torch.Tensor, unshadowed: torch.Tensor, standing: Standing, radiance: torch.Tensor
) -> torch.Tensor:
    """(n, 3) irradiance over pi. unshadowed: (n, coarse cells) share of each cell that is seen. radiance: (fine, 3)."""
    return _soft_light(normals, unshadowed, standing, standing.gather @ radiance)


def _soft_light(
    normals: torch.Tensor, unshadowed: torch.Tensor, standing: Standing, radiance: torch.Tensor
) -> torch.Tensor:
    cosines = (normals @ standing.session_directions.T).clamp(min=0) * unshadowed
    return cosines @ radiance * (4.0 / (COARSE[0] * COARSE[1]))


def keyed_light(
    points: torch.Tensor,
    normals: torch.Tensor,
    unshadowed: torch.Tensor,
    standing: Standing,
    radiance: torch.Tensor,
    nearness: torch.Tensor,
    key: KeyLight,
) -> torch.Tensor:
    """`diffuse_light` with the key cells taken out and shone from where they stand.

    nearness: (fine,) inverse distance u of every cell of the room from the pivot. A lamp of radiance L and solid angle
    w at the pivot lights a point x with L w (d.n - u x.n) / |d - u x|^3, d its direction.
    """
    light = gathered(radiance, standing)
    near = gathered(nearness[:, None], standing)[key.cells, 0]
    rest = light.index_fill(0, key.cells, 0.0).reshape(COARSE[0], 2, COARSE[1], 2, 3).mean((1, 3)).reshape(-1, 3)
    soft = _soft_light(normals, unshadowed, standing, rest)
    ways, place = standing.fine_directions[key.cells], points - standing.pivot
    above = normals @ ways.T - near * (place * normals).sum(1, keepdim=True)
    apart = 1 - 2 * near * (place @ ways.T) + near**2 * (place * place).sum(1, keepdim=True)
    cosines = above.clamp(min=0) * key.open / apart.clamp(min=LEAST_APART) ** 1.5
    return soft + cosines @ light[key.cells] * (4.0 / (FINE[0] * FINE[1]))


def specular_light(
    points: torch.Tensor,
    normals: torch.Tensor,
    unshadowed: torch.Tensor,
    optics: Optics,
    standing: Standing,
    blurred: torch.Tensor,
    nearness: torch.Tensor | None = None,
) -> torch.Tensor:
    """(n, 3) radiance mirrored towards the view's camera.

    blurred: (fine, 3) the room's radiance under the material's lobe. Split sum with the closed form of its second
    factor after Karis, Physically Based Shading on Mobile, 2014; shadowed by what the vertex sees about the mirrored
    ray. nearness: (fine,) of the room's cells; a near lamp is mirrored where it stands.
    """
    towards = standing.eye - points
    towards = towards / towards.norm(dim=1, keepdim=True)
    cosine = (normals * towards).sum(1, keepdim=True)
    mirrored = 2 * cosine * normals - towards
    shifted = mirrored
    if nearness is not None:
        cells, weights = taps(mirrored.detach() @ standing.room_grid_from_part.T, FINE)
        shifted = mirrored + (nearness[cells] * weights).sum(1, keepdim=True) * (points - standing.pivot)
        shifted = shifted / shifted.norm(dim=1, keepdim=True)
    cells, weights = taps(shifted @ standing.room_grid_from_part.T, FINE)
    light = (blurred[cells] * weights[..., None]).sum(1)
    with torch.no_grad():
        near, shares = taps(mirrored @ standing.grid_from_part.T, COARSE)
        open_share = (torch.gather(unshadowed, 1, near) * shares).sum(1, keepdim=True)
    return light * open_share * _reflectance(cosine.clamp(0, 1), optics)


def _reflectance(cosine: torch.Tensor, optics: Optics) -> torch.Tensor:
    """(n, 3) directional albedo of the GGX lobe; cosine (n, 1) to the normal."""
    rough = optics.roughness
    x, y, z, w = 1 - rough, 0.0425 - 0.0275 * rough, 1.04 - 0.572 * rough, 0.022 * rough - 0.04
    common = torch.minimum(x * x, torch.exp2(-9.28 * cosine)) * x + y
    scale, bias = -1.04 * common + z, 1.04 * common + w
    at_normal = PLASTIC * (1 - optics.metallic) + optics.albedo * optics.metallic
    return (at_normal * scale + bias).clamp(min=0)


def lobe_sharpness(roughness: torch.Tensor) -> torch.Tensor:
    """Of a von Mises-Fisher lobe about the mirrored ray that stands for GGX with alpha = roughness^2.

    The lobe of half vectors has sharpness 2 / alpha^2 (Wang et al., All-Frequency Rendering of Dynamic,
    Spatially-Varying Reflectance, 2009); seen about the mirrored ray it is 4 cos as wide, here at 45 degrees. The
    grid's own resolution bounds it.
    """
    alpha = roughness**2
    return (2 / alpha**2 / (4 * math.cos(math.pi / 4))).clamp(max=60.0)
