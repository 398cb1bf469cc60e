"""Thin lens, binning, fitting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from core import seeds
from core.errors import InputError
from scenes import cameras, library
from scenes.cameras import CameraSpec
from scenes.draw import Draw

SPECS = library.load_cameras()


def _box(x: float, y: float, z: float) -> np.ndarray:
    """Camera axes, origin on the nearest face."""
    return np.array([[a * x / 2, b * y / 2, c * z] for a in (-1, 1) for b in (-1, 1) for c in (0, 1)])


def test_thin_lens_magnification() -> None:
    optic = cameras.optics(SPECS["macro_5mp_50mm"], (612, 512))
    for distance in (0.1, 0.15, 0.4):
        magnification = 0.05 / (distance - 0.05)  # f / (u - f)
        assert optic.pixels_per_unit(distance) / distance * optic.pixel_m == pytest.approx(magnification, rel=1e-12)
    assert optic.field(0.1) == pytest.approx(512 * 4 * 3.45e-6, rel=1e-9)  # 1:1 shows the chip's own height


@given(field=st.floats(0.01, 0.5))
@settings(max_examples=30)
def test_setting_for_field_inverts_field(field: float) -> None:
    for spec in SPECS.values():
        optic = cameras.optics(spec, (320, 240))
        assert optic.field(optic.setting_for_field(field)) == pytest.approx(field, rel=1e-9)


def test_image_size_does_not_change_the_view_when_binned() -> None:
    spec = SPECS["area_5mp_25mm"]
    fields = [cameras.optics(spec, size).field(0.3) for size in ((256, 256), (512, 512), (2048, 2048))]
    assert fields == pytest.approx([fields[0]] * 3, rel=1e-9)


def test_binning_trades_pixels_for_full_well() -> None:
    def sensor(width: int):
        spec = SPECS["area_5mp_25mm"].model_copy(update={"gain_db": cameras.constant(0.0)})
        return cameras.build(cameras.optics(spec, (width, width)), 0.3, np.eye(4), 0.3, Draw(seeds.child(1)))[1]

    small, large = sensor(256), sensor(1024)
    assert small.full_well_e == pytest.approx(16 * large.full_well_e)
    assert small.read_noise_e == pytest.approx(4 * large.read_noise_e)


def test_gain_takes_full_well() -> None:
    spec = SPECS["area_5mp_25mm"].model_copy(update={"gain_db": cameras.constant(6.0206)})
    _, sensor = cameras.build(cameras.optics(spec, (2048, 2048)), 0.3, np.eye(4), 0.3, Draw(seeds.child(1)))
    assert sensor.full_well_e == pytest.approx(spec.sensor.full_well_e / 2, rel=1e-4)


def test_crop_reads_single_pixels() -> None:
    optic = cameras.optics(SPECS["smart_1mp3_8mm"], (320, 240))
    assert optic.pixel_m == pytest.approx(3.75e-6)


def test_more_pixels_than_the_sensor_are_refused() -> None:
    with pytest.raises(InputError, match="no larger than the sensor"):
        cameras.optics(SPECS["smart_1mp3_8mm"], (2000, 400))


@given(x=st.floats(0.03, 0.12), y=st.floats(0.03, 0.12), z=st.floats(0.002, 0.1), fill=st.floats(0.4, 0.95))
@settings(max_examples=40, deadline=None)
def test_fit_fills_the_frame_as_asked(x: float, y: float, z: float, fill: float) -> None:
    for name in ("area_5mp_25mm", "telecentric_5mp"):
        optic = cameras.optics(SPECS[name], (640, 480))
        setting = cameras.fit_part(_box(x, y, z), optic, fill)
        low, high = optic.limits
        assert low < setting < high
        assert cameras.fill_of(_box(x, y, z), optic, setting, setting) == pytest.approx(fill, rel=1e-6)


def test_fit_stops_at_the_lens_and_says_when_it_cannot() -> None:
    optic = cameras.optics(SPECS["macro_5mp_50mm"], (512, 512))
    assert cameras.fit_part(_box(4e-3, 4e-3, 1e-3), optic, 0.9) == optic.limits[0]
    with pytest.raises(InputError, match="widest view of camera 'macro_5mp_50mm'"):
        cameras.fit_part(_box(3.0, 3.0, 1.0), optic, 0.9)
    with pytest.raises(InputError, match="closest view"):
        cameras.fit_part(_box(1e-5, 1e-5, 1e-5), optic, 0.9)


def test_aperture_is_the_entrance_pupil() -> None:
    spec = SPECS["macro_5mp_50mm"].model_copy(update={"f_number": cameras.constant(10.0)})
    camera, _ = cameras.build(cameras.optics(spec, (64, 64)), 0.2, np.eye(4), 0.2, Draw(seeds.child(1)))
    assert camera.aperture_m == pytest.approx(0.005)
    tele = SPECS["telecentric_5mp"].model_copy(update={"f_number": cameras.constant(10.0)})
    camera, _ = cameras.build(cameras.optics(tele, (64, 64)), 0.5, np.eye(4), 0.2, Draw(seeds.child(1)))
    assert camera.aperture_m / camera.focus_m == pytest.approx(0.5 / 10.0)  # object-side cone: m / N


def test_a_lens_that_cannot_focus_is_refused() -> None:
    data = SPECS["area_5mp_25mm"].model_dump()
    data["lens"]["range_mm"] = (20, 500)
    with pytest.raises(ValidationError, match="focal_mm < range_mm"):
        CameraSpec.model_validate(data)


@pytest.mark.parametrize("key", ["f_number", "fill", "metered_level"])
def test_what_a_camera_divides_by_is_never_zero(key: str) -> None:
    with pytest.raises(ValidationError, match=f"{key} above 0, got 0"):
        CameraSpec.model_validate(SPECS["area_5mp_25mm"].model_dump() | {key: {"uniform": (0, 1)}})
