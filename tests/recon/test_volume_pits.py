"""What stands in a pit: found in a grid, and taken out where photographs want it out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from recon.volume.field import signed_distance
from recon.volume.fit import solve
from recon.volume.flexicubes import Grid, extract
from recon.volume.pits import LEAST, standing
from recon.volume.settings import VolumeSettings
from tests.recon.synthetic import turntable

RADIUS = 0.02
QUICK = VolumeSettings(cells=24, side_px=56, steps=100, views_per_step=3)


def block(bored: bool, cone: bool) -> trimesh.Trimesh:
    """2.0 x 2.0 x 0.9, a blind bore 1.2 wide and 0.6 deep in it, and in that a cone as high."""
    mesh = trimesh.creation.box((2.0, 2.0, 0.9))
    if bored:
        bore = trimesh.creation.cylinder(0.6, 0.8, sections=48)
        bore.apply_translation((0, 0, 0.25))
        mesh = mesh.difference(bore)
    if cone:
        middle = trimesh.creation.cone(0.5, 0.65, sections=48)
        middle.apply_translation((0, 0, -0.2))
        mesh = mesh.union(middle)
    mesh.apply_scale(RADIUS)
    return mesh


def arrays(mesh: trimesh.Trimesh) -> tuple[np.ndarray, np.ndarray]:
    return np.array(mesh.vertices), np.array(mesh.faces)


def test_a_cone_in_a_bore_is_found_where_photographs_show_it() -> None:
    grid = Grid.around(np.full(3, -1.1 * RADIUS), np.full(3, 1.1 * RADIUS), 32)
    p = grid.points().numpy() / RADIUS
    whole, coned, bored = (signed_distance(*arrays(block(*how)), grid) for how in ((0, 0), (1, 1), (1, 0)))
    at = extract(coned, grid).vertices.numpy().astype(np.float64)
    (found,) = standing(coned, grid, whole.numpy(), at, np.ones(len(at)))
    missing = (coned.numpy() < 0) & (p[:, 2] > -0.15) & (np.hypot(p[:, 0], p[:, 1]) < 0.5)
    assert found.sum() > 2 * LEAST
    assert (found & missing).sum() > 0.9 * found.sum()
    assert (found & missing).sum() > 0.9 * missing.sum()
    assert standing(coned, grid, whole.numpy(), at, np.zeros(len(at))) == [], "not seen"
    thin = torch.where(torch.as_tensor(np.abs(p[:, 2]) < 0.6 * grid.step / RADIUS), whole, whole.abs() + 1)
    for values in (whole, bored, thin):
        at = extract(values, grid).vertices.numpy().astype(np.float64)
        assert standing(values, grid, whole.numpy(), at, np.ones(len(at))) == [], "nothing stands in it"


@pytest.mark.slow
@pytest.mark.parametrize("there", [False, True])
def test_a_cone_in_a_bore_is_put_to_the_photographs(there: bool) -> None:
    """Those of a bore want it out, those of a bore that has one do not."""
    torch.set_num_threads(1)
    capture = turntable(block(True, there), views=12, size=56, elevations=(20.0, 45.0))
    fit = solve(capture, QUICK, 0, arrays(block(True, True)))
    note = next(h for h in fit.history if "asked" in h)
    assert note["opened"] == (not there)
    vertices = fit.frame.part(fit.mesh()[0]) / RADIUS
    middle = np.hypot(vertices[:, 0], vertices[:, 1]) < 0.1
    top = vertices[middle, 2].max()
    assert top > 0.2 if there else top < 0.0
