"""A reconstruction whose truth is its own construction: a ball seen by a ring of cameras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import trimesh

from core.camera import look_at
from recon.capture.masks import MaskReport
from recon.capture.model import Capture, Session, View, hold_out
from recon.result import Reconstruction, Shading

RADIUS = 0.02


def ring(elevations_deg: tuple[float, ...] = (20.0, 50.0), views: int = 24, turn: float = 2 * np.pi) -> Capture:
    """Cameras about a ball at the origin; the photographs are empty."""
    found = []
    for number in range(views):
        angle, rise = turn * number / views, np.deg2rad(elevations_deg[number % len(elevations_deg)])
        eye = 6 * RADIUS * np.array([np.cos(rise) * np.cos(angle), np.cos(rise) * np.sin(angle), np.sin(rise)])
        pose = np.linalg.inv(look_at(eye, np.zeros(3), np.array([0.0, 0.0, 1.0])))
        k = np.array([[100.0, 0, 20], [0, 100.0, 20], [0, 0, 1]])
        room = trimesh.transformations.rotation_matrix(-angle, [0, 0, 1])[:3, :3]
        found.append(View(f"{number:03d}", np.zeros((40, 40, 3)), np.ones((40, 40)), k, pose, room))
    session = Session("turn", np.zeros(3), np.array([0.0, 0.0, 1.0]))
    return Capture("ball", hold_out(found), (session,), "room", True, "constructed", sha256="0" * 64)


def masks(count: int = 24, **changed: Any) -> MaskReport:
    even = np.full(count, 0.99)
    return replace(MaskReport(even, 1 - even, 1 - even, np.zeros(count), 0.0, ()), **changed)


def fitted(
    capture: Capture, psnr: tuple[float, float] = (30.0, 28.0), iou: float = 0.99, **changed: Any
) -> Reconstruction:
    """A ball of red and green halves, its lowest cap unseen. psnr: of training and held-out views."""
    ball = trimesh.creation.icosphere(subdivisions=3, radius=RADIUS)
    points = np.array(ball.vertices)
    n = len(points)
    albedo = np.where(points[:, :1] > 0, [[0.5, 0.1, 0.1]], [[0.1, 0.5, 0.1]])
    seen = np.where(points[:, 2] > -0.97 * RADIUS, 8, 0)
    views = [
        {"view": v.name, "held_out": v.held_out, "psnr_db": psnr[int(v.held_out)], "whole_db": 30.0, "iou": iou}
        for v in capture.views
    ]
    facts: Mapping[str, Any] = {"views": views, "skipped_steps": 0, "held_out_psnr_db": psnr[1]}
    return replace(
        Reconstruction(
            points, np.array(ball.faces, np.int32), albedo, np.full(n, 0.4), np.zeros(n), np.ones((8, 16, 3)),
            np.stack([v.camera_from_part for v in capture.views]),
            [Shading(np.ones((n, 3)), np.zeros((n, 3)), np.ones(3))] * len(capture.views),
            seen, np.where(seen > 0, 0.02, np.nan), [], facts,
        ),
        **changed,
    )  # fmt: skip
