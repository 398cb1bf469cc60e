"""From radiance to what the sensor would have read: exposure, shot and read noise, converter; and visibility."""

from __future__ import annotations

import numpy as np

from core.camera import Sensor
from core.colour import luminance

METER_PERCENTILE = {"part": 99.0, "frame": 99.0, "highlights": 99.9}


def exposure(sensor: Sensor, radiance: np.ndarray, part: np.ndarray) -> float:
    """Factor from radiance (h, w, 3) to full scale, metered as `Sensor.meter` says. A part out of sight: the frame.

    A colour sensor is metered by the fullest of its three channels, so that a red or a blue is not washed out.
    """
    if sensor.exposure == "fixed":
        return sensor.gain_per_radiance
    light = luminance(radiance) if sensor.monochrome else radiance.max(axis=-1)
    metered = light[part] if sensor.meter != "frame" and part.any() else light.ravel()
    level = float(np.percentile(metered, METER_PERCENTILE[sensor.meter]))
    return sensor.metered_level / level if level > 1e-9 else 1.0


def noise_field(sensor: Sensor, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Standard normal field that image and twin share; one channel for a monochrome sensor."""
    channels = 1 if sensor.monochrome else 3
    return rng.standard_normal((*shape, channels)).astype(np.float32)


def develop(sensor: Sensor, radiance: np.ndarray, factor: float, field: np.ndarray) -> np.ndarray:
    """Linear (h, w, 3) float32 in [0, 1]: exposed, clipped at full well, noisy, quantised by the converter.

    Shot noise is the normal approximation of Poisson (variance = electrons), after EMVA 1288.
    """
    exposed = radiance * np.float32(factor)
    if sensor.monochrome:
        exposed = luminance(exposed)[..., None]
    electrons = np.clip(exposed, 0.0, 1.0) * np.float32(sensor.full_well_e)
    electrons = electrons + noise_sigma(sensor, electrons) * field
    steps = np.float32(2**sensor.bits - 1)
    read = np.round(np.clip(electrons / np.float32(sensor.full_well_e), 0.0, 1.0) * steps) / steps
    return np.broadcast_to(read, (*read.shape[:2], 3)).astype(np.float32)


def noise_sigma(sensor: Sensor, electrons: np.ndarray) -> np.ndarray:
    return np.sqrt(electrons + np.float32(sensor.read_noise_e**2)).astype(np.float32)


def visibility(sensor: Sensor, image: np.ndarray, clean: np.ndarray, factor: float, label: np.ndarray) -> float:
    """Contrast to noise of the label's pixels: rms difference of image and clean (radiance, not denoised, same
    seed) over the camera's noise at the clean level, which is one electron at least: charge comes in whole ones, and a
    black pixel of a sensor without read noise has no noise to divide by. 0 for an empty label."""
    if not label.any():
        return 0.0

    def electrons(radiance: np.ndarray) -> np.ndarray:
        return np.clip(luminance(radiance[label]) * factor, 0, 1) * sensor.full_well_e

    before = electrons(clean)
    ratio = (electrons(image) - before) / np.maximum(noise_sigma(sensor, before), 1)
    return float(np.sqrt(np.mean(ratio**2)))
