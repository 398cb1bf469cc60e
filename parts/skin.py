"""How the file itself paints its triangles: maps, factors and texture coordinates, carried through repair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.mesh import CAPTURED, Mesh, barycentric
from core.texture import TEXTURE, UV, PbrMaps
from parts.raw import Raw

PLAIN_ROUGHNESS = 0.5
"""Where a file says nothing about it."""
SNAP = 1e-6
"""Barycentric distance within which a corner is the corner it was."""


@dataclass(frozen=True)
class Look:
    """One material. maps: None where it has no image. tint: linear factor on the albedo. faults: what could not be
    read, as sentences; a part with such a look cannot be shown as it is."""

    name: str
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    roughness: float = PLAIN_ROUGHNESS
    metallic: float = 0.0
    maps: PbrMaps | None = None
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Skin:
    """For the (m,) triangles of a file, before any repair. look: (m,) index into looks, -1 for none.

    uv: (m, 3, 2), NaN where a face has none. tint: (m, 3, 3) linear colours at the corners, multiplied on.
    """

    looks: tuple[Look, ...]
    look: np.ndarray
    uv: np.ndarray
    tint: np.ndarray | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def used(self) -> list[int]:
        return [int(i) for i in np.unique(self.look) if i >= 0]

    @property
    def faults(self) -> tuple[str, ...]:
        """What of the looks in use cannot be shown."""
        found = [f for i in self.used for f in self.looks[i].faults]
        mapped = np.array([k.maps is not None for k in self.looks] + [False])[self.look]
        lost = int((mapped & ~np.isfinite(self.uv).all((1, 2))).sum())
        return tuple(found) + ((f"{lost} faces have an image but no texture coordinates",) if lost else ())


def maps_of(skin: Skin | None) -> tuple[PbrMaps, ...]:
    """The distinct maps of the looks in use, in the order of `mesh.face["texture"]`."""
    if skin is None:
        return ()
    found = [skin.looks[i].maps for i in skin.used]
    return tuple(dict.fromkeys(m for m in found if m is not None))


def appearance(skin: Skin | None) -> dict[str, Any]:
    """What part.json says of the part's own finish: images by size, and what of it cannot be shown."""
    sizes = [{n: [i.shape[1], i.shape[0]] for n, i in m.images()} for m in maps_of(skin)]
    return {"maps": sizes, "map_faults": list(skin.faults) if skin else []}


def painted(mesh: Mesh, clean: Raw, skin: Skin, before: np.ndarray) -> Mesh:
    """The repaired mesh with the skin of the triangles (m0, 3, 3) it came from, by `clean.origin`.

    Adds corner "captured_albedo" and "captured_gloss" (factors, where there is an image), and where there are images
    corner "uv" and face "texture".
    """
    assert clean.origin is not None
    weights = _weights(before[clean.origin], mesh.triangles)
    look = skin.look[clean.origin]
    tint, gloss = _factors(skin.looks)
    albedo = np.repeat(tint[look][:, None], 3, axis=1)
    if skin.tint is not None:
        albedo = albedo * np.einsum("fcp,fpk->fck", weights, skin.tint[clean.origin])
    shine = np.repeat(gloss[look][:, None], 3, axis=1)
    mesh = mesh.with_corner(**{CAPTURED[0]: albedo, CAPTURED[1]: shine})
    maps = maps_of(skin)
    if not maps:
        return mesh
    table = np.array([maps.index(k.maps) if k.maps in maps else -1 for k in skin.looks] + [-1], np.int32)
    uv = np.einsum("fcp,fpk->fck", weights, skin.uv[clean.origin])
    known = np.isfinite(uv).all((1, 2))
    uv[~known] = 0.0
    return mesh.with_corner(**{UV: uv}).with_face(**{TEXTURE: np.where(known, table[look], -1)})


def _weights(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(m, 3, 3) where each corner lies in the triangle it came from; exact where it is one of its corners."""
    weights = np.clip(barycentric(before, after), 0.0, 1.0)
    weights = np.where(weights < SNAP, 0.0, weights)
    weights = np.where(weights > 1 - SNAP, 1.0, weights)
    return weights / weights.sum(2, keepdims=True)


def _factors(looks: Sequence[Look]) -> tuple[np.ndarray, np.ndarray]:
    """(k + 1, 3) tint, and (k + 1, 3) roughness, metallic and confidence; the last row is for faces without a look."""
    plain = Look("")
    rows = [*looks, plain]
    return np.array([k.tint for k in rows]), np.array([(k.roughness, k.metallic, 1.0) for k in rows])
