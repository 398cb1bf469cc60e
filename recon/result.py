"""What a fit gives: shape, material and light of one part, vertex by vertex, and how it came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from recon.bake import Maps


@dataclass(frozen=True, eq=False)
class Shading:
    """How one view lights every vertex: radiance = exposure * (albedo * diffuse + specular), linear Rec.709.

    diffuse: (n, 3) irradiance over pi, shadows included. specular: (n, 3) towards this view's camera.
    exposure: (3,) gain and white balance of the photograph against the fit's mean. bounced: (n, 3) the share of the
    irradiance over pi that came by way of the part itself; None where bounces were left out.
    """

    diffuse: np.ndarray
    specular: np.ndarray
    exposure: np.ndarray
    bounced: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A fitted part. Unit and frame of the capture (metres where it is metric).

    vertices: (n, 3) float64. faces: (m, 3) int32, closed, counter-clockwise from outside.
    albedo: (n, 3) linear. roughness, metallic: (n,) of the metallic-roughness model.
    environment: (h, 2 h, 3) radiance, equirectangular, room frame: row 0 looks along +Z, the columns run from
    azimuth -pi at the left to +pi at the right, azimuth atan2(y, x). nearness: (h, 2 h) inverse distance of that light
    from the table's axis, one over the unit of the vertices; None where all of it is far.
    camera_from_part: (v, 4, 4) refined poses, in the order of the capture's views (held-out views included).
    shadings: one a view. views_seen: (n,) how many training views see a vertex at less than 75 degrees.
    residual: (n,) mean absolute error in sRGB of the views that see it (NaN: none).
    maps: fitted texel by texel, by presets that do so; None: `recon.bake` makes them.
    history: one mapping an evaluation: iteration, loss, its terms, seconds. facts: settings, seed, device, counts of
    skipped steps, held-out measures.
    """

    vertices: np.ndarray
    faces: np.ndarray
    albedo: np.ndarray
    roughness: np.ndarray
    metallic: np.ndarray
    environment: np.ndarray
    camera_from_part: np.ndarray
    shadings: Sequence[Shading]
    views_seen: np.ndarray
    residual: np.ndarray
    history: Sequence[Mapping[str, Any]] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    nearness: np.ndarray | None = None
    maps: Maps | None = None
