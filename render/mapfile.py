"""A part's own image maps as the PNG files that a RenderJob names."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from core.errors import RenderError
from core.files import atomic_path
from core.job import TextureMaps
from core.texture import PbrMaps


def write_maps(folder: Path, maps: tuple[PbrMaps, ...]) -> tuple[TextureMaps, ...]:
    """One TextureMaps for each. Files are named by what they hold, so an image is written once."""
    return tuple(
        TextureMaps(
            **{name: str(_write(folder, maps_, name, image)) for name, image in maps_.images()},
            normal_scale=maps_.normal_scale, wrap=maps_.wrap,
        )
        for maps_ in maps
    )  # fmt: skip


def _write(folder: Path, maps: PbrMaps, name: str, image: np.ndarray) -> Path:
    path = folder / f"{name}-{maps.sha256[name][:20]}.png"
    if path.is_file():
        return path
    if image.shape[2] == 2:
        image = np.concatenate([np.zeros_like(image[..., :1]), image], axis=2)
    with atomic_path(path) as temporary:
        if not cv2.imwrite(str(temporary), image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1]):
            raise RenderError(f"{path} cannot be written", "a writable folder with free space", "make room")
    return path
