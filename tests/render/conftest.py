from __future__ import annotations

from collections.abc import Iterator

import pytest

from render.client import Renderer


@pytest.fixture(scope="session")
def renderer() -> Iterator[Renderer]:
    """One Blender child for all render tests of this process."""
    with Renderer() as made:
        yield made
