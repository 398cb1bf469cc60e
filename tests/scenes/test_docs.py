"""docs/stations.md shows only what works, and leaves nothing out."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import TypeAdapter

from core import seeds
from core.defect import Site
from scenes import Station, Viewpoint, compose, library
from scenes.backdrops import VALUES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "stations.md").read_text()
BLOCKS = re.findall(r"```yaml (\w+)\n(.*?)```", PAGE, re.S)
BOX = np.array([[x, y, z] for x in (-0.04, 0.04) for y in (-0.025, 0.025) for z in (0.0, 0.02)])
SITE = Site(0, (0.02, 0.01, 0.02), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))


def test_there_are_examples() -> None:
    assert {kind for kind, _ in BLOCKS} == {"station", "viewpoint"}


@pytest.mark.parametrize(("kind", "text"), BLOCKS)
def test_examples_compose(kind: str, text: str) -> None:
    data = yaml.safe_load(text)
    station = Station.model_validate(data) if kind == "station" else library.load_stations()["dome"]
    view = TypeAdapter(Viewpoint).validate_python(data if kind == "viewpoint" else {"kind": "fixed"})
    camera, backdrop = library.load_cameras()["area_5mp_25mm"], library.load_backdrops()["tray"]
    scene = compose(
        station, camera, view, backdrop, vertices=BOX, image_size=(256, 256), rng=seeds.child(1), focus=SITE,
        focus_radius_m=2e-3,
    )  # fmt: skip
    assert scene.lights


def test_every_file_and_value_is_listed() -> None:
    names = [*library.load_stations(), *library.load_cameras(), *library.load_backdrops()]
    names += [v for values in VALUES.values() for v in values]
    missing = [n for n in names if f"`{n}`" not in PAGE]
    assert not missing
