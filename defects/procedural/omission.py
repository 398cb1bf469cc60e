"""A feature that was never made: its faces vanish and flat lids carry on the planes around it. No boolean is needed."""

from __future__ import annotations

import numpy as np

from core.errors import PlacementError
from core.mesh import NORMAL, Mesh
from defects.procedural.features import Cap, caps
from defects.procedural.solids import Change, Pair, is_closed, retagged, rows, solid_rows, stack


def omit(pair: Pair, faces: np.ndarray, tag: int) -> tuple[Pair, Change]:
    """Take the patch `faces` (rows of `pair.defected()`) away and close its rims, exactly flush with the planes around.

    The lids have every attribute of the plane that they carry on (finish, colour, lay), but no chart.
    """
    whole, n_kept = pair.defected(), len(pair.kept.faces)
    if faces.max(initial=0) >= n_kept:
        raise PlacementError("the feature was changed by an earlier defect", "an untouched one", "ask for fewer")
    solid = solid_rows(whole, int(faces[0]))
    before = Mesh(whole.vertices, whole.faces[solid]).volume
    lids = [_lid(whole, cap) for cap in caps(whole, faces)]
    new = lids[0]
    for lid in lids[1:]:
        new = stack(new, lid)
    new = retagged(new, tag)
    keep = np.ones(n_kept, bool)
    keep[faces] = False
    gone = retagged(rows(whole, faces), tag)
    kept = rows(pair.kept, np.flatnonzero(keep))
    left = np.concatenate([whole.faces[np.setdiff1d(solid, faces)], new.faces])
    if not is_closed(left):
        raise PlacementError("closing the feature leaves a gap", "rims that are clean loops", "choose another feature")
    points = whole.vertices[np.unique(np.concatenate([gone.faces, new.faces]))]
    volume = Mesh(whole.vertices, left).volume - before
    change = Change(volume, float(gone.areas.sum()), float(new.areas.sum()), points)
    return Pair(kept, stack(pair.gone, gone), stack(pair.new, new)), change


def _lid(whole: Mesh, cap: Cap) -> Mesh:
    source = int(cap.beside[np.argmax(whole.areas[cap.beside])])
    m = len(cap.faces)
    beside = np.unique(cap.beside)
    corner = {n: _continued(whole, beside, cap.faces, a) for n, a in whole.corner.items()}
    for name in corner:
        if name.startswith("chart_"):
            corner[name] = np.full((m, 3, 2), np.nan)
    corner[NORMAL] = np.broadcast_to(cap.normal, (m, 3, 3))
    face = {n: np.full(m, a[source], np.int32) for n, a in whole.face.items()}
    return Mesh(whole.vertices, cap.faces, corner, face)


def _continued(whole: Mesh, beside: np.ndarray, faces: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A corner attribute carried on linearly from the faces beside a lid; on planes lay is linear, so this is exact."""
    known = whole.triangles[beside].reshape(-1, 3)
    origin, scale = known.mean(axis=0), max(float(np.ptp(known, axis=0).max()), 1e-12)
    asked = whole.vertices[faces].reshape(-1, 3)
    left = np.c_[(known - origin) / scale, np.ones(len(known))]
    right = np.c_[(asked - origin) / scale, np.ones(len(asked))]
    fit = np.linalg.lstsq(left, values[beside].reshape(len(known), -1), rcond=1e-6)[0]
    return (right @ fit).reshape(len(faces), 3, -1)
