"""Poses of photographs refined against the part that is being fitted, each by itself.

A damped Gauss-Newton step a view over the six numbers of a rigid motion, with derivatives by differences: a picture
costs milliseconds. Pixels that are off together count once: the residual's variance is that of windows of CORRELATED
pixels. What the pictures do not show is held by a prior. Motions common to all views are taken off again: they would
only carry the part away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from recon.capture.model import Capture
from recon.fit.picture import Estimate, colour_error, picture
from recon.fit.problem import Target, UnitFrame
from recon.raster.protocol import Rasterizer, Topology

STEP = 2e-3
"""Of the differences: radians, and bounding radii."""
PRIOR = 0.02
"""Standard deviation of a pose before the photograph is looked at: radians, and bounding radii."""
CORRELATED = 5.0
"""Pixels along which errors go together."""
OUTLIER = 0.05
"""Error from which a pixel counts with its size, not its square (smooth L1, as in the fit)."""
MASK_WEIGHT = 1.0
BETTER = 0.995
"""A motion is taken when it brings the error below this share of what it was."""


def refined(
    capture: Capture,
    estimate: Estimate,
    views: Sequence[Target],
    topology: Topology,
    frame: UnitFrame,
    rasterizer: Rasterizer,
    rounds: int = 2,
    common: bool = False,
) -> Capture:
    """The capture with the poses of `views` improved, as far as their pictures become more like the photographs.

    common: keep the mean motion over the views too; else it is the identity.
    """
    poses = {t.number: np.eye(4) for t in views}
    for _ in range(rounds):
        for target in views:
            motion = poses[target.number]
            poses[target.number] = motion @ _step(estimate, moved(target, motion), topology, rasterizer)
    found = np.stack([_twist(poses[t.number]) for t in views])
    mean = 0 * found.mean(0) if common else found.mean(0)
    taken = {t.number: _motion(twist - mean) for t, twist in zip(views, found, strict=True)}
    unit_from_part = np.diag([1 / frame.radius] * 3 + [1.0])
    unit_from_part[:3, 3] = -frame.centre / frame.radius
    part_from_unit = np.linalg.inv(unit_from_part)
    return capture.with_views(
        [
            replace(v, camera_from_part=v.camera_from_part @ part_from_unit @ taken[n] @ unit_from_part)
            if n in taken
            else v
            for n, v in enumerate(capture.views)
        ]
    )


def with_poses(capture: Capture, camera_from_part: np.ndarray) -> Capture:
    """camera_from_part: (views, 4, 4)."""
    pairs = zip(capture.views, camera_from_part, strict=True)
    return capture.with_views([replace(view, camera_from_part=pose) for view, pose in pairs])


def moved(target: Target, motion: np.ndarray) -> Target:
    """The target as if the part stood elsewhere: motion (4, 4) rigid, unit frame."""
    if np.array_equal(motion, np.eye(4)):
        return target
    by = torch.as_tensor(motion, dtype=torch.float32, device=target.pixels_from_unit.device)
    eye = by[:3, :3].T @ (target.standing.eye - by[:3, 3])
    return replace(target, pixels_from_unit=target.pixels_from_unit @ by, standing=replace(target.standing, eye=eye))


@torch.no_grad()
def _step(estimate: Estimate, target: Target, topology: Topology, rasterizer: Rasterizer) -> np.ndarray:
    """(4, 4): a motion that lowers the error, or the identity."""

    def off(twist: np.ndarray) -> torch.Tensor:
        now = moved(target, _motion(twist))
        seen, _ = picture(estimate, now, topology, rasterizer)
        return torch.cat([colour_error(seen, now), MASK_WEIGHT * (seen[..., 3:] - now.mask)], -1).reshape(-1).double()

    here = off(np.zeros(6))
    weight = 1 / here.abs().clamp(min=OUTLIER)
    columns = [(off(STEP * e) - off(-STEP * e)) / (2 * STEP) for e in np.eye(6)]
    slopes = torch.stack(columns, 1)
    inside = max(float(target.mask.sum()), 1.0)
    error = float((weight * here**2).sum())
    variance = error / (4 * inside) * CORRELATED**2
    normal = (slopes.T @ (weight[:, None] * slopes)).cpu().numpy() / variance + np.eye(6) / PRIOR**2
    twist = np.linalg.solve(normal, -(slopes.T @ (weight * here)).cpu().numpy() / variance)
    for share in (1.0, 0.5, 0.25):
        if float((weight * off(share * twist) ** 2).sum()) < BETTER * error:
            return _motion(share * twist)
    return np.eye(4)


def _motion(twist: np.ndarray) -> np.ndarray:
    """(6,) rotation vector and shift -> (4, 4) rigid."""
    angle = float(np.linalg.norm(twist[:3]))
    out = np.eye(4)
    out[:3, 3] = twist[3:]
    if angle > 1e-12:
        x, y, z = twist[:3] / angle
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        out[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return out


def _twist(motion: np.ndarray) -> np.ndarray:
    """The inverse of `_motion`, for turns of less than half a circle."""
    rotation = motion[:3, :3]
    turned = (
        np.array([rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]])
        / 2
    )
    sine = float(np.linalg.norm(turned))
    angle = np.arctan2(sine, (np.trace(rotation) - 1) / 2)
    return np.concatenate([turned * (angle / sine if sine > 1e-12 else 1.0), motion[:3, 3]])
