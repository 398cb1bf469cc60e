"""Fixtures shared by all tests: real data where it is, the example parts, and small meshes of known shape."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import parts
from core.mesh import Mesh
from core.part import Part
from tests import shapes

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("FLAWSMITH_HYPOTHESIS", "same"))
"""A verdict on a commit must not hang on chance: the same examples each time. `explore` looks for new ones."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with the most slow tests first. A file goes to one process as a whole: a long one that comes last would
    leave the others idle."""
    slow = Counter(i.path for i in items if i.get_closest_marker("slow"))
    items.sort(key=lambda i: -slow[i.path])


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real input data: FLAWSMITH_REAL_DATA, else ../shared/data beside the repository."""
    folder = Path(os.environ.get("FLAWSMITH_REAL_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set FLAWSMITH_REAL_DATA)")
    return folder


@pytest.fixture(scope="session")
def housing() -> Part:
    """The shipped bearing housing, loaded once."""
    return parts.load(ROOT / "examples" / "parts" / "bearing_housing.step")


@pytest.fixture(scope="session")
def shaft() -> Part:
    """The shipped stepped shaft, loaded once."""
    return parts.load(ROOT / "examples" / "parts" / "stepped_shaft.step")


@pytest.fixture(scope="session")
def box_mesh() -> Callable[..., Mesh]:
    return shapes.box


@pytest.fixture(scope="session")
def cylinder_mesh() -> Callable[..., Mesh]:
    return shapes.cylinder


@pytest.fixture(scope="session")
def sphere_mesh() -> Callable[..., Mesh]:
    return shapes.sphere


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(20240229))
