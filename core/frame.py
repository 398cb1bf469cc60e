"""A Frame: one image with everything that is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from core.camera import Camera
from core.job import Window


@dataclass(frozen=True, eq=False)
class Frame:
    """All (h, w) unless said. Labels are taken at pixel centres, without depth of field, filter or denoiser.

    rgb: (h, w, 3) linear float32 after exposure and camera noise, [0, 1] is the sensor's range. clean: its twin or
    None. depth_m: camera z, +inf at background. normal: (h, w, 3) unit, camera frame (OpenCV), 0 at background.
    part: bool. ids: uint8, 0 is no defect. coverage: id -> (h, w) float32 in [0, 1], box over the pixel.
    amodal: id -> bool, the defect's own front-facing surface with every occluder removed.
    visibility: id -> contrast to noise of the label's pixels, in camera noise sigmas, before denoising.
    twin_windows: where `clean` may differ from `rgb`.
    """

    camera: Camera
    rgb: np.ndarray
    clean: np.ndarray | None
    depth_m: np.ndarray
    normal: np.ndarray
    part: np.ndarray
    ids: np.ndarray
    coverage: Mapping[int, np.ndarray]
    amodal: Mapping[int, np.ndarray]
    visibility: Mapping[int, float]
    twin_windows: tuple[Window, ...]
    exposure: float
    measured: Mapping[str, float] = field(default_factory=dict)
