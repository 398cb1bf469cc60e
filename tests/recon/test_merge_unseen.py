"""What no session saw is closed, trusted by nothing, and offered to defects only where the recipe asks for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.part import Part, Region
from flawsmith.captured import captured_part, offered
from recon.bake import bake
from recon.confidence import confidence
from recon.save import save
from recon.verdict import judge
from tests.recon.known import RADIUS, fitted, masks, ring


@pytest.fixture
def part(tmp_path: Path) -> Part:
    """A ball whose lowest cap no view saw, with a region that holds its lower half."""
    capture = ring()
    found = fitted(capture)
    blank = capture.with_views([replace(v, mask=np.zeros(v.size)) for v in capture.views])
    save(tmp_path / "ball", capture, found, judge(capture, masks(), found, 0.99), {}, bake(blank, found, 64))
    part = captured_part(tmp_path / "ball")
    low = part.mesh.triangles[:, :, 2].mean(1) < 0
    return replace(part, regions={**part.regions, "lower": Region("lower", "surface", low)})


def test_the_unseen_cap_is_closed_and_trusted_by_nothing() -> None:
    found = fitted(ring())
    edges = np.sort(found.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    assert confidence(found)[found.vertices[:, 2] < -0.97 * RADIUS].max() == 0


@pytest.mark.parametrize("regions", [(), ("lower",), ("!seen",), ("l*",), ("*",), ("seen", "lower")])
def test_no_region_but_its_own_name_reaches_it(part: Part, regions: tuple[str, ...]) -> None:
    allowed = part.select(*offered(part, regions))
    assert not (allowed & part.regions["unseen"].mask).any()
    assert allowed.any() or regions == ("!seen",)


def test_it_is_offered_where_the_recipe_asks(part: Part) -> None:
    unseen = part.regions["unseen"].mask
    np.testing.assert_array_equal(part.select(*offered(part, ("unseen",))), unseen)
    both = part.select(*offered(part, ("lower", "unseen")))
    np.testing.assert_array_equal(both, part.regions["lower"].mask | unseen)
    assert offered(part, ("lower", "!unseen")) == ("lower", "!unseen")


def test_a_part_that_was_not_photographed_is_offered_whole(part: Part) -> None:
    cad = replace(part, regions={"lower": part.regions["lower"]})
    assert offered(cad, ()) == () and offered(cad, ("lower",)) == ("lower",)
