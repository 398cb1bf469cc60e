"""Films: tatters between two surfaces go, thick things and thin parts stay."""

from __future__ import annotations

import numpy as np
import trimesh

from recon.isosurface import handles, isosurface, largest_piece, remesh, without_films

CELL = 0.02


def block_with_a_torn_floor(holes: int) -> np.ndarray:
    """Signed distance of a block with a square well whose floor is one cell thick and torn. 1.2 x 1.2 x 0.6 wide."""
    axes = [np.arange(-0.7, 0.7, CELL), np.arange(-0.7, 0.7, CELL), np.arange(-0.4, 0.4, CELL)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    block = np.maximum(np.maximum(abs(x), abs(y)) - 0.6, abs(z) - 0.3)
    well = np.maximum(abs(x), abs(y)) - 0.3
    field = np.maximum(block, -well)
    floor = np.maximum(abs(z) - 0.6 * CELL, well)
    rng = np.random.Generator(np.random.PCG64(3))
    for centre in rng.uniform(-0.25, 0.25, (holes, 2)):
        floor = np.maximum(floor, 0.03 - np.hypot(x - centre[0], y - centre[1]))
    return np.minimum(field, floor).astype(np.float32)


def test_a_torn_film_becomes_one_hole_and_the_rest_stays_bit_for_bit() -> None:
    field = block_with_a_torn_floor(14)
    torn = largest_piece(*isosurface(field, np.zeros(3), np.ones(3)))
    clear = without_films(field, CELL)
    found = largest_piece(*isosurface(clear, np.zeros(3), np.ones(3)))
    assert handles(*torn) > 6
    assert handles(*found) == 1
    changed = clear != field
    assert changed.any() and (field[changed] < 0).all() and (field[changed] > -0.75 * CELL).all()


def test_a_thin_part_and_a_sharp_one_are_left_alone() -> None:
    axes = [np.arange(-0.7, 0.7, CELL)] * 3
    x, y, z = np.meshgrid(*axes, indexing="ij")
    sheet = np.maximum(np.maximum(abs(x), abs(y)) - 0.6, abs(z) - 0.5 * CELL).astype(np.float32)
    assert without_films(sheet, CELL) is sheet
    sharp = np.maximum(np.maximum(abs(x), abs(y)), abs(z)).astype(np.float32) - np.float32(0.5)
    assert np.array_equal(without_films(sharp, CELL), sharp)


def test_handles_of_known_shapes() -> None:
    torus = trimesh.creation.torus(1.0, 0.3)
    assert handles(np.array(torus.vertices), np.array(torus.faces)) == 1
    ball = trimesh.creation.icosphere(3)
    assert handles(np.array(ball.vertices), np.array(ball.faces)) == 0
    vertices, faces = remesh(np.array(torus.vertices), np.array(torus.faces), 0.1)
    assert handles(vertices, faces) == 1
