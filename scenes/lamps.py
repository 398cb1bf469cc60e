"""From the lamps of a station file to `core.job.Light`: positions in the world, sizes, tints, dead segments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.camera import as_matrix
from core.job import Light
from core.material import RGB
from scenes.draw import Draw
from scenes.stations import Lamp, Station

MM = 1e-3
CLEAR_M = 1e-3  # of a lamp over the support plane


@dataclass(frozen=True)
class Mount:
    """Where lamps of one mount hang: world_from_mount (4, 4), z along the axis; `planes`: z of surface, top, base."""

    pose: np.ndarray
    planes: dict[str, float]


def blackbody_rgb(kelvin: float) -> np.ndarray:
    """Linear Rec.709 colour of a black body, 1667 to 25000 K, luminance 1. The Planckian locus by the cubic
    splines of Kim et al. (2002, US patent 7024034)."""
    t = float(np.clip(kelvin, 1667.0, 25000.0))
    low = (-0.2661239e9, -0.2343589e6, 0.8776956e3, 0.179910)
    high = (-3.0258469e9, 2.1070379e6, 0.2226347e3, 0.240390)
    a, b, c, d = low if t <= 4000 else high
    x = a / t**3 + b / t**2 + c / t + d
    if t <= 2222:
        p = (-1.1063814, -1.34811020, 2.18555832, -0.20219683)
    elif t <= 4000:
        p = (-0.9549476, -1.37418593, 2.09137015, -0.16748867)
    else:
        p = (3.0817580, -5.87338670, 3.75112997, -0.37001483)
    y = float(np.polyval(p, x))
    xyz = np.array([x / y, 1.0, (1 - x - y) / y])
    rgb = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]) @ xyz
    return np.maximum(rgb, 0.0)


def tint(kelvin: float, balance_k: float) -> RGB:
    """Colour of a lamp as a camera balanced to `balance_k` sees it (von Kries in Rec.709), luminance 1."""
    rgb = blackbody_rgb(kelvin) / blackbody_rgb(balance_k)
    rgb = rgb / (rgb @ np.array([0.2126, 0.7152, 0.0722]))
    return tuple(float(v) for v in rgb)  # type: ignore[return-value]


def place(elevation: float, azimuth: float, roll: float, distance: float) -> np.ndarray:
    """(4, 4) mount_from_light: at `distance` in the given direction (radians), emitting (-z) back to the origin,
    x tangential and level."""
    direction = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    x = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    y = np.cross(direction, x)
    pose = np.eye(4)
    pose[:3, 0] = np.cos(roll) * x + np.sin(roll) * y
    pose[:3, 1] = -np.sin(roll) * x + np.cos(roll) * y
    pose[:3, 2] = direction
    pose[:3, 3] = direction * distance
    return pose


def build(station: Station, mounts: dict[str, Mount], scale: float, index: int, draw: Draw) -> tuple[Light, ...]:
    """Every lit lamp of the station, world frame."""
    lights: list[Light] = []
    for lamp in station.lamps:
        lights.extend(_copies(lamp, station, mounts[lamp.mount], scale, index, draw))
    return tuple(lights)


def _copies(lamp: Lamp, station: Station, mount: Mount, scale: float, index: int, draw: Draw) -> list[Light]:
    lit = [index % lamp.copies] if lamp.lit == "in_turn" else list(range(lamp.copies))
    base_azimuth = draw(f"lamp.{lamp.name}.azimuth_deg", lamp.azimuth_deg)
    found = []
    for copy in lit:
        name = f"lamp.{lamp.name}" + (f".{copy}" if lamp.copies > 1 else "")
        azimuth = base_azimuth + 360.0 * copy / lamp.copies
        found.append(_light(lamp, station, mount, scale, azimuth, name, draw))
    return found


def _light(
    lamp: Lamp, station: Station, mount: Mount, scale: float, azimuth_deg: float, name: str, draw: Draw
) -> Light:
    if lamp.shape == "environment":
        return Light(
            kind="environment",
            world_from_light=as_matrix(place(np.pi / 2, np.radians(azimuth_deg), 0.0, 0.0)),
            radiance=draw(f"{name}.radiance", lamp.radiance),
            tint=_tint(lamp, station, name, draw),
            image=draw.one_of(f"{name}.image", lamp.images),
            camera_visible=lamp.visible,
        )
    elevation, roll = (draw(f"{name}.{k}", getattr(lamp, k)) for k in ("elevation_deg", "roll_deg"))
    distance = draw(f"{name}.distance_mm", lamp.distance_mm) * MM * scale
    pose = place(np.radians(elevation), np.radians(azimuth_deg), np.radians(roll), distance)
    pose[:3, 3] += (
        scale * MM * np.array([draw(f"{name}.offset_{a}_mm", getattr(lamp, f"offset_{a}_mm")) for a in "xy"] + [0.0])
    )
    pose[2, 3] += mount.planes[lamp.plane]
    pose[:3, :3] = _off_aim(draw(f"{name}.aim_deg", lamp.aim_deg), draw) @ pose[:3, :3]
    size = tuple(draw(f"{name}.{k}", getattr(lamp, k)) * MM * scale for k in ("width_mm", "height_mm"))
    return Light(
        kind=lamp.shape,
        world_from_light=as_matrix(_above_support(mount, pose, lamp, size, name, draw)),
        size_m=size,  # type: ignore[arg-type]
        radiance=draw(f"{name}.radiance", lamp.radiance),
        tint=_tint(lamp, station, name, draw),
        spread_rad=float(np.radians(draw(f"{name}.spread_deg", lamp.spread_deg))),
        tilt_rad=float(np.radians(draw(f"{name}.band_tilt_deg", lamp.band_tilt_deg))),
        segments=_segments(lamp, name, draw),
        camera_visible=lamp.visible,
        polariser=lamp.polariser,
    )


def _above_support(
    mount: Mount, pose: np.ndarray, lamp: Lamp, size: tuple[float, ...], name: str, draw: Draw
) -> np.ndarray:
    """(4, 4) world_from_light. A lamp about an oblique optical axis may cut into the support plane z = 0: it is
    turned upright, about the inspected surface, and then raised, until it clears. Lamps behind the part are let be."""
    here = mount.pose @ pose
    rim = _rim(lamp, size)

    def lowest(matrix: np.ndarray) -> float:
        return float((rim @ matrix[:3, :3].T + matrix[:3, 3])[:, 2].min())

    if lamp.mount == "cell" or pose[2, 2] < 0 or lowest(here) >= CLEAR_M:
        return here
    lean = float(np.arccos(np.clip(mount.pose[2, 2], -1, 1)))
    axis = np.cross(mount.pose[:3, 2], [0.0, 0.0, 1.0])
    if lean < 1e-6:
        return here
    axis /= np.linalg.norm(axis)

    def turned(share: float) -> np.ndarray:
        upright = mount.pose.copy()
        upright[:3, :3] = turn_about(axis, share * lean) @ upright[:3, :3]
        return upright @ pose

    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (low, middle) if lowest(turned(middle)) >= CLEAR_M else (middle, high)
    draw.note(f"{name}.righted_deg", np.degrees(high * lean))
    clear = turned(high)
    clear[2, 3] += max(CLEAR_M - lowest(clear), 0.0)
    return clear


def _rim(lamp: Lamp, size: tuple[float, ...]) -> np.ndarray:
    """(k, 3) points of the lamp's border in its own frame."""
    if lamp.shape in ("rect", "tunnel"):
        x, y = (size[0] / 2, size[1] / 2) if lamp.shape == "rect" else (size[1] / 2, size[0] / 2)
        return np.array([(sx * x, sy * y, 0.0) for sx in (-1, 1) for sy in (-1, 1)])
    a = np.arange(24) * 2 * np.pi / 24
    return np.stack([np.cos(a), np.sin(a), 0 * a], axis=1) * size[0] / 2


def turn_about(axis: np.ndarray, angle: float) -> np.ndarray:
    """(3, 3) rotation about a unit axis (Rodrigues)."""
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


def _off_aim(degrees: float, draw: Draw) -> np.ndarray:
    """(3, 3) rotation by `degrees` about a random horizontal axis of the mount."""
    if degrees == 0:
        return np.eye(3)
    phi = draw.rng.uniform(0, 2 * np.pi)
    return turn_about(np.array([np.cos(phi), np.sin(phi), 0.0]), np.radians(degrees))


def _tint(lamp: Lamp, station: Station, name: str, draw: Draw) -> RGB:
    if lamp.temperature_k is not None:
        return tint(draw(f"{name}.temperature_k", lamp.temperature_k), station.balance_k)
    return lamp.colour or (1.0, 1.0, 1.0)


def _segments(lamp: Lamp, name: str, draw: Draw) -> tuple[float, ...]:
    if not lamp.segments:
        return ()
    sigma = draw(f"{name}.segment_sigma", lamp.segment_sigma)
    gains = np.clip(1.0 + sigma * draw.rng.standard_normal(lamp.segments), 0.0, None)
    failed = min(round(draw(f"{name}.failed_segments", lamp.failed_segments)), lamp.segments)
    if failed:
        gains[draw.rng.choice(lamp.segments, failed, replace=False)] = 0.0
    return tuple(float(g) for g in np.round(gains, 6))
