"""Backdrop files: what the part lies on, sized to the part. mm and degrees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import model_validator
from scipy.spatial import ConvexHull

from core.camera import as_matrix
from core.distributions import Quantity, constant, refuse_below, refuse_zero
from core.job import Backdrop
from core.material import RGB
from core.models import FileModel
from scenes.draw import Draw

MM = 1e-3
VALUES: dict[str, set[str]] = {
    "void": set(),
    "paper": {"sweep_radius_mm"},
    "tray": {"rim_mm", "wall_deg", "rib_pitch_mm"},
    "conveyor": {"belt_width_mm", "rail_height_mm", "weave_mm", "wear"},
    "fixture": {"hole_pitch_mm", "hole_mm", "plate_mm", "pin_mm", "pin_clearance_mm"},
}


class BackdropSpec(FileModel):
    """margin: size of the backdrop over the part's footprint. albedo: linear RGB, one of the list is taken.

    turn_deg: of the backdrop about the vertical. values: lengths and angles of the kind, see docs/stations.md.
    """

    name: str
    version: int
    text: str
    kind: Literal["void", "paper", "tray", "conveyor", "fixture"]
    margin: Quantity = constant(2.0)
    albedo: tuple[RGB, ...] = ((0.5, 0.5, 0.5),)
    brightness: Quantity = constant(1.0)
    roughness: Quantity = constant(0.6)
    turn_deg: Quantity = constant(0.0)
    values: Mapping[str, Quantity] = {}

    @model_validator(mode="after")
    def _known(self) -> BackdropSpec:
        unknown = set(self.values) - VALUES[self.kind]
        if unknown:
            known = ", ".join(sorted(VALUES[self.kind])) or "none"
            raise ValueError(f"kind {self.kind} has no value '{min(unknown)}'; it has {known}")
        missing = VALUES[self.kind] - set(self.values)
        if missing:
            raise ValueError(f"kind {self.kind} needs the value '{min(missing)}'")
        refuse_zero(margin=self.margin)
        refuse_below(0, brightness=self.brightness, roughness=self.roughness, **self.values)
        return self


VOID = BackdropSpec(name="void", version=1, text="Nothing.", kind="void")


def build(spec: BackdropSpec, points: np.ndarray, view_m: float, behind_rad: float, draw: Draw) -> Backdrop:
    """The backdrop under a part whose hull is `points` (n, 3), world frame, lying on z = 0.

    view_m: diameter of what the camera sees on the support. behind_rad: azimuth away from the camera.
    """
    if spec.kind == "void":
        return Backdrop(kind="void", world_from_backdrop=as_matrix(np.eye(4)))
    low, high = points.min(0), points.max(0)
    footprint = float(np.hypot(*(high - low)[:2]))
    turn = np.radians(draw("backdrop.turn_deg", spec.turn_deg))
    if spec.kind == "paper":
        turn += behind_rad - np.pi / 2  # the sweep rises at local +y
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    pose[:2, 3] = (low + high)[:2] / 2
    values = dict(_si(k, draw(f"backdrop.{k}", q)) for k, q in sorted(spec.values.items()))
    values |= {"part_height_m": float(high[2]), "view_m": view_m}
    local = (points[:, :2] - pose[:2, 3]) @ pose[:2, :2]
    values |= {"part_x_m": float(np.ptp(local[:, 0])), "part_y_m": float(np.ptp(local[:, 1]))}
    posts = _posts(local, values, draw) if spec.kind == "fixture" else ()
    colour = draw.one_of("backdrop.albedo", spec.albedo)
    brightness = draw("backdrop.brightness", spec.brightness)
    return Backdrop(
        kind=spec.kind,
        world_from_backdrop=as_matrix(pose),
        size_m=footprint * draw("backdrop.margin", spec.margin),
        albedo=tuple(min(c * brightness, 0.95) for c in colour),  # type: ignore[arg-type]
        roughness=draw("backdrop.roughness", spec.roughness),
        seed=int(draw.rng.integers(2**31)),
        values=values,
        posts=posts,
    )


def _si(name: str, value: float) -> tuple[str, float]:
    if name.endswith("_mm"):
        return f"{name[:-3]}_m", value * MM
    if name.endswith("_deg"):
        return f"{name[:-4]}_rad", float(np.radians(value))
    return name, value


def _posts(local: np.ndarray, values: dict[str, float], draw: Draw) -> tuple[tuple[float, float, float, float], ...]:
    """Three locating pins (3-2-1 rule: two on the long side, one on a short one) that stand clear of the footprint.

    local: (n, 2) hull points, backdrop frame. A pin touches the footprint's convex hull but for the clearance.
    """
    hull = local[ConvexHull(local).vertices]
    long = _long_side(hull)
    size = float(np.ptp(local, axis=0).max())
    radius = float(np.clip(values["pin_m"] / 2, 0.015 * size, 0.07 * size))
    height = float(np.clip(0.6 * values["part_height_m"], radius, 6 * radius))
    stations = ((0.0, -1.0, -0.28), (0.0, -1.0, 0.28), (-1.0, 0.0, 0.0))
    posts = []
    for nx, ny, share in stations:
        outward = nx * long + ny * np.array([-long[1], long[0]])
        along = np.array([-outward[1], outward[0]])
        middle = (hull @ along).min() / 2 + (hull @ along).max() / 2
        offset = middle + share * np.ptp(hull @ along)
        reach = _support(hull, outward, along, offset, radius + values["pin_clearance_m"])
        x, y = outward * reach + along * offset
        posts.append((float(x), float(y), radius, height))
    return tuple(posts)


def _long_side(hull: np.ndarray) -> np.ndarray:
    """(2,) unit, along the longer side of the least-area rectangle about a convex polygon, towards +x."""
    edge = np.roll(hull, -1, axis=0) - hull
    along = edge / np.maximum(np.linalg.norm(edge, axis=1, keepdims=True), 1e-15)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    sizes = np.stack([np.ptp(hull @ along.T, axis=0), np.ptp(hull @ across.T, axis=0)])
    best = int(sizes.prod(0).argmin())
    found = along[best] if sizes[0, best] >= sizes[1, best] else across[best]
    return found if found[0] > 0 or (found[0] == 0 and found[1] > 0) else -found


def _support(hull: np.ndarray, outward: np.ndarray, along: np.ndarray, offset: float, radius: float) -> float:
    """Least distance along `outward` of a disk's centre, on the line along = offset, that clears the polygon."""
    start, edge = hull, np.roll(hull, -1, axis=0) - hull  # counter-clockwise

    def clear(reach: float) -> bool:
        to_point = outward * reach + along * offset - start
        inside = (edge[:, 0] * to_point[:, 1] - edge[:, 1] * to_point[:, 0] >= 0).all()
        t = np.clip((to_point * edge).sum(1) / np.maximum((edge * edge).sum(1), 1e-18), 0, 1)
        return bool(not inside and (np.linalg.norm(to_point - t[:, None] * edge, axis=1) >= radius).all())

    a, b = hull @ along - offset, np.roll(hull @ along, -1) - offset
    crossing = a * b <= 0
    share = np.divide(a, a - b, out=np.zeros_like(a), where=a != b)[crossing]
    near = float((hull[crossing] @ outward + share * (edge[crossing] @ outward)).max())
    far = float((hull @ outward).max() + radius)
    for _ in range(50):
        middle = (near + far) / 2
        near, far = (near, middle) if clear(middle) else (middle, far)
    return far
