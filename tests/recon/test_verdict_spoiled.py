"""What spoils captures on a shop floor is named before any fit, or by how the fit's light leaves the photographs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
import trimesh

from core.seeds import child
from recon.capture.check import check_poses
from recon.capture.coherence import coherence
from recon.capture.inspection import COHERENT, inspect
from recon.capture.masks import cross_check
from recon.capture.model import Capture, View, hold_out
from recon.capture.rims import rim
from recon.capture.unfit import UnfitCapture
from recon.doubts import vetted
from recon.lighting import lighting
from recon.result import Reconstruction, Shading
from recon.verdict import LEAST_EXPLAINED, WELL_EXPLAINED, judge
from tests.recon import synthetic
from tests.recon.known import fitted, masks
from tests.recon.known import ring as empty_ring

VIEWS = 20
RAISED = VIEWS // 2
OTHER_LAMPS = ((np.array([-0.5, 0.7, 0.3]), 2.4), (np.array([0.3, -0.8, 0.5]), 0.6))


@pytest.fixture(scope="module")
def bracket() -> Capture:
    """Two rings, one after the other, of a block with a stud on it."""
    stud = trimesh.creation.cylinder(0.2, 0.7, transform=trimesh.transformations.translation_matrix((0.25, 0.05, 0.3)))
    part = trimesh.boolean.union([trimesh.creation.box((1, 0.6, 0.4)), stud], engine="manifold")
    return in_rings(synthetic.turntable(part, views=VIEWS, size=112, grid=2))


def in_rings(capture: Capture) -> Capture:
    """Ring after ring; every eighth photograph is kept apart."""
    order = [*range(0, VIEWS, 2), *range(1, VIEWS, 2)]
    return capture.with_views(hold_out([capture.views[i] for i in order]))


def checked(capture: Capture) -> tuple[str, ...]:
    """What is said against a capture that is let through."""
    check_poses(capture)
    return tuple(f"{r.subject}: {r.said}" for r in vetted(capture, cross_check(capture))[1])


def with_masks(capture: Capture, spoil: Callable[[np.ndarray], np.ndarray]) -> Capture:
    return capture.with_views([replace(v, mask=spoil(v.mask)) for v in capture.views])


def with_poses(capture: Capture, moves: Sequence[np.ndarray]) -> Capture:
    """moves: (4, 4) of the part, one a view."""
    pairs = zip(capture.views, moves, strict=True)
    return capture.with_views([replace(v, camera_from_part=v.camera_from_part @ m) for v, m in pairs])


def with_images(capture: Capture, spoil: Callable[[View], np.ndarray]) -> Capture:
    return capture.with_views([replace(v, image=spoil(v)) for v in capture.views])


def glow(view: View) -> np.ndarray:
    """A bare table, a little brighter where the light falls."""
    bright = cv2.GaussianBlur(np.ascontiguousarray(view.mask, np.float32), (0, 0), 6)
    grain = child(7, view.name).normal(0, 0.0005, view.image.shape)
    return (0.03 + 0.012 * bright[..., None] + grain).astype(np.float32)


def noise(view: View) -> np.ndarray:
    return child(int(view.name[-2:]), "noise").uniform(0.2, 0.4, view.image.shape).astype(np.float32)


def turned(vector: np.ndarray) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = cv2.Rodrigues(np.asarray(vector, float))[0]
    return pose


def slipped(capture: Capture) -> Capture:
    """Each photograph with the mask of the next of its ring."""
    views = capture.views
    rings = [list(range(RAISED)), list(range(RAISED, VIEWS))]
    after = {i: ring[(k + 1) % len(ring)] for ring in rings for k, i in enumerate(ring)}
    return capture.with_views([replace(v, mask=views[after[i]].mask) for i, v in enumerate(views)])


def knocked(capture: Capture) -> Capture:
    knock = turned(np.deg2rad([0, 0, 6]))
    knock[0, 3] = 0.02
    return with_poses(capture, [np.eye(4)] * RAISED + [knock] * RAISED)


def test_a_good_capture_raises_no_doubt(bracket: Capture) -> None:
    assert checked(bracket) == ()
    seen = inspect(bracket)
    assert (seen.on_edges and seen.slip is None) or seen.anothers < 1.1
    assert seen.coherence is not None and seen.coherence.mean < COHERENT


@pytest.mark.parametrize(
    ("said", "spoil"),
    [
        ("too narrow", lambda c: with_masks(c, lambda m: cv2.erode(m, np.ones((7, 7))))),
        ("too wide", lambda c: with_masks(c, lambda m: cv2.dilate(m, np.ones((7, 7))))),
        (r"shifted by \(\+3, -4\) px", lambda c: with_masks(c, lambda m: np.roll(m, (3, -4), (1, 0)))),
        ("show no more at the masks' outlines than beside", lambda c: with_images(c, lambda v: 0 * v.image + 0.3)),
        ("show no more at the masks' outlines than beside", lambda c: with_images(c, noise)),
        ("show no more at the masks' outlines than beside", lambda c: with_images(c, glow)),
        ("most are those of 1 photograph later", slipped),
        ("moved before 001", knocked),
        ("y and z flipped", lambda c: c.with_views(
            [replace(v, camera_from_part=np.diag([1.0, -1, -1, 1]) @ v.camera_from_part) for v in c.views])),
    ],
)  # fmt: skip
def test_spoiled_captures_are_refused_before_the_fit(bracket: Capture, said: str, spoil) -> None:
    with pytest.raises(UnfitCapture, match=said) as error:
        checked(spoil(bracket))
    assert error.value.do


def test_noisy_poses_are_refused_as_poses(bracket: Capture, rng: np.random.Generator) -> None:
    noise = [turned(rng.normal(0, np.deg2rad(2), 3)) for _ in bracket.views]
    with pytest.raises(UnfitCapture, match="poses are off") as error:
        checked(with_poses(bracket, noise))
    assert "marker board" in str(error.value)


def test_a_table_that_turned_the_other_way_is_told_from_noise(bracket: Capture) -> None:
    """A mirrored world is met by much of its hull; the sentence says what to do to the file."""
    left, right = np.diag([1.0, -1, 1, 1]), np.diag([-1.0, 1, 1, 1])
    views = [replace(v, camera_from_part=right @ v.camera_from_part @ left) for v in bracket.views]
    with pytest.raises(UnfitCapture, match="negate the first column and the first row of every matrix"):
        checked(bracket.with_views(views))


def test_a_knock_is_told_from_noise(bracket: Capture, rng: np.random.Generator) -> None:
    noise = [turned(rng.normal(0, np.deg2rad(2), 3)) for _ in bracket.views]
    assert coherence(with_poses(bracket, noise).views, COHERENT).cut is None
    assert coherence(knocked(bracket).views, COHERENT).cut == RAISED
    early = with_poses(bracket, [np.eye(4)] * 7 + [turned(np.deg2rad([0, 0, 6]))] * (VIEWS - 7))
    assert coherence(early.views, COHERENT).cut == 7


def test_blur_is_measured_and_told(bracket: Capture) -> None:
    for sigma in (1.5, 2.5):
        soft = with_images(bracket, lambda v, s=sigma: cv2.GaussianBlur(v.image, (0, 0), s))
        assert np.nanmedian(inspect(soft).blur_px) == pytest.approx(np.hypot(sigma, 0.5), rel=0.25)
    with pytest.raises(UnfitCapture, match=r"blurred by 2.\d px"):
        checked(soft)
    assert rim(bracket.views[0]).blur_px < 1  # type: ignore[union-attr]


def test_single_blurred_photographs_are_named(bracket: Capture) -> None:
    odd = {"004", "011"}
    some = with_images(bracket, lambda v: cv2.GaussianBlur(v.image, (0, 0), 3.0) if v.name in odd else v.image)
    told = [w for w in checked(some) if w.startswith("sharpness")]
    assert len(told) == 1 and all(name in told[0] for name in odd)


def test_one_odd_mask_is_noted_not_refused(bracket: Capture) -> None:
    views = list(bracket.views)
    views[3] = replace(views[3], mask=np.roll(views[3].mask, 8, 1))
    assert [w for w in checked(bracket.with_views(views)) if views[3].name in w]


def test_a_rim_that_does_not_show_is_said_to_be_unchecked(bracket: Capture) -> None:
    """A black part before black, with a bright mark on it: nothing tells where it ends."""

    def dark(view: View) -> np.ndarray:
        marked = np.zeros_like(view.image)
        rows, columns = np.nonzero(view.mask > 0.5)
        row, column = int(rows.mean()), int(columns.mean())
        marked[row - 4 : row + 4, column - 6 : column + 6] = 0.6
        return marked * view.mask[..., None]

    assert any("could not be checked" in w for w in checked(with_images(bracket, dark)))


def test_a_half_ring_is_refused_for_its_gap() -> None:
    half = empty_ring(turn=np.pi)
    told = judge(half, masks(), fitted(half), 0.99, doubts=())
    assert "coverage" in {r.subject for r in told.reasons} and not told.usable


def lit(normals: np.ndarray, lamps) -> np.ndarray:
    """(n,) what `synthetic` shows of a convex part of albedo 1, without its constant."""
    light = synthetic.SKY + (synthetic.GROUND - synthetic.SKY) * (0.5 - 0.5 * normals[:, 2])
    for towards, strength in lamps:
        light = light + strength * np.mean([np.clip(normals @ p, 0, None) for p in synthetic.lamp_points(towards)], 0)
    return 0.4 * light


def explained_by(capture: Capture, part: trimesh.Trimesh, lamps: Sequence) -> Reconstruction:
    """A perfect fit under the mean of several sets of lamps."""
    points, normals = np.array(part.vertices), np.array(part.vertex_normals)
    n = len(points)
    shadings = []
    for view in capture.views:
        light = np.mean([lit(normals @ view.room_from_part.T, one) for one in lamps], axis=0)
        shadings.append(Shading(np.repeat(light[:, None], 3, 1), np.zeros((n, 3)), np.ones(3)))
    poses = np.stack([v.camera_from_part for v in capture.views])
    return replace(
        fitted(empty_ring()), vertices=points, faces=np.array(part.faces, np.int32), albedo=np.full((n, 3), 0.5),
        camera_from_part=poses, shadings=shadings,
    )  # fmt: skip


@pytest.fixture(scope="module")
def egg() -> trimesh.Trimesh:
    part = trimesh.creation.icosphere(4)
    part.apply_scale([1.0, 0.7, 0.6])
    part.metadata["smooth"] = True
    return part


@pytest.fixture(scope="module")
def under_both(egg: trimesh.Trimesh) -> tuple[Capture, Capture]:
    """The same photographs under `LAMPS` and under `OTHER_LAMPS`, ten of a low ring and then ten of a high one."""
    first = in_rings(synthetic.turntable(egg, views=VIEWS, size=64, grid=2))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(synthetic, "LAMPS", OTHER_LAMPS)
        return first, in_rings(synthetic.turntable(egg, views=VIEWS, size=64, grid=2))


def test_light_that_stood_still_shows_no_change(egg: trimesh.Trimesh, under_both: tuple[Capture, Capture]) -> None:
    found = lighting(under_both[0], explained_by(under_both[0], egg, (synthetic.LAMPS,)))
    assert found.explained > 0.97
    assert found.change < 0.1 or found.change_srgb < 0.01


@pytest.mark.parametrize("when", [4, 10, 15])
def test_a_moved_lamp_is_found_and_dated(egg: trimesh.Trimesh, under_both: tuple[Capture, Capture], when: int) -> None:
    first, other = under_both
    moved = first.with_views([*first.views[:when], *other.views[when:]])
    found = lighting(moved, explained_by(moved, egg, (synthetic.LAMPS, OTHER_LAMPS)))
    assert found.after == moved.views[when].name
    verdict = judge(moved, masks(VIEWS), replace(fitted(moved)), 0.99, doubts=(), lighting=found)
    assert not verdict.usable and verdict.reasons[0].subject == "light", "what is wrong comes before what follows"
    dimmer = replace(found, explained=(LEAST_EXPLAINED + WELL_EXPLAINED) / 2)
    told = judge(moved, masks(VIEWS), fitted(moved), 0.99, doubts=(), lighting=dimmer)
    assert "appearance" not in {r.subject for r in told.reasons}, "a moved lamp is not blamed on the surface"
    assert moved.views[when].name in verdict.sentence()


def test_what_no_light_explains_is_refused(egg: trimesh.Trimesh, under_both: tuple[Capture, Capture]) -> None:
    """A mirror shows the room: bright bars that stand still in the photograph while the part turns."""
    capture = under_both[0]

    def mirror(view: View) -> np.ndarray:
        bars = (np.indices(view.size)[1] // 4 % 2).astype(np.float32)
        return (0.02 + 0.6 * bars)[..., None] * view.mask[..., None] * np.ones(3, np.float32)

    shiny = with_images(capture, mirror)
    found = lighting(shiny, explained_by(shiny, egg, (synthetic.LAMPS,)))
    assert found.explained < 0.25
    verdict = judge(shiny, masks(VIEWS), fitted(shiny), 0.99, doubts=(), lighting=found)
    assert not verdict.usable
    assert "matt" in verdict.sentence()
