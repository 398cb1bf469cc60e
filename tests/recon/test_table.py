"""A fit put onto its table: the hull's cone goes, and photographs have the last word."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from recon.fit import table
from recon.fit.optimise import Fit
from recon.fit.problem import UnitFrame, targets
from recon.fit.unknowns import Unknowns
from recon.hull import carve
from recon.isosurface import remesh
from recon.light import FINE
from recon.raster.warp_backend import WarpRasterizer
from tests.recon.turntables import turntable

CELL = 0.05


@pytest.fixture
def cone():
    """A flat box and the cone of its hull below it, as a fit: capture, training targets, frame, fit."""
    box = trimesh.creation.box((0.04, 0.03, 0.012))
    capture = turntable(np.array(box.vertices), np.array(box.faces), 24)
    hull = carve(capture, 64)
    frame = UnitFrame.of(hull.vertices)
    vertices, faces = remesh(frame.unit(hull.vertices), hull.faces, CELL)
    unknowns = Unknowns.start(torch.full((len(vertices), 3), 0.5), FINE[0] * FINE[1], len(capture.views))
    fit = Fit(torch.as_tensor(vertices.astype(np.float32)), faces, unknowns)
    views = [t for t in targets(capture, frame, 128, True) if not capture.views[t.number].held_out]
    return capture, views, frame, fit


def lowest(fit: Fit, frame: UnitFrame) -> float:
    return float(frame.part(fit.vertices.numpy().astype(np.float64))[:, 2].min())


def test_a_cone_that_views_look_at_is_not_taken_for_unseen(cone) -> None:
    """Before anything is fitted the cone's own walls are what views see: nothing tells where the table is."""
    capture, views, frame, fit = cone
    before = fit.vertices.clone()
    table.put_on_table(fit, capture, views, frame, CELL, WarpRasterizer(), flat=False)
    assert lowest(fit, frame) < -0.008 and torch.equal(fit.vertices, before)


@pytest.mark.parametrize("told", ["the truth", "nonsense"])
def test_masks_have_the_last_word(cone, monkeypatch, told) -> None:
    capture, views, frame, fit = cone
    before, floor = fit.vertices.clone(), -0.006 if told == "the truth" else 0.0

    def cut(_capture, vertices, *_):
        return np.maximum(vertices, [-np.inf, -np.inf, floor])

    monkeypatch.setattr(table, "seated", cut)
    table.put_on_table(fit, capture, views, frame, CELL, WarpRasterizer(), flat=False)
    if told == "the truth":
        assert lowest(fit, frame) == pytest.approx(-0.006, abs=1e-6)
    else:
        assert torch.equal(fit.vertices, before), "half of the box's sides gone"
