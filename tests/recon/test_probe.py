"""A light probe: read as Blender shows it, brought onto the fit's grid, kept by the fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import trimesh

from core.errors import InputError
from recon.capture.model import Capture
from recon.fit import Settings, Stage, reconstruct
from recon.fit.settings import Finish
from recon.light import FINE, directions, equirectangular, upright
from recon.probe import on_grid, read_probe
from recon.save import _exr
from recon.solve import solve
from recon.verdict import judge
from tests.recon import synthetic
from tests.recon.known import fitted, masks, ring

RADIUS = 0.02
BRIEF = Settings("brief", (Stage(64, 0.09, 60, 2e-2, 0.3, still=20), Stage(64, 0.06, 60, 8e-3, 0.05)), mask_weight=20)


def room(turn_deg: float = 0.0, rows: int = 128) -> np.ndarray:
    """(rows, 2 rows, 3) radiance of the synthetic captures' room, its lamps turned about +Z."""
    polar, azimuth = (np.arange(rows) + 0.5) / rows * np.pi, (np.arange(2 * rows) + 0.5) / rows * np.pi - np.pi
    p, a = np.meshgrid(polar, azimuth - np.deg2rad(turn_deg), indexing="ij")
    ways = np.stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)], -1)
    light = np.where(ways[..., 2] > 0, synthetic.SKY, synthetic.GROUND)
    for towards, strength in synthetic.LAMPS:
        lamp = ways @ (towards / np.linalg.norm(towards)) > np.cos(synthetic.LAMP_RADIUS)
        light = light + lamp * strength / np.sin(synthetic.LAMP_RADIUS) ** 2
    return np.repeat(light[..., None], 3, 2).astype(np.float32)


@pytest.fixture(scope="module")
def ball() -> Capture:
    mesh = trimesh.creation.icosphere(subdivisions=4, radius=RADIUS)
    mesh.metadata["smooth"] = True
    return synthetic.turntable(mesh, views=12, size=64, elevations=(30.0,))


def test_a_fits_own_environment_comes_back_as_a_probe(tmp_path: Path) -> None:
    """Written as environment.exr, read again, on the grid that it came from; and turned."""
    radiance = np.exp(np.sin(3 * directions(FINE)) + directions(FINE)[:, ::-1]).astype(np.float32)
    _exr(tmp_path / "environment.exr", equirectangular(radiance, np.eye(3), 128).astype(np.float32))
    found = on_grid(read_probe(tmp_path / "environment.exr"), np.eye(3))
    np.testing.assert_allclose(found * radiance.mean(), radiance, rtol=0.15)
    assert np.abs(found * radiance.mean() / radiance - 1).mean() < 0.02
    assert found.mean() == pytest.approx(1, rel=0.01)
    turned = on_grid(read_probe(tmp_path / "environment.exr", 90.0), np.eye(3)).reshape(*FINE, 3)
    np.testing.assert_allclose(np.roll(turned, -FINE[1] // 4, 1), found.reshape(*FINE, 3), rtol=1e-3)


def test_an_hdr_is_read_as_an_exr_is(tmp_path: Path) -> None:
    light = room()
    assert cv2.imwrite(str(tmp_path / "room.hdr"), np.ascontiguousarray(light[:, ::-1, ::-1]))
    _exr(tmp_path / "room.exr", light)
    one, two = (read_probe(tmp_path / f"room.{suffix}") for suffix in ("hdr", "exr"))
    np.testing.assert_allclose(one, two, rtol=0.02, atol=1e-3)
    brightest = np.unravel_index(two[..., 0].argmax(), two.shape[:2])
    azimuth = (brightest[1] + 0.5) / two.shape[1] * 2 * np.pi - np.pi
    assert azimuth == pytest.approx(np.arctan2(0.6, 0.5), abs=0.25), "the brighter lamp is where the room has it"


@pytest.mark.parametrize(
    ("image", "said"),
    [(np.ones((8, 8, 3)), "twice as wide"), (np.zeros((64, 128, 3)), "no radiance"),
     (np.full((64, 128, 3), -1.0), "no radiance"), (np.full((64, 128, 3), np.nan), "no radiance")],
)  # fmt: skip
def test_a_picture_that_is_no_probe_is_refused(image: np.ndarray, said: str, tmp_path: Path) -> None:
    _exr(tmp_path / "probe.exr", image.astype(np.float32))
    with pytest.raises(InputError, match=said):
        read_probe(tmp_path / "probe.exr")


def test_files_that_are_no_pictures_of_light_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.hdr").write_text("not a picture")
    for name in ("text.hdr", "photo.jpg", "missing.exr"):
        with pytest.raises(InputError, match=name):
            read_probe(tmp_path / name)
    with pytest.raises(InputError, match="finite angle"):
        read_probe(tmp_path / "room.hdr", float("nan"))


@pytest.mark.slow
def test_a_known_light_is_kept_and_the_right_one_explains_more(ball: Capture) -> None:
    torch.set_num_threads(1)
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=RADIUS)
    start = np.array(mesh.vertices), np.array(mesh.faces)
    brief = replace(BRIEF, bounces=False)
    right, wrong = (reconstruct(ball, brief, seed=2, start=start, light=room(turn)) for turn in (0.0, 120.0))
    kept = equirectangular(on_grid(room(), upright(np.array([0.0, 0.0, 1.0]))), np.eye(3))
    np.testing.assert_allclose(right.environment, kept, rtol=1e-3, atol=1e-3)
    assert right.facts["light_probe"] and right.facts["held_out_psnr_db"] > wrong.facts["held_out_psnr_db"] + 5
    assert right.facts["held_out_psnr_db"] > 28


def test_with_a_probe_one_elevation_identifies_the_material() -> None:
    capture = ring((25.0,))
    found = fitted(capture)
    known = replace(found, facts={**found.facts, "light_probe": True})
    assert judge(capture, masks(), known, 0.99).outcome == "accepted"


@pytest.mark.slow
def test_the_last_pass_keeps_a_known_light_too(ball: Capture) -> None:
    torch.set_num_threads(1)
    settings = replace(
        BRIEF,
        hull_resolution=48,
        bounces=False,
        stereo=False,
        finish=Finish(side_px=64, steps=6, draws=4, final_draws=8),
    )
    found = solve(ball, settings, seed=2, light=room())
    kept = equirectangular(on_grid(room(), upright(np.array([0.0, 0.0, 1.0]))), np.eye(3))
    assert found.facts["finish"]["steps"] == 6 and found.maps is not None
    np.testing.assert_allclose(found.environment, np.maximum(kept, 1e-4), rtol=1e-3, atol=1e-3)
