"""The room's brightest cells as lamps: each is aimed, dimmed with distance and shadowed on its own.

The rest of the light is soft: cells of 15 degrees and more serve it well. A small lamp's shadow is sharp, and a lamp
on a bench stands a few lengths of the part away, not at infinity: each cell of the light has a nearness, the inverse
of its distance from the table's axis (unit frame), and a key light shines from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from recon.light import FINE
from recon.shading import KeyLight, Standing, gathered
from recon.visibility import Occluder

FARTHEST = 1e-3
"""Nearness below which a lamp is as good as infinitely far."""


@dataclass(frozen=True, eq=False)
class KeyLights:
    """cells: per view, (k,) of the fine grid that stands with the part. columns: where they are in the session's table.
    tables: per session (n, columns) uint8, 1 where the vertex sees the lamp."""

    cells: Mapping[int, torch.Tensor]
    columns: Mapping[int, torch.Tensor]
    sessions: Mapping[int, int]
    tables: Mapping[int, torch.Tensor]

    def of(self, view: int, chosen: torch.Tensor | slice) -> KeyLight:
        """The lamps of a view as the chosen vertices see them."""
        table = self.tables[self.sessions[view]][chosen]
        return KeyLight(self.cells[view], table[:, self.columns[view]].float())


@torch.no_grad()
def key_lights(
    vertices: torch.Tensor,
    normals: torch.Tensor,
    faces: torch.Tensor,
    views: Sequence[tuple[int, int, Standing]],
    radiance: torch.Tensor,
    nearness: torch.Tensor,
    count: int,
    lift: float,
) -> KeyLights:
    """views: (number, session, standing). radiance: (fine, 3) and nearness (fine,) of the room. count: lamps a view."""
    cells: dict[int, torch.Tensor] = {}
    weight: dict[int, torch.Tensor] = {}
    near: dict[int, torch.Tensor] = {}
    ways: dict[int, Standing] = {}
    for number, session, standing in views:
        light = gathered(radiance, standing).mean(1)
        cells[number] = torch.topk(light, count).indices.sort().values
        ways[session] = standing
        if session not in weight:
            weight[session] = torch.zeros(len(light), device=light.device)
            near[session] = torch.zeros(len(light), device=light.device)
        share = torch.zeros_like(light).index_copy(0, cells[number], light[cells[number]])
        weight[session] += share
        near[session] += share * gathered(nearness[:, None], standing)[:, 0]
    occluder = Occluder(vertices, faces)
    tables, place = {}, {}
    for session, standing in ways.items():
        used = torch.nonzero(weight[session])[:, 0]
        place[session] = torch.full((FINE[0] * FINE[1],), -1, dtype=torch.long, device=used.device)
        place[session][used] = torch.arange(len(used), device=used.device)
        distance = 1 / (near[session] / weight[session].clamp(min=1e-20))[used].clamp(min=FARTHEST)
        lamps = standing.pivot + standing.fine_directions[used] * distance[:, None]
        tables[session] = occluder.sees_lamps(vertices, normals, lamps, lift)
    sessions = {number: session for number, session, _ in views}
    columns = {number: place[sessions[number]][cells[number]] for number in cells}
    return KeyLights(cells, columns, sessions, tables)
