"""Further ways in which another seating may stand: those that turn what both leave of the part into itself.

Once one pose is known, the part's shape is known from both sides, and its symmetries, or near symmetries, are the
rotations about its middle under which that shape lies on itself. No way that outlines cannot tell from the first one is
missed for being far from every start of `recon.merge.support.search`.
"""

from __future__ import annotations

import numpy as np

from recon.merge.coherence import Pose
from recon.merge.seating import Seating
from recon.merge.support import all_rotations, apart, downhill

ROTATIONS, STARTS = 2000, 200
POINTS = 240
NEAR = 0.04
"""Of the radius: the mean depth, in the shape, of its own skin turned, below which it lies on itself near enough."""


def symmetric_ways(first: Seating, other: Seating, pose: Pose, group_rad: float) -> list[Pose]:
    """Best first, `group_rad` apart from each other and from `pose`."""

    def depth(points: np.ndarray) -> np.ndarray:
        return np.minimum(first.depth(points), other.depth(pose.onward(points)) / pose.scale)

    lattice = first.lower + first.spacing * np.argwhere(first.field > -first.spacing)
    depths = depth(lattice)
    centre = lattice[depths > 0].mean(0)
    skin = np.flatnonzero(np.abs(depths) < 0.5 * first.spacing)
    skin = skin[np.linspace(0, len(skin) - 1, min(POINTS, len(skin))).astype(int)]
    arms, own = lattice[skin] - centre, depths[skin]

    def off(rotations: np.ndarray) -> np.ndarray:
        turned = centre + np.einsum("nij,pj->npi", rotations, arms)
        return np.abs(depth(turned.reshape(-1, 3)).reshape(-1, len(own)) - own).mean(1) / first.radius

    rotations = all_rotations(ROTATIONS)
    rotations = downhill(rotations[np.argsort(off(rotations), kind="stable")[:STARTS]], off)
    scores = off(rotations)
    found = [np.eye(3)]
    for i in np.argsort(scores, kind="stable"):
        if scores[i] < NEAR and all(apart(rotations[i], f) > group_rad for f in found):
            found.append(rotations[i])
    return [_turned(pose, f, centre) for f in found[1:]]


def _turned(pose: Pose, rotation: np.ndarray, centre: np.ndarray) -> Pose:
    whole = pose.rotation @ rotation
    return Pose(whole, pose.onward(centre) - pose.scale * whole @ centre, pose.scale)
