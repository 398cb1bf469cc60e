from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from render.client import Renderer


@pytest.fixture(scope="session")
def renderer() -> Iterator[Renderer]:
    """One Blender child for all render tests of this process: the wheel, or the executable FLAWSMITH_BLENDER."""
    named = os.environ.get("FLAWSMITH_BLENDER")
    with Renderer(blender=Path(named) if named else None) as made:
        yield made
