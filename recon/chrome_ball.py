"""The room's light off a photographed chrome ball: every pixel of it mirrors one direction of the room.

The ball is put where the part stood and photographed by the same camera from the same place. Its outline is a cone of
rays, which gives its direction and angular size exactly, off the picture's middle too; its distance is not needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from core.errors import InputError

RADIUS_PX = 128
"""To which a larger ball is averaged down, so that small lamps fall between no samples."""
SMALLEST_PX = 16
GRAZING = 0.15
"""Cosine of incidence below which the rim says nothing; what lies behind the ball takes the nearest that it says."""
ROWS = 256
OUTLINE = 64
CLIPPED, MOST_CLIPPED = 0.995, 0.25
"""A channel from here on is full; and the share of the ball that may be so."""
STEPS = 60


@dataclass(frozen=True)
class Ball:
    """Its outline in the picture: middle (x, y) and radius in pixels, the first pixel's corner at 0."""

    x: float
    y: float
    radius: float


def unwrapped(picture: np.ndarray, ball: Ball, intrinsics: np.ndarray, room_from_camera: np.ndarray) -> np.ndarray:
    """(ROWS, 2 ROWS, 3) float32 radiance as `recon.probe` lays it out: row 0 looks along the room's +Z, columns from
    azimuth -pi to pi. Behind the ball it is guessed from what its rim mirrors.

    picture: (h, w, 3) linear. intrinsics: (3, 3) K of that picture. room_from_camera: (3, 3), OpenCV camera.
    InputError where the ball is small, black or not wholly in the picture.
    """
    _refuse(picture, ball)
    shrink = min(1.0, RADIUS_PX / ball.radius)
    if shrink < 1:
        height, width = (max(1, round(n * shrink)) for n in picture.shape[:2])
        by = np.array([width / picture.shape[1], height / picture.shape[0], 1.0])
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    else:
        by = np.ones(3)
    towards, sine = _cone(ball, intrinsics)
    polar, azimuth = (np.arange(ROWS) + 0.5) / ROWS * np.pi, (np.arange(2 * ROWS) + 0.5) / ROWS * np.pi - np.pi
    p, a = np.meshgrid(polar, azimuth, indexing="ij")
    ways = np.stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)], -1).reshape(-1, 3) @ room_from_camera
    at = mirrored_at(ways, towards, sine) @ (np.diag(by) @ intrinsics).T
    x, y = ((at[:, k] / at[:, 2] - 0.5).reshape(ROWS, -1).astype(np.float32) for k in (0, 1))
    return cv2.remap(np.ascontiguousarray(picture, np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def clipped_share(picture: np.ndarray, ball: Ball) -> float:
    """Share of the ball's pixels of which a channel is full: lamps are brighter than those say. picture: (h, w, 3), of
    a file whose white is 1. InputError where it is most of them."""
    share = float((picture[_disc(picture, ball)].max(1) >= CLIPPED).mean())
    if share > MOST_CLIPPED:
        raise InputError(
            f"a chrome ball of which {share:.0%} is clipped", f"at most {MOST_CLIPPED:.0%}", "expose it less"
        )
    return share


def mirrored_at(ways: np.ndarray, towards: np.ndarray, sine: float) -> np.ndarray:
    """(n, 3) points of a ball at distance one along `towards`, of radius `sine`, that mirror to the camera what comes
    from `ways` (n, 3) unit; camera frame. By repeated substitution: rays to different points of it hardly differ."""
    ways = _before(ways, towards, sine)
    normal = _unit(ways - towards)
    for _ in range(STEPS):
        seen_along = _unit(towards + sine * normal)
        normal = _unit(ways - seen_along)
    return towards + sine * normal


def _before(ways: np.ndarray, towards: np.ndarray, sine: float) -> np.ndarray:
    """The ways, those nearly straight behind the ball turned aside to the last that its rim shows."""
    least = np.arcsin(sine) + np.arccos(1 - 2 * GRAZING**2)
    along = ways @ towards
    aside = ways - along[:, None] * towards
    length = np.linalg.norm(aside, axis=1, keepdims=True)
    other = np.linalg.svd(towards[None])[2][1]
    aside = np.where(length > 1e-9, aside / np.maximum(length, 1e-9), other)
    turned = np.cos(least) * towards + np.sin(least) * aside
    return np.where((along > np.cos(least))[:, None], turned, ways)


def _cone(ball: Ball, intrinsics: np.ndarray) -> tuple[np.ndarray, float]:
    """Unit way (3,) to the ball's middle and the sine of its angular radius: rays u to the outline have u.q = 1 for
    q = way / cosine."""
    angle = np.arange(OUTLINE) / OUTLINE * 2 * np.pi
    outline = np.stack(
        [ball.x + ball.radius * np.cos(angle), ball.y + ball.radius * np.sin(angle), np.ones(OUTLINE)], 1
    )
    rays = _unit(outline @ np.linalg.inv(intrinsics).T)
    q = np.linalg.lstsq(rays, np.ones(OUTLINE), rcond=None)[0]
    cosine = 1 / float(np.linalg.norm(q))
    return q * cosine, float(np.sqrt(max(1 - cosine**2, 0.0)))


def _refuse(picture: np.ndarray, ball: Ball) -> None:
    height, width = picture.shape[:2]
    where = f"a chrome ball of {ball.radius:g} px about ({ball.x:g}, {ball.y:g})"
    if not all(np.isfinite((ball.x, ball.y, ball.radius))) or ball.radius < SMALLEST_PX:
        raise InputError(where, f"a radius of {SMALLEST_PX} px or more", "correct the radius, or come nearer")
    inside = ball.radius - 1 <= ball.x <= width - ball.radius + 1
    if not (inside and ball.radius - 1 <= ball.y <= height - ball.radius + 1):
        raise InputError(
            f"{where} in a picture of {width} x {height}", "all of it within the picture", "correct where it is"
        )
    if not np.isfinite(picture).all() or picture[_disc(picture, ball)].max() <= 0:
        raise InputError(f"{where} that mirrors no light", "finite values, some above zero", "correct where it is")


def _disc(picture: np.ndarray, ball: Ball) -> np.ndarray:
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]] + 0.5
    return (x - ball.x) ** 2 + (y - ball.y) ** 2 < ball.radius**2


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
