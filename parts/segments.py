"""Pieces of surface that may be one plane or one cylinder: CAD faces, or what grows from the mesh where there are none."""

from __future__ import annotations

import numpy as np

from core.mesh import Mesh
from parts.topology import by_appearance


def segments(mesh: Mesh) -> np.ndarray:
    """(m,) segment of each face: the CAD face where known, else the smooth patch."""
    patch = mesh.face["patch"].astype(np.int64)
    cad_face = mesh.face.get("cad_face")
    if cad_face is None:
        return by_appearance(patch)
    return by_appearance(np.where(cad_face >= 0, cad_face, cad_face.max(initial=-1) + 1 + patch))
