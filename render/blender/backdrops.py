"""What the part lies on, as Blender meshes with procedural materials in true size. Frame: support plane z = 0, z up.

Rims, rails and pins stay low enough that a camera 17 degrees above the plane still sees the foot of the part.
"""

from __future__ import annotations

import math

import bpy
import numpy as np
from mathutils import Matrix

from . import coats
from .props import Shape, block, capped, circle, joined, mesh_object, rounded, swept

SIGHT = 0.3  # height of a rim over its distance from the part
ROUND = 0.5  # radians: edges sharper than this stay sharp


def build(scene: bpy.types.Scene, backdrop: dict) -> list[bpy.types.Object]:
    """Objects for a dump of core.job.Backdrop, not yet linked; all are meshes, seen by the camera, and occlude."""
    made = KINDS[backdrop["kind"]](backdrop)
    for thing in made:
        thing.matrix_world = Matrix(backdrop["world_from_backdrop"])
    return made


def _void(backdrop: dict) -> list[bpy.types.Object]:
    return []


def _paper(backdrop: dict) -> list[bpy.types.Object]:
    """A sheet that lies flat, bends up behind the part with a round sweep and goes on upwards."""
    values = backdrop["values"]
    half = max(backdrop["size_m"], 1.6 * values["view_m"]) / 2
    radius = max(values["sweep_radius_m"], 0.5 * half)
    line = [(-4 * half, 0.0), (-half, 0.0), (half, 0.0)]
    line += [(half + radius * math.sin(a), radius * (1 - math.cos(a))) for a in np.linspace(0, math.pi / 2, 33)[1:]]
    line.append((half + radius, radius + 6 * half))
    vertices = np.array([(x, y, z) for y, z in line for x in (-4 * half, 4 * half)])
    quads = [(2 * i, 2 * i + 1, 2 * i + 3, 2 * i + 2) for i in range(len(line) - 1)]
    return [mesh_object("fs_paper", (vertices, np.array(quads)), coats.paper(backdrop), ROUND)]


def _tray(backdrop: dict) -> list[bpy.types.Object]:
    """A moulded tray with drafted walls and a rolled rim, on a bench."""
    values = backdrop["values"]
    half_x, half_y, gap = _spread(backdrop)
    rim = min(values["rim_m"], SIGHT * gap)
    corner, fillet, lip = 0.18 * min(half_x, half_y), 0.35 * rim, 0.45 * rim
    draft = math.tan(values["wall_rad"])
    inside = [(-fillet, 0.0)]
    inside += [(-fillet + fillet * math.sin(a), fillet * (1 - math.cos(a))) for a in np.linspace(0, 1.4, 7)[1:]]
    edge = (fillet * 0.15 + draft * rim, rim)
    wall = [*inside, edge, (edge[0] + 0.12 * lip, rim + 0.1 * lip), (edge[0] + 0.9 * lip, rim + 0.1 * lip)]
    wall += [(edge[0] + lip, rim), (edge[0] + lip, 0.55 * rim), (edge[0] + 0.8 * lip, 0.5 * rim)]
    loops = [rounded(half_x + d, half_y + d, corner + d, z) for d, z in wall]
    shell = joined(capped(loops[0]), swept([loops[0], *loops[1:]][::-1]))
    return [mesh_object("fs_tray", shell, coats.plastic(backdrop), ROUND), _bench(backdrop, -0.03 * rim - 0.001)]


def _conveyor(backdrop: dict) -> list[bpy.types.Object]:
    """A fabric belt along x between two extruded aluminium rails, over a dark floor."""
    values = backdrop["values"]
    half_y = max(values["belt_width_m"] / 2, 0.5 * backdrop["size_m"])
    half_x = 8 * max(half_y, values["view_m"])
    rail = min(values["rail_height_m"], SIGHT * (half_y - values["part_y_m"] / 2))
    thick, drop = 1.4 * rail, 0.9 * rail
    belt = _sheet(half_x, half_y, 0.0, -0.003)
    rails = [_rail(half_x, side, half_y + 0.12 * rail, thick, rail, drop) for side in (-1, 1)]
    return [
        mesh_object("fs_belt", belt, coats.belt(backdrop)),
        mesh_object("fs_rails", joined(*rails), coats.extrusion(backdrop)),
        _bench(backdrop, -max(3 * rail, 0.6 * half_y)),
    ]


def _rail(half_x: float, side: int, inner: float, thick: float, up: float, down: float) -> Shape:
    """A profile with a slot in its top and chamfered edges, drawn out along x."""
    c, slot, deep = 0.06 * thick, 0.13 * thick, 0.3 * thick
    section = [(0, -down), (0, up - c), (c, up), (thick / 2 - slot, up), (thick / 2 - slot, up - deep)]
    section += [(thick / 2 + slot, up - deep), (thick / 2 + slot, up), (thick - c, up), (thick, up - c), (thick, -down)]
    points = np.array([(y, z) for y, z in section])
    n = len(points)
    vertices = np.concatenate(
        [np.c_[np.full(n, x), side * (inner + points[:, 0]), points[:, 1]] for x in (-half_x, half_x)]
    )
    i = np.arange(n - 1)
    quads = np.stack([i, i + 1, i + 1 + n, i + n], axis=1)
    return vertices, quads if side > 0 else quads[:, ::-1]


def _fixture(backdrop: dict) -> list[bpy.types.Object]:
    """A ground steel plate with a grid of tapped holes and three locating pins, on a bench."""
    values = backdrop["values"]
    pitch, thick = values["hole_pitch_m"], values["plate_m"]
    half_x, half_y, _ = _spread(backdrop)
    nx, ny = (int(np.clip(2 * math.ceil(h / pitch), 2, 14)) for h in (half_x, half_y))
    wide = max(half_x / (nx * pitch / 2), half_y / (ny * pitch / 2), 1.0)  # beyond 14 holes the grid widens
    plate = _holed_plate(nx, ny, pitch * wide, values["hole_m"] / 2 * min(wide, 3.0), thick)
    things = [
        mesh_object("fs_plate", plate, coats.ground_steel(backdrop, threaded=True), ROUND),
        mesh_object("fs_plate_side", _skirt(nx, ny, pitch * wide, thick), coats.ground_steel(backdrop), ROUND),
    ]
    if backdrop["posts"]:
        pins = joined(*(_pin(*post) for post in backdrop["posts"]))
        things.append(mesh_object("fs_pins", pins, coats.pin_steel(backdrop), ROUND))
    return [*things, _bench(backdrop, -thick)]


def _holed_plate(nx: int, ny: int, pitch: float, hole: float, thick: float) -> Shape:
    """nx by ny square cells, each with a chamfered blind hole in its middle; no hole lies at the origin."""
    count = 24
    a = np.arange(count) * 2 * np.pi / count + np.pi / 4
    square = np.stack([np.cos(a), np.sin(a), 0 * a], axis=1)
    square *= pitch / 2 / np.abs(square[:, :2]).max(1, keepdims=True)
    turned = np.stack([np.cos(a), np.sin(a), 0 * a], axis=1)
    down = np.array([0.0, 0.0, -1.0])
    loops = [square, turned * 1.22 * hole, turned * hole + 0.22 * hole * down, turned * hole + 0.85 * thick * down]
    cell = joined(swept(loops), capped(loops[-1]))
    centres = [((i + 0.5 - nx / 2) * pitch, (j + 0.5 - ny / 2) * pitch, 0.0) for i in range(nx) for j in range(ny)]
    vertices = (np.asarray(cell[0])[None] + np.array(centres)[:, None]).reshape(-1, 3)
    quads = (cell[1][None] + (np.arange(len(centres)) * len(cell[0]))[:, None, None]).reshape(-1, 4)
    return vertices, quads


def _skirt(nx: int, ny: int, pitch: float, thick: float) -> Shape:
    """The chamfered sides of the plate."""
    x, y, c = nx * pitch / 2, ny * pitch / 2, min(0.0015, 0.1 * thick)
    return swept([rounded(x + c, y + c, 0, -thick, 2), rounded(x + c, y + c, 0, -c, 2), rounded(x, y, 0, 0.0, 2)])


def _pin(x: float, y: float, radius: float, height: float) -> Shape:
    """A cylinder with a bullet nose."""
    nose = min(radius, 0.4 * height)
    line = [(radius, -0.001), (radius, height - nose)]
    line += [
        (radius * (0.35 + 0.65 * math.cos(a)), height - nose + nose * math.sin(a))
        for a in np.linspace(0, math.pi / 2, 7)[1:]
    ]
    loops = [circle(r, z, (x, y)) for r, z in line]
    return joined(swept(loops), capped(loops[-1]))


def _bench(backdrop: dict, z: float) -> bpy.types.Object:
    """A table top that reaches out of every view."""
    half = 20 * max(backdrop["size_m"], backdrop["values"]["view_m"])
    return mesh_object("fs_bench", _sheet(half, half, z, z - 0.01), coats.bench(backdrop))


def _sheet(half_x: float, half_y: float, z: float, under: float) -> Shape:
    return block((-half_x, -half_y, under), (half_x, half_y, z), 0.0005)


def _spread(backdrop: dict) -> tuple[float, float, float]:
    """Half extents in x and y, and the free space between part and border."""
    values = backdrop["values"]
    margin = 0.25 * backdrop["size_m"]
    return values["part_x_m"] / 2 + margin, values["part_y_m"] / 2 + margin, margin


def _board(backdrop: dict) -> list[bpy.types.Object]:
    """A stiff printed sheet about the origin, upright when seen from above with +y at the top."""
    half = backdrop["size_m"] / 2
    return [mesh_object("fs_board", _sheet(half, half, 0.0, -0.003), coats.printed(backdrop))]


KINDS = {
    "void": _void, "paper": _paper, "tray": _tray, "conveyor": _conveyor, "fixture": _fixture, "board": _board,
}  # fmt: skip
