"""A Part: one clean, metric mesh with the names that a person gave its pieces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from core.errors import InputError
from core.mesh import Mesh
from core.texture import PbrMaps


@dataclass(frozen=True, eq=False)
class Region:
    """A named set of faces. kind: "solid", "face" (a named or numbered CAD face), "colour", "patch" or "surface".

    "surface" regions are derived shape classes that every part has: "planar", "cylindrical", "curved".
    """

    name: str
    kind: str
    mask: np.ndarray  # (m,) bool over the faces of the part's mesh


@dataclass(frozen=True, eq=False)
class Part:
    """mesh: welded, oriented, metres, part frame as in the file. sha256: of the source file(s) and import options.

    solid_names / colours: indexed by mesh.face["solid"] / mesh.face["colour"] (colours are linear RGB; -1 = none).
    maps: images of the part's own finish, by mesh.face["texture"]. regions: by name.
    report: what part.json holds (sizes in mm, face count, repairs), JSON-serialisable.
    """

    name: str
    mesh: Mesh
    sha256: str
    source: str
    solid_names: tuple[str, ...] = ()
    colours: tuple[tuple[float, float, float], ...] = ()
    regions: Mapping[str, Region] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    maps: tuple[PbrMaps, ...] = ()

    @cached_property
    def size_m(self) -> np.ndarray:
        """(3,) extents of the bounding box, metres."""
        return self.mesh.bounds[1] - self.mesh.bounds[0]

    def select(self, *names: str) -> np.ndarray:
        """(m,) bool: faces in any of the named regions (no names: all). A leading "!" removes the region instead.

        Names may hold `*` and `?`. InputError when a name matches no region.
        """
        import fnmatch

        keep = [n for n in names if not n.startswith("!")]
        drop = [n[1:] for n in names if n.startswith("!")]
        result = np.zeros(len(self.mesh.faces), bool) if keep else np.ones(len(self.mesh.faces), bool)
        for pattern, value in [(n, True) for n in keep] + [(n, False) for n in drop]:
            found = [self.regions[n] for n in self.regions if n == pattern or fnmatch.fnmatchcase(n, pattern)]
            if not found:
                known = ", ".join(list(self.regions)[:20]) + (" ..." if len(self.regions) > 20 else "")
                raise InputError(
                    f"region '{pattern}' matches nothing on part '{self.name}'", f"one of {known}", "correct the region"
                )
            for region in found:
                result[region.mask] = value
        return result
