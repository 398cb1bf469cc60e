"""Multilayer EXRs from Blender 4.5 (one part) and 5.x (many parts): passes by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO

from core.errors import RenderError

oiio: Any = OpenImageIO  # its stubs name nothing
RENAMED = {"Object Index": "IndexOB", "Material Index": "IndexMA", "Depth": "Z"}
ORDER = {"R": 0, "G": 1, "B": 2, "A": 3, "X": 0, "Y": 1, "Z": 2, "V": 0}


def read_passes(path: Path) -> dict[str, np.ndarray]:
    """Pass name (without the view layer) -> (h, w, channels) float32, in R G B A or X Y Z order.

    Raises RenderError when the file is missing or truncated.
    """
    source = oiio.ImageInput.open(str(path))
    if source is None:
        raise RenderError(f"{path}: {oiio.geterror()}", "a multilayer EXR", "see the worker's log for the reason")
    passes: dict[str, dict[int, np.ndarray]] = {}
    try:
        part = 0
        while source.seek_subimage(part, 0):
            spec = source.spec()
            pixels = source.read_image(part, 0, 0, spec.nchannels, oiio.FLOAT)
            if pixels is None:
                raise RenderError(f"{path} is truncated ({source.geterror()})", "a whole EXR", "render it again")
            names = list(spec.channelnames)
            layer = spec.get_string_attribute("oiio:subimagename") or spec.get_string_attribute("name")
            for i, name in enumerate(names):
                full = name if name.count(".") >= 1 else f"{layer}.{name}"
                owner, _, channel = full.rpartition(".")
                key = owner.rsplit(".", 1)[-1]
                passes.setdefault(RENAMED.get(key, key), {})[ORDER[channel]] = pixels[:, :, i]
            part += 1
    finally:
        source.close()
    return {name: np.stack([c[i] for i in sorted(c)], axis=2) for name, c in passes.items()}
