"""A closed triangle mesh from a grid of signed values, with gradients to values, positions and weights.

After Shen et al., Flexible Isosurface Extraction for Gradient-Based Mesh Optimization, 2023: dual marching cubes, whose
vertices lie at weighted means of the crossings of each sheet (`recon.volume.cells`), where the weights of corners
(alpha) slide the crossings, those of edges (beta) the means, and those of cells (gamma) how quads are cut. Sheets are
dual to a closed polygon mesh; faces that one sheet meets twice on both sides are flipped until none is left, so every
edge has exactly two triangles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from core.errors import GeometryError
from recon.volume import cells


@dataclass(frozen=True, eq=False)
class Grid:
    """lower: (3,) position of the first sample. step: cell size. shape: number of samples along each axis."""

    lower: tuple[float, float, float]
    step: float
    shape: tuple[int, int, int]

    @staticmethod
    def around(lower: np.ndarray, upper: np.ndarray, resolution: int, margin: int = 2) -> Grid:
        """`resolution` cells along the longest side of the box and `margin` cells round it."""
        step = float((np.asarray(upper) - lower).max()) / resolution
        count = np.ceil((np.asarray(upper) - lower) / step).astype(int) + 2 * margin
        middle = (np.asarray(upper) + lower) / 2
        x, y, z = (float(v) for v in middle - count * step / 2)
        a, b, c = (int(v) + 1 for v in count)
        return Grid((x, y, z), step, (a, b, c))

    @property
    def cell_count(self) -> int:
        return int(np.prod([s - 1 for s in self.shape]))

    @property
    def samples(self) -> int:
        return int(np.prod(self.shape))

    def points(self, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """(samples, 3) positions, the last axis fastest."""
        axes = [
            torch.arange(s, device=device, dtype=dtype) * self.step + at
            for s, at in zip(self.shape, self.lower, strict=True)
        ]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class Flex:
    """What may bend the surface beside the values; each None stands for none of it, all are raw (any real number).

    shift: (samples, 3) moves a sample by less than half a cell. alpha: (cells, 8), beta: (cells, 12), gamma: (cells,).
    """

    shift: torch.Tensor | None = None
    alpha: torch.Tensor | None = None
    beta: torch.Tensor | None = None
    gamma: torch.Tensor | None = None


@dataclass(frozen=True, eq=False)
class Dual:
    """vertices: (n, 3), with gradients. faces: (m, 3) int32, closed, counter-clockwise from outside. spread: () mean
    unevenness of the distances from a vertex to the crossings that it stands for (L_dev of the paper). cell: (n,)
    int64 the cell that a vertex was made in; a centre of a quad has that of the quad's first corner."""

    vertices: torch.Tensor
    faces: torch.Tensor
    spread: torch.Tensor
    cell: torch.Tensor


RANGE = 0.99
"""Weights stay within 1 +- this; a sample within half a cell times this."""


def _weight(raw: torch.Tensor) -> torch.Tensor:
    return 1 + RANGE * torch.tanh(raw)


def extract(values: torch.Tensor, grid: Grid, flex: Flex | None = None, centres: bool = False) -> Dual:
    """values: (samples,) negative inside, positive on the grid's border.

    centres: cut every quad into four triangles round a weighted centre, so that gradients reach gamma; else into two
    along the diagonal of the greater gamma. GeometryError where nothing is inside, or the border is.
    """
    flex = flex or Flex()
    cubes = _Cubes(values, grid)
    positions = grid.points(values.device, values.dtype)
    if flex.shift is not None:
        positions = positions + 0.5 * RANGE * grid.step * torch.tanh(flex.shift)
    vertices, spread = _dual_vertices(values, positions, cubes, flex)
    quads = _quads(cubes)
    gamma = torch.ones(grid.cell_count, device=values.device, dtype=values.dtype)
    if flex.gamma is not None:
        gamma = 1 / (1 + torch.exp(-flex.gamma)) * RANGE + (1 - RANGE) / 2
    home = cubes.cell[cubes.owner]
    if centres:
        vertices, faces, home = _with_centres(vertices, quads, gamma, home)
    else:
        faces = _split(vertices.detach(), quads, gamma.detach(), home)
    return Dual(vertices, faces.to(torch.int32), spread, home)


class _Cubes:
    """The cells that the surface crosses, their sheets, and a number for each sheet.

    cell: (k,) flat index. sheet: (k, 12) the sheet's vertex, -1 where an edge is not crossed. owner: (n,) row of cell.
    """

    def __init__(self, values: torch.Tensor, grid: Grid) -> None:
        device = values.device
        a, b, c = grid.shape
        self.grid = grid
        inside = (values.detach() < 0).reshape(a, b, c)
        if not bool(inside.any()):
            raise GeometryError("a grid with nothing inside", "negative values somewhere", "start from a larger shape")
        border = [inside[0], inside[-1], inside[:, 0], inside[:, -1], inside[:, :, 0], inside[:, :, -1]]
        if any(bool(side.any()) for side in border):
            raise GeometryError("a shape that leaves its grid", "positive values on the border", "widen the grid")
        self.inside = inside
        case = torch.zeros(a - 1, b - 1, c - 1, dtype=torch.int64, device=device)
        for k, (i, j, m) in enumerate(cells.CORNERS.tolist()):
            case |= inside[i : a - 1 + i, j : b - 1 + j, m : c - 1 + m].long() << k
        self.cell = torch.nonzero((case.reshape(-1) != 0) & (case.reshape(-1) != 255))[:, 0]
        self.row = torch.full((grid.cell_count,), -1, dtype=torch.int64, device=device)
        self.row[self.cell] = torch.arange(len(self.cell), device=device)
        sheets = self._sheets(case)
        counts = sheets.max(1).values + 1
        first = torch.cumsum(counts, 0) - counts
        self.sheet = torch.where(sheets >= 0, sheets + first[:, None], sheets)
        self.owner = torch.repeat_interleave(torch.arange(len(counts), device=device), counts)

    def _sheets(self, case: torch.Tensor) -> torch.Tensor:
        device = case.device
        plain, doubled = (torch.as_tensor(t, device=device) for t in cells.plain_tables())
        result = plain[case.reshape(-1)[self.cell]]
        twice = doubled[case]
        pairs: list[tuple[int, int, int]] = []
        flat = torch.arange(case.numel(), device=device).reshape(case.shape)
        for axis in range(3):
            n = case.shape[axis]
            low, high = twice.narrow(axis, 0, n - 1) >> (2 * axis + 1), twice.narrow(axis, 1, n - 1) >> (2 * axis)
            bad = (low & high & 1).bool()
            both = torch.stack([flat.narrow(axis, 0, n - 1)[bad], flat.narrow(axis, 1, n - 1)[bad]], 1)
            pairs += [(int(p), int(q), axis) for p, q in both.tolist()]
        if not pairs:
            return result
        flips = self._flipped(pairs, case.reshape(-1))
        where = torch.as_tensor(sorted(flips), device=device)
        cases = case.reshape(-1)[where].tolist()
        changed = [cells.sheets(int(c), flips[int(w)]) for c, w in zip(cases, where.tolist(), strict=True)]
        result[self.row[where]] = torch.as_tensor(changed, device=device)
        return result

    def _flipped(self, pairs: list[tuple[int, int, int]], case: torch.Tensor) -> dict[int, int]:
        """One face after the other, each looked at again as the faces before it have left its cells: a flip parts a
        sheet in two on both sides, so faces only become better."""
        flips: dict[int, int] = {}
        of = {cell: int(case[cell]) for pair in pairs for cell in pair[:2]}
        for low, high, axis in sorted(pairs):
            first = cells.doubled(of[low], flips.get(low, 0)) >> (2 * axis + 1) & 1
            second = cells.doubled(of[high], flips.get(high, 0)) >> (2 * axis) & 1
            if first and second:
                flips[low] = flips.get(low, 0) | 1 << (2 * axis + 1)
                flips[high] = flips.get(high, 0) | 1 << (2 * axis)
        return flips

    def corners(self) -> torch.Tensor:
        """(k, 8) flat sample index of each cell's corners."""
        _, b, c = self.grid.shape
        i, rest = self.cell // ((b - 1) * (c - 1)), self.cell % ((b - 1) * (c - 1))
        at = (i * b + rest // (c - 1)) * c + rest % (c - 1)
        offset = cells.CORNERS @ np.array([b * c, c, 1])
        return at[:, None] + torch.as_tensor(offset, device=at.device)[None]


def _dual_vertices(
    values: torch.Tensor, positions: torch.Tensor, cubes: _Cubes, flex: Flex
) -> tuple[torch.Tensor, torch.Tensor]:
    corners = cubes.corners()
    row, edge = torch.nonzero(cubes.sheet >= 0, as_tuple=True)
    ends = torch.as_tensor(cells.EDGES, device=values.device)[edge]
    low, high = corners[row, ends[:, 0]], corners[row, ends[:, 1]]
    s, t = values[low], values[high]
    if flex.alpha is not None:
        alpha = _weight(flex.alpha[cubes.cell])
        s, t = s * alpha[row, ends[:, 0]], t * alpha[row, ends[:, 1]]
    share = (s / (s - t))[:, None]
    crossing = positions[low] * (1 - share) + positions[high] * share
    weight = torch.ones_like(share)
    if flex.beta is not None:
        weight = _weight(flex.beta[cubes.cell[row], edge])[:, None]
    sheet = cubes.sheet[row, edge]
    n = len(cubes.owner)
    total = torch.zeros(n, 1, device=values.device, dtype=values.dtype).index_add(0, sheet, weight)
    vertices = torch.zeros(n, 3, device=values.device, dtype=values.dtype).index_add(0, sheet, crossing * weight)
    vertices = vertices / total
    distance = ((vertices[sheet] - crossing) ** 2).sum(1, keepdim=True).clamp(min=1e-16).sqrt()
    count = torch.zeros_like(total).index_add(0, sheet, torch.ones_like(distance))
    mean = torch.zeros_like(total).index_add(0, sheet, distance) / count
    return vertices, (distance - mean[sheet]).abs().mean()


def _quads(cubes: _Cubes) -> torch.Tensor:
    """(q, 4) vertices, counter-clockwise from outside: one quad for every crossed edge of the grid."""
    inside, device = cubes.inside, cubes.cell.device
    strides = torch.as_tensor([(inside.shape[1] - 1) * (inside.shape[2] - 1), inside.shape[2] - 1, 1], device=device)
    number = {frozenset(map(int, e)): n for n, e in enumerate(cells.EDGES)}
    found = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        n = inside.shape[axis]
        low, high = inside.narrow(axis, 0, n - 1), inside.narrow(axis, 1, n - 1)
        at = torch.nonzero(low != high)
        outwards = low[at[:, 0], at[:, 1], at[:, 2]]
        around = []
        for p, q in ((-1, -1), (0, -1), (0, 0), (-1, 0)):
            cell = at.clone()
            cell[:, u] += p
            cell[:, v] += q
            corner = (-p << u) | (-q << v)
            edge = number[frozenset((corner, corner | 1 << axis))]
            around.append(cubes.sheet[cubes.row[(cell * strides).sum(1)], edge])
        quad = torch.stack(around, 1)
        found.append(torch.where(outwards[:, None], quad, quad.flip(1)))
    return torch.cat(found)


def _split(vertices: torch.Tensor, quads: torch.Tensor, gamma: torch.Tensor, home: torch.Tensor) -> torch.Tensor:
    """(2 q, 3). Where the gammas agree, along the shorter diagonal."""
    g = gamma[home[quads]]
    first, second = g[:, 0] * g[:, 2], g[:, 1] * g[:, 3]
    p = vertices[quads]
    shorter = ((p[:, 0] - p[:, 2]) ** 2).sum(1) <= ((p[:, 1] - p[:, 3]) ** 2).sum(1)
    along = torch.where((first - second).abs() < 1e-6, shorter, first > second)[:, None]
    one = torch.where(along, quads[:, [0, 1, 2]], quads[:, [0, 1, 3]])
    two = torch.where(along, quads[:, [0, 2, 3]], quads[:, [1, 2, 3]])
    return torch.stack([one, two], 1).reshape(-1, 3)


def _with_centres(
    vertices: torch.Tensor, quads: torch.Tensor, gamma: torch.Tensor, home: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    g = gamma[home[quads]]
    first, second = (g[:, 0] * g[:, 2])[:, None], (g[:, 1] * g[:, 3])[:, None]
    p = vertices[quads]
    one, two = (p[:, 0] + p[:, 2]) / 2, (p[:, 1] + p[:, 3]) / 2
    centre = (first * one + second * two) / (first + second)
    number = torch.arange(len(quads), device=quads.device) + len(vertices)
    faces = torch.stack([torch.stack([quads[:, k], quads[:, (k + 1) % 4], number], 1) for k in range(4)], 1)
    return torch.cat([vertices, centre]), faces.reshape(-1, 3), torch.cat([home, home[quads[:, 0]]])
