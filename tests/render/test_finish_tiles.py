"""Tiles of micro-structure: periodic, as high and steep as booked, the same every time, grouped by scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from render.blender import finishes_fold as fold
from render.blender import finishes_tiles as tiles
from scenes.materials import load_materials

LIBRARY = {name: material.model_dump()["structure"] for name, material in load_materials().items()}
FINE = 1e-7
NOISE = {"kind": "grain", "size_mm": 0.5, "height_um": 4.0, "octaves": 1, "fall": 0.5, "form": "noise"}
PITS = {"kind": "pits", "spacing_mm": 1.0, "size_mm": 0.8, "depth_um": 20.0, "cover": 0.5, "tone": 0.6}
SPANGLE = {
    "kind": "spangle", "size_mm": 8.0, "tone": 0.06, "roughness": 0.13, "dendrite_mm": 0.9, "dendrite_um": 1.6,
}  # fmt: skip


def values(tile: tiles.Tile, channel: int = tiles.HEIGHT) -> np.ndarray:
    """What a cubic B-spline look-up finds at the texels: neighbours weigh 1/6, 4/6, 1/6 on each axis."""
    out = tile.pixels[..., channel].astype(float)
    for axis in (0, 1):
        out = (np.roll(out, 1, axis) + 4 * out + np.roll(out, -1, axis)) / 6
    return out * (tile.height_m if channel == tiles.HEIGHT else 1.0)


def slope(height: np.ndarray, pitch_m: float) -> float:
    """rms slope on the first axis, exact for what the grid can hold."""
    waves = 2j * np.pi * np.fft.fftfreq(len(height), pitch_m)
    return float(np.fft.ifft(np.fft.fft(height, axis=0) * waves[:, None], axis=0).real.std())


@settings(max_examples=20, deadline=None)
@given(size=st.floats(0.05, 20.0), height=st.floats(0.1, 50.0), octaves=st.integers(1, 3))
def test_noise_has_the_booked_height_and_slope(size, height, octaves) -> None:
    layer = {**NOISE, "size_mm": size, "height_um": height, "octaves": octaves}
    (tile,) = tiles.build([layer], FINE)
    waves = fold.waves(layer)
    assert values(tile).std() == pytest.approx(np.sqrt(sum(w.height_m**2 for w in waves)), rel=0.03)
    found = slope(values(tile), tile.period_m / len(tile.pixels))
    assert found == pytest.approx(np.sqrt(sum(w.across**2 for w in waves)), rel=0.05)


@pytest.mark.parametrize("form", ["bumps", "dimples"])
def test_cells_have_the_booked_height_and_slope_and_point_the_right_way(form) -> None:
    layer = {**NOISE, "form": form}
    (tile,) = tiles.build([layer], FINE)
    height, (wave,) = values(tile), fold.waves(layer)
    assert height.std() == pytest.approx(wave.height_m, rel=0.03)
    assert slope(height, tile.period_m / len(tile.pixels)) == pytest.approx(wave.across, rel=0.15)
    skew = ((height - height.mean()) ** 3).mean() / height.std() ** 3
    assert (skew < -0.3) if form == "bumps" else (skew > 0.3), (
        "sharp valleys between bumps, sharp ridges between dimples"
    )


def test_pits_cover_what_the_lattice_of_balls_does() -> None:
    (tile,) = tiles.build([PITS], FINE)
    height = values(tile)
    area = 0.5 * 4 / 3 * np.pi * 0.0586 * 0.8**3
    assert (height < -0.5e-6).mean() == pytest.approx(area, rel=0.25)
    assert height.min() == pytest.approx(-20e-6, rel=0.1)
    assert tile.pixels[..., tiles.TONE].min() == pytest.approx(-0.4, abs=0.02)


def test_tiles_have_no_seam() -> None:
    for layer in (NOISE, {**NOISE, "form": "bumps"}, PITS, SPANGLE):
        height = values(tiles.build([layer], FINE)[0])
        inside = np.abs(np.diff(height, axis=0)).mean()
        assert np.abs(height[0] - height[-1]).mean() < 1.5 * inside
        assert np.abs(height[:, 0] - height[:, -1]).mean() < 1.5 * inside


def test_crystals_keep_one_gloss_each() -> None:
    (tile,) = tiles.build([SPANGLE], FINE)
    gloss = tile.pixels[..., tiles.ROUGHNESS]
    assert gloss.std() == pytest.approx(0.13, rel=0.25) and abs(gloss.mean()) < 1e-3
    assert 30 < len(np.unique(gloss)) < 200
    assert (np.diff(gloss, axis=0) == 0).mean() > 0.9


@pytest.mark.parametrize("name", LIBRARY)
def test_every_finish_has_few_tiles_and_fine_ones(name) -> None:
    made = tiles.build(LIBRARY[name], FINE)
    assert len(made) <= 3
    lengths = [w.length_m for layer in LIBRARY[name] if tiles.tileable(layer) for w in fold.waves(layer)]
    for tile in made:
        assert tile.pixels.dtype == np.float32 and np.isfinite(tile.pixels).all()
        assert tile.period_m >= 10 * min(lengths, default=0.0)


def test_the_same_bytes_every_time_and_others_for_another_layer() -> None:
    first = tiles.build(LIBRARY["sand_cast_iron"], 5e-5)
    tiles.build(LIBRARY["galvanised"], 5e-5)
    tiles._noise.cache_clear()
    again = tiles.build(LIBRARY["sand_cast_iron"], 5e-5)
    assert [t.pixels.tobytes() for t in first] == [t.pixels.tobytes() for t in again]
    one, two = (tiles.build([{**NOISE, "height_um": h}], FINE)[0].pixels[..., 0] for h in (4.0, 4.1))
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.1


def test_what_a_pixel_cannot_resolve_is_in_no_tile() -> None:
    assert tiles.build([NOISE, PITS], 1.0) == []
    near, half = (values(tiles.build([NOISE], p)[0]).std() for p in (FINE, 0.5e-3 / 4))
    assert half == pytest.approx(near * fold.drawn(0.5e-3, 0.5e-3 / 4), rel=1e-4)
