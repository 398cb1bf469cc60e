"""A chrome ball, drawn ray by ray under a known room, gives that room back."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.colour import srgb_from_linear
from core.errors import InputError
from flawsmith.probe_options import probe_of
from recon.capture.model import View
from recon.chrome_ball import GRAZING, ROWS, Ball, clipped_share, unwrapped
from recon.probe import LightProbe, read_ball
from recon.save import _exr
from tests.recon.known import ring

SIDE = 240
K = np.array([[400.0, 0, 120], [0, 400, 120], [0, 0, 1]])
LAMP, LAMP_COSINE = np.array([0.36, 0.48, 0.8]), np.cos(np.deg2rad(12))


def room(ways: np.ndarray) -> np.ndarray:
    """(..., 3) radiance of the room's directions: a coloured sky and one lamp."""
    sky = 0.3 + 0.2 * ways * [1.0, 0.7, 0.5]
    return np.where((ways @ LAMP > LAMP_COSINE)[..., None], 6.0, sky)


def looking(azimuth_deg: float, down_deg: float) -> np.ndarray:
    """(3, 3) room_from_camera of a camera that looks towards an azimuth, downwards."""
    a, d = np.deg2rad(azimuth_deg), np.deg2rad(down_deg)
    forward = np.array([np.cos(a) * np.cos(d), np.sin(a) * np.cos(d), -np.sin(d)])
    right = np.array([np.sin(a), -np.cos(a), 0])
    return np.stack([right, np.cross(forward, right), forward], 1)


def photograph(middle: np.ndarray, radius: float, room_from_camera: np.ndarray, fine: int = 3) -> np.ndarray:
    """(SIDE, SIDE, 3) of a mirror ball: rays cast at it one by one. middle: (3,) in the camera."""
    x, y = np.meshgrid((np.arange(SIDE * fine) + 0.5) / fine, (np.arange(SIDE * fine) + 0.5) / fine)
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(K).T
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    along = rays @ middle
    under = along**2 - (middle @ middle - radius**2)
    at = rays * (along - np.sqrt(np.maximum(under, 0)))[..., None]
    normal = (at - middle) / radius
    mirrored = rays - 2 * (rays * normal).sum(-1, keepdims=True) * normal
    image = np.where((under > 0)[..., None], room(mirrored @ room_from_camera.T), 0.05)
    return image.reshape(SIDE, fine, SIDE, fine, 3).mean((1, 3))


def ball_of(middle: np.ndarray, radius: float) -> Ball:
    """Its outline, as a user would read it off the picture: the ellipse's middle, and its mean radius."""
    distance = np.linalg.norm(middle)
    s, alpha = middle / distance, np.arcsin(radius / distance)
    across = np.linalg.svd(s[None])[2][1:]
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    rim = np.cos(alpha) * s + np.sin(alpha) * (np.cos(angle)[:, None] * across[0] + np.sin(angle)[:, None] * across[1])
    pixels = (rim @ K.T)[:, :2] / (rim @ K.T)[:, 2:]
    x, y = (pixels.max(0) + pixels.min(0)) / 2
    return Ball(float(x), float(y), float(np.ptp(pixels, axis=0).mean() / 2))


def directions() -> np.ndarray:
    polar, azimuth = (np.arange(ROWS) + 0.5) / ROWS * np.pi, (np.arange(2 * ROWS) + 0.5) / ROWS * np.pi - np.pi
    p, a = np.meshgrid(polar, azimuth, indexing="ij")
    return np.stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)], -1)


@pytest.mark.parametrize("middle", [(0.0, 0.0, 0.5), (0.04, -0.03, 0.5), (0.0, 0.02, 2.0)])
@pytest.mark.parametrize(("azimuth", "down"), [(0.0, 30.0), (130.0, 10.0)])
def test_a_room_comes_back_off_its_ball(middle: tuple[float, float, float], azimuth: float, down: float) -> None:
    place = np.array(middle)
    turn, radius = looking(azimuth, down), 0.2 * place[2]
    found = unwrapped(photograph(place, radius, turn), ball_of(place, radius), K, turn)
    ways = directions()
    behind = ways @ turn[:, 2] > np.cos(np.arccos(1 - 2 * GRAZING**2) + np.arcsin(0.2) + np.deg2rad(12))
    lamp = ways @ LAMP
    even = ~behind & (np.abs(np.arccos(np.clip(lamp, -1, 1)) - np.arccos(LAMP_COSINE)) > np.deg2rad(4))
    error = np.abs(found - room(ways))[even]
    assert error.mean() < 0.01 and np.quantile(error, 0.99) < 0.05
    weight = np.where((lamp > np.cos(np.deg2rad(20)))[..., None], found - 0.6, 0).clip(0).sum(-1)
    weight = weight * np.sqrt(1 - ways[..., 2] ** 2)
    centre = (ways * weight[..., None]).sum((0, 1))
    assert centre / np.linalg.norm(centre) @ LAMP > np.cos(np.deg2rad(1.5)), "the lamp stands where it stood"
    assert np.isfinite(found).all() and found[behind].min() > 0.05, "behind it, what the rim shows and not the backdrop"


def test_its_light_is_the_views_room_whatever_the_pictures_size(tmp_path: Path) -> None:
    view = replace_pose(ring((25.0,)).views[3])
    turn = view.room_from_part @ view.camera_from_part[:3, :3].T
    place = np.array([0.0, 0.0, 0.5])
    picture, ball = photograph(place, 0.1, turn), ball_of(place, 0.1)
    _exr(tmp_path / "ball.exr", picture[:, ::-1].astype(np.float32))  # it mirrors, as environments are kept
    large = cv2.resize(picture, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST).astype(np.float32)
    _exr(tmp_path / "large.exr", large[:, ::-1])
    one, said = read_ball(tmp_path / "ball.exr", ball, view)
    other, _ = read_ball(tmp_path / "large.exr", Ball(3 * ball.x, 3 * ball.y, 3 * ball.radius), view)
    assert said == "", "a file of floats has no white: a radiance of 6 is one"
    assert np.abs(one - other).mean() < 0.01 and np.quantile(np.abs(one - other), 0.99) < 0.1
    sines = np.sin((np.arange(ROWS) + 0.5) / ROWS * np.pi)
    assert (one.mean((1, 2)) * sines).sum() / sines.sum() == pytest.approx(1, abs=1e-5)
    ratio = one / room(directions())
    assert np.quantile(ratio, 0.9) / np.quantile(ratio, 0.1) < 1.1


def replace_pose(view: View) -> View:
    """The view with the camera of `photograph`."""
    image = np.zeros((SIDE, SIDE, 3), np.float32)
    return replace(view, image=image, mask=image[..., 0], intrinsics=K)


def test_what_is_clipped_is_counted_and_too_much_refused() -> None:
    picture, ball = np.full((64, 64, 3), 0.5), Ball(32, 32, 24)
    assert clipped_share(picture, ball) == 0
    picture[20:40, 20:40, 1] = 1.0
    assert clipped_share(picture, ball) == pytest.approx(400 / (np.pi * 24**2), rel=0.01)
    with pytest.raises(InputError, match="100% is clipped"):
        clipped_share(np.ones((64, 64, 3)), ball)


@pytest.mark.parametrize(("depth", "white"), [(np.uint8, 255), (np.uint16, 65535)])
def test_a_clipped_photograph_is_told_of_and_a_white_one_refused(depth: type, white: int, tmp_path: Path) -> None:
    view = replace_pose(ring((25.0,)).views[0])
    picture = np.full((SIDE, SIDE, 3), white // 2, depth)
    picture[110:130, 110:130] = white
    cv2.imwrite(str(tmp_path / "ball.png"), picture)
    assert read_ball(tmp_path / "ball.png", Ball(120, 120, 40), view)[1].startswith("8.0% of the chrome ball is clipp")
    cv2.imwrite(str(tmp_path / "white.png"), np.full((SIDE, SIDE, 3), white, depth))
    with pytest.raises(InputError, match="100% is clipped"):
        read_ball(tmp_path / "white.png", Ball(120, 120, 40), view)


@pytest.mark.parametrize(
    ("ball", "said"),
    [(Ball(32, 32, 8), "16 px or more"), (Ball(10, 32, 20), "within the picture"), (Ball(32, 60, 20), "within"),
     (Ball(float("nan"), 32, 20), "px or more"), (Ball(32, 32, float("inf")), "px or more|within")],
)  # fmt: skip
def test_a_ball_that_is_not_there_is_refused(ball: Ball, said: str) -> None:
    with pytest.raises(InputError, match=said):
        unwrapped(np.full((64, 64, 3), 0.5), ball, K, np.eye(3))


def test_a_black_ball_and_another_cameras_picture_are_refused(tmp_path: Path) -> None:
    view = replace_pose(ring((25.0,)).views[0])
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((SIDE, SIDE, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "wide.png"), np.full((100, 200, 3), 99, np.uint8))
    for name, said in (("black.png", "no light"), ("wide.png", "same camera"), ("missing.png", "does not exist")):
        with pytest.raises(InputError, match=said):
            read_ball(tmp_path / name, Ball(120, 120, 40), view)


def test_a_photograph_is_named_with_or_without_its_folder(tmp_path: Path) -> None:
    capture = ring((25.0, 50.0))  # the camera stands still while the table turns: only its two heights differ
    capture = capture.with_views([replace_pose(replace(v, name=f"images/{v.name}.png")) for v in capture.views])
    codes = np.rint(srgb_from_linear(np.clip(photograph(np.array([0, 0, 0.5]), 0.1, np.eye(3)), 0, 1)) * 255)
    cv2.imwrite(str(tmp_path / "ball.png"), codes.astype(np.uint8)[..., ::-1])
    ball = ball_of(np.array([0, 0, 0.5]), 0.1)
    third = capture.views[3].name
    lights = [
        LightProbe(tmp_path / "ball.png", ball=ball, view=name).read(capture)[0]
        for name in (third, Path(third).name, Path(third).stem)
    ]
    assert np.array_equal(lights[0], lights[1]) and np.array_equal(lights[0], lights[2])
    assert not np.array_equal(lights[0], LightProbe(tmp_path / "ball.png", ball=ball).read(capture)[0])
    with pytest.raises(InputError, match="nobody"):
        LightProbe(tmp_path / "ball.png", ball=ball, view="nobody").read(capture)


def test_options_that_contradict_are_one_sentence() -> None:
    path = Path("ball.png")
    found = probe_of(path, 0.0, "10,20.5,30", "a")
    assert found == LightProbe(path, 0.0, Ball(10, 20.5, 30), "a")
    assert probe_of(None, 0.0, None, None) is None and probe_of(path, 5.0, None, None) == LightProbe(path, 5.0)
    contradicting = {
        (None, 0.0, "1,2,3", None): "--probe-ball without --light-probe",
        (None, 0.0, "1,2,3", "a"): "--probe-ball, --probe-view without --light-probe",
        (None, 3.0, None, None): "--probe-turn without --light-probe",
        (path, 0.0, None, "a"): "light probe ball.png with a view and no ball",
        (path, 4.0, "1,2,3", None): "light probe ball.png with a ball, turned by 4 degrees",
        (path, 0.0, "1,2", None): "--probe-ball 1,2: expected three numbers",
        (path, 0.0, "a,b,c", None): "--probe-ball a,b,c: expected three numbers",
    }
    for given, said in contradicting.items():
        with pytest.raises(InputError, match=re.escape(said)):
            probe_of(*given)
    with pytest.raises(InputError, match=r"ball\.png with a view and no ball"):
        LightProbe(path, 0.0, None, "a")
    with pytest.raises(InputError, match=r"ball\.png with a ball, turned by 4 degrees"):
        LightProbe(path, 4.0, Ball(1, 2, 3), None)
