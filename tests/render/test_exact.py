"""Every kind of defect, under changing stations: the shipped mask file against the ray caster."""

from __future__ import annotations

import pytest

from defects.procedural.catalogue import load_catalogue
from defects.procedural.kinds import KINDS
from flawsmith.resolve import library_names
from scenes import library
from tests.render.exactness import COATED, judge, narrowed, stock_of

pytestmark = [pytest.mark.render, pytest.mark.slow]

STATIONS = library_names("stations")
BY_KIND = {b.kind: n for n, b in sorted(load_catalogue(library.folder("blueprints")).items(), reverse=True)}
BY_KIND |= {"missing_feature": "hole_missing", "rust": "rust_patch"}
"""The first blueprint of each kind that suits bare steel and the housing, which has no small boss."""


def test_every_kind_has_a_blueprint():
    assert set(BY_KIND) == set(KINDS)
    assert len(KINDS) >= 16


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(BY_KIND))
def test_the_mask_file_is_right_on_every_pixel(kind, renderer, tmp_path):
    turn = sorted(BY_KIND).index(kind)
    stock = stock_of(BY_KIND[kind], COATED.get(kind, "milled_steel"), STATIONS, 144)
    for image in range(2):
        found = judge(narrowed(stock, (turn + 5 * image) % len(STATIONS)), turn * 2 + image, renderer, tmp_path)
        told = f"{kind}, {found.record.station}: {found.agreement}"
        assert found.agreement.pixels >= stock.resolved.recipe.min_label_px, told
        assert found.agreement.wrong == 0, told
        assert found.agreement.excused <= 0.02 * found.agreement.boundary, told
