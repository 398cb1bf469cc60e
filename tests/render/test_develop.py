"""Exposure, sensor noise and visibility on analytic radiance."""

from __future__ import annotations

import numpy as np
import pytest

from core.camera import Sensor
from core.seeds import child
from render import develop

GREY = np.full((64, 64, 3), 0.5, np.float32)


def field(sensor: Sensor, name: str = "noise") -> np.ndarray:
    return develop.noise_field(sensor, (64, 64), child(1, name))


def test_shot_and_read_noise_have_the_variance_of_emva_1288():
    sensor = Sensor(full_well_e=2000, read_noise_e=15, bits=14)
    image = develop.develop(sensor, GREY, 1.0, field(sensor))
    electrons = image * 2000
    assert electrons.mean() == pytest.approx(1000, rel=0.01)
    assert electrons.var() == pytest.approx(1000 + 15**2, rel=0.06)


def test_the_converter_has_two_to_the_bits_levels():
    sensor = Sensor(bits=3, read_noise_e=0, full_well_e=100)
    levels = np.unique(develop.develop(sensor, GREY, 1.0, field(sensor)))
    assert np.allclose(levels * 7, np.round(levels * 7)) and 2 <= len(levels) <= 8


def test_metering_brings_the_parts_99th_percentile_to_the_level_whatever_the_background():
    radiance = np.full((64, 64, 3), 100.0, np.float32)
    part = np.zeros((64, 64), bool)
    part[:32] = True
    radiance[:32] = np.linspace(0.1, 2.0, 32)[:, None, None]
    factor = develop.exposure(Sensor(metered_level=0.6), radiance, part)
    assert np.percentile(radiance[part][:, 0] * factor, 99) == pytest.approx(0.6, rel=1e-3)
    assert develop.exposure(Sensor(meter="frame", metered_level=0.6), radiance, part) == pytest.approx(0.006, rel=1e-3)
    assert develop.exposure(Sensor(exposure="fixed", gain_per_radiance=3.0), radiance, part) == 3.0


def test_a_colour_is_metered_by_its_fullest_channel_and_a_monochrome_sensor_by_luminance():
    rust = GREY * [2.0, 0.7, 0.2]
    part = np.ones((64, 64), bool)
    assert rust[..., 0].max() * develop.exposure(Sensor(metered_level=0.7), rust, part) == pytest.approx(0.7, rel=1e-5)
    mono = develop.exposure(Sensor(metered_level=0.7, monochrome=True), rust, part)
    assert 0.5 * (0.2126 * 2.0 + 0.7152 * 0.7 + 0.0722 * 0.2) * mono == pytest.approx(0.7, rel=1e-3)


def test_a_monochrome_sensor_gives_grey():
    sensor = Sensor(monochrome=True)
    image = develop.develop(sensor, GREY * [0.2, 1.0, 0.4], 1.0, field(sensor))
    assert np.array_equal(image[..., 0], image[..., 2])


def test_visibility_is_contrast_over_noise_and_zero_without_a_label():
    sensor = Sensor(full_well_e=10_000, read_noise_e=0)
    label = np.zeros((64, 64), bool)
    label[10:20, 10:20] = True
    darker = GREY.copy()
    darker[label] *= 0.9
    expected = 0.05 * 10_000 / np.sqrt(5000)
    assert develop.visibility(sensor, darker, GREY, 1.0, label) == pytest.approx(expected, rel=1e-3)
    assert develop.visibility(sensor, darker, GREY, 1.0, np.zeros_like(label)) == 0.0
    assert develop.visibility(sensor, GREY, GREY, 1.0, label) == 0.0


def test_visibility_in_black_on_a_sensor_without_read_noise_is_a_number():
    sensor = Sensor(full_well_e=10_000, read_noise_e=0)
    label = np.ones((8, 8), bool)
    black = np.zeros((8, 8, 3), np.float32)
    assert develop.visibility(sensor, black, black, 1.0, label) == 0.0
    assert develop.visibility(sensor, np.full_like(black, 0.01), black, 1.0, label) == pytest.approx(100, rel=1e-3)
