"""Names for sets of faces: solids, assemblies, CAD faces, colours, materials, smooth patches and shape classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from core.colour import srgb_from_linear
from core.part import Region


class Regions(Mapping[str, Region]):
    """Regions by name. A mask is made when it is asked for: a part may have thousands of CAD faces."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[str, np.ndarray, tuple[int, ...]]] = {}

    def add(self, name: str, kind: str, labels: np.ndarray, values: tuple[int, ...]) -> None:
        """The faces whose label is one of `values`."""
        self._entries[name] = (kind, labels, values)

    def __getitem__(self, name: str) -> Region:
        kind, labels, values = self._entries[name]
        mask = labels == values[0] if len(values) == 1 else np.isin(labels, values)
        mask.setflags(write=False)
        return Region(name, kind, mask)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def hex_colour(linear: tuple[float, float, float]) -> str:
    """'#c03020' of a linear RGB colour."""
    return "#" + "".join(f"{round(float(v) * 255):02x}" for v in srgb_from_linear(np.array(linear)))
