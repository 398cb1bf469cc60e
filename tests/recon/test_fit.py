"""The fit: shapes come back from wrong starts, lamps are found where they stand, the same seed gives the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import trimesh

from core.errors import InputError
from core.seeds import child
from recon.capture.model import Capture
from recon.fit import Settings, Stage, checkpoint, preset, reconstruct
from recon.fit.optimise import Fit, limited
from recon.fit.precondition import Preconditioner, UniformAdam, laplacian
from recon.fit.unknowns import Unknowns
from recon.metrics import compare_shapes
from recon.result import Reconstruction
from tests.recon.synthetic import turntable

RADIUS = 0.02
SHORT = Settings("short", (Stage(80, 0.08, 120, 2e-2, 0.3, still=40), Stage(80, 0.05, 120, 6e-3, 0.05)), mask_weight=20)


@pytest.fixture(scope="module")
def ball() -> Capture:
    mesh = trimesh.creation.icosphere(subdivisions=5, radius=RADIUS)
    mesh.metadata["smooth"] = True
    return turntable(mesh, views=16, size=80)


def egg() -> tuple[np.ndarray, np.ndarray]:
    """A start that is 15 % too large, and no sphere."""
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=1.15 * RADIUS)
    return np.array(mesh.vertices) * [1.0, 1.1, 0.9], np.array(mesh.faces)


@pytest.fixture(scope="module")
def found(ball: Capture) -> Reconstruction:
    torch.set_num_threads(1)
    return reconstruct(ball, SHORT, seed=3, start=egg())


@pytest.mark.slow
def test_a_sphere_comes_back_from_an_egg(found: Reconstruction) -> None:
    """Where two views saw it: the mean error is below 0.05 % of the diagonal (a seventeenth of a pixel)."""
    seen = found.views_seen >= 2
    off = np.abs(np.linalg.norm(found.vertices[seen], axis=1) - RADIUS)
    assert seen.mean() > 0.75
    assert 100 * off.mean() / (2 * RADIUS * np.sqrt(3)) < 0.05
    assert found.facts["held_out_psnr_db"] > 27
    assert min(v["iou"] for v in found.facts["views"]) > 0.98
    assert found.facts["one_colour"]


@pytest.mark.slow
def test_a_part_in_two_colours_keeps_them() -> None:
    """A blue cap on a red ball has few edges with a mark, as a plain part has, and is none."""
    torch.set_num_threads(1)

    def capped(points: np.ndarray) -> np.ndarray:
        return np.where(points[:, 2:] > 0.2 * RADIUS, [0.1, 0.15, 0.5], [0.5, 0.12, 0.1])

    mesh = trimesh.creation.icosphere(subdivisions=5, radius=RADIUS)
    mesh.metadata["smooth"] = True
    found = reconstruct(turntable(mesh, capped, views=12, size=64), SHORT, seed=3, start=egg())
    assert found.facts["marked_share"] < 0.07 and not found.facts["one_colour"]
    cap = found.albedo[found.vertices[:, 2] > 0.5 * RADIUS].mean(0)
    assert cap[2] > 3.5 * cap[0]


@pytest.mark.slow
def test_a_torus_comes_back_from_a_thick_and_bent_one() -> None:
    torch.set_num_threads(1)
    mesh = trimesh.creation.torus(RADIUS, 0.4 * RADIUS, major_sections=128, minor_sections=64)
    mesh.metadata["smooth"] = True
    thick = trimesh.creation.torus(1.06 * RADIUS, 0.48 * RADIUS, major_sections=48, minor_sections=24)
    start = np.array(thick.vertices) * [1.0, 1.08, 0.94], np.array(thick.faces)
    brief = replace(SHORT, stages=(Stage(64, 0.09, 60, 2e-2, 0.3, still=20), Stage(64, 0.06, 60, 8e-3, 0.05)))
    found = reconstruct(turntable(mesh, views=12, size=64), brief, seed=3, start=start)
    ends, true = (found.vertices, found.faces), (np.array(mesh.vertices), np.array(mesh.faces))
    off, before = (compare_shapes(one, true, child(1, "torus"), samples=8000).chamfer for one in (ends, start))
    diagonal = float(np.linalg.norm(mesh.extents))
    assert 100 * off / diagonal < 0.1
    assert off < 0.1 * before
    assert trimesh.Trimesh(*ends, process=False).euler_number == 0


def test_the_surface_is_closed_and_faces_outwards(found: Reconstruction) -> None:
    mesh = trimesh.Trimesh(found.vertices, found.faces, process=False)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.02)


def test_light_comes_from_where_the_lamp_stands(found: Reconstruction) -> None:
    """The brightest third of the upper sky lies on the brighter lamp's side, room frame."""
    h, w, _ = found.environment.shape
    azimuth = (np.arange(w) + 0.5) / w * 2 * np.pi - np.pi
    upper = found.environment[: h // 2].mean((0, 2))
    towards = np.angle((upper * np.exp(1j * azimuth)).sum())
    assert abs(np.angle(np.exp(1j * (towards - np.arctan2(0.6, 0.5))))) < np.deg2rad(45)


def test_same_seed_same_mesh(ball: Capture) -> None:
    torch.set_num_threads(1)
    brief = replace(SHORT, stages=(Stage(48, 0.15, 12, 1e-2, still=4),))
    first, second = (reconstruct(ball, brief, seed=5, start=egg()) for _ in range(2))
    other = reconstruct(ball, brief, seed=6, start=egg())
    assert np.array_equal(first.vertices, second.vertices)
    assert np.array_equal(first.albedo, second.albedo)
    assert not np.array_equal(first.vertices, other.vertices)


def test_a_time_limit_stops_early_and_is_recorded(ball: Capture) -> None:
    brief = replace(SHORT, stages=(Stage(48, 0.15, 10_000, 1e-2),)).with_minutes(0.02)
    assert reconstruct(ball, brief, start=egg()).facts["stopped_early"]


def test_a_preview_shows_photographs_over_the_fit(ball: Capture, tmp_path: Path) -> None:
    brief = replace(SHORT, stages=(Stage(48, 0.15, 12, 1e-2, still=4),))
    reconstruct(ball, brief, seed=5, start=egg(), preview=tmp_path / "look.png")
    seen = cv2.imread(str(tmp_path / "look.png"))
    assert seen is not None and seen.shape == (96, 48 * 6, 3)
    photographs, fitted = seen[:48].astype(float), seen[48:].astype(float)
    assert photographs.std() > 10 and 0 < np.abs(photographs - fitted).mean() < 0.5 * photographs.mean()
    assert [p.name for p in tmp_path.iterdir()] == ["look.png"]


def test_the_preconditioner_inverts_itself_and_smooths() -> None:
    mesh = trimesh.creation.icosphere(subdivisions=3)
    faces, n = np.array(mesh.faces), len(mesh.vertices)
    smooth = Preconditioner(faces, n, 30.0)
    points = torch.tensor(np.array(mesh.vertices), dtype=torch.float32)
    torch.testing.assert_close(smooth.values(smooth.latent(points)), points, atol=1e-5, rtol=0)
    spike = torch.zeros(n, 1)
    spike[7] = 1.0
    spread = smooth.values(spike)
    assert float(spread.sum()) == pytest.approx(1.0, abs=1e-4)
    assert float(spread.max()) < 0.1
    assert abs(laplacian(faces, n).sum()) < 1e-9


def test_preconditioned_gradients_are_exact() -> None:
    mesh = trimesh.creation.icosphere(subdivisions=1)
    smooth = Preconditioner(np.array(mesh.faces), len(mesh.vertices), 5.0)
    latent = torch.randn(len(mesh.vertices), 2, generator=torch.Generator().manual_seed(1)).requires_grad_()
    weights = torch.linspace(-1, 1, latent.numel()).reshape(latent.shape)
    (smooth.values(latent) * weights).sum().backward()
    expected = np.linalg.solve(smooth.matrix.toarray(), weights.numpy())
    assert latent.grad is not None
    torch.testing.assert_close(latent.grad, torch.tensor(expected, dtype=torch.float32), atol=1e-5, rtol=0)


def test_a_uniform_step_keeps_its_direction() -> None:
    place = torch.zeros(2, 3, requires_grad=True)
    optimiser = UniformAdam([place], lr=0.1)
    gradient = torch.tensor([[3.0, -4.0, 0.0], [0.3, 0.4, 0.0]])
    place.grad = gradient.clone()
    optimiser.step()
    torch.testing.assert_close(place.detach(), -0.1 * gradient / 4.0)


def test_outliers_are_cut_not_dropped() -> None:
    pull = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 100.0], [0.0, 0.0, 0.0]])
    cut = limited(pull, 4.0)
    assert torch.equal(cut[[0, 1, 3]], pull[[0, 1, 3]])
    assert cut[2].tolist() == [0.0, 0.0, 4.0]


def test_presets_by_name() -> None:
    assert preset("draft").name == "draft"
    with pytest.raises(Exception, match="standard"):
        preset("fine")


START = np.zeros((4, 3))


class Interrupted(Exception):
    """Stands for a user's Ctrl-C."""


@pytest.mark.slow
def test_a_fit_that_was_interrupted_goes_on_to_the_same_mesh(ball: Capture, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    brief = replace(SHORT, stages=tuple(replace(s, steps=30, still=10) for s in SHORT.stages))
    whole = reconstruct(ball, brief, seed=3, start=egg())
    kept, seen = tmp_path / "fit.npz", []

    def interrupt(stage: str, step: int, steps: int, losses: dict[str, float]) -> None:
        seen.append(step)
        if seen.count(0) == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        reconstruct(ball, brief, seed=3, start=egg(), progress=interrupt, checkpoint=kept)
    begun: list[str] = []

    def told(stage: str, step: int, steps: int, losses: dict[str, float]) -> None:
        begun.extend([stage] if step == 0 else [])

    again = reconstruct(ball, brief, seed=3, start=egg(), progress=told, checkpoint=kept)
    assert begun.count(f"{brief.stages[1].side_px} px") == 1, "one of two stages was left"
    assert np.array_equal(again.vertices, whole.vertices)
    assert np.array_equal(again.albedo, whole.albedo)
    assert again.facts["steps"] == whole.facts["steps"]
    assert len(again.history) == len(whole.history)


@pytest.mark.slow
@pytest.mark.parametrize("photographs", ["of the ball", "of nothing", "of nothing, interrupted"])
def test_a_start_that_photographs_do_not_bear_out_is_given_up(ball: Capture, tmp_path: Path, photographs: str) -> None:
    """Where colours cannot be explained, what stereo made of them is not believed: the shape begins again."""
    brief = replace(SHORT, stages=(Stage(48, 0.2, 60, 1e-4), Stage(48, 0.19, 1, 1e-6), Stage(48, 0.18, 1, 1e-6)))
    mesh = trimesh.creation.icosphere(3, RADIUS)
    start, hull = (np.array(mesh.vertices), np.array(mesh.faces)), egg()
    if photographs != "of the ball":
        noise = child(0, "noise")
        ball = ball.with_views([replace(v, image=noise.uniform(0, 1, v.image.shape)) for v in ball.views])
        start, hull = hull, start
    kept, stages = tmp_path / "fit.npz", []

    def interrupt(stage: str, step: int, steps: int, losses: dict[str, float]) -> None:
        stages.extend([stage] * (step == 0))
        if len(stages) == 2:
            raise Interrupted

    if "interrupted" in photographs:
        with pytest.raises(Interrupted):
            reconstruct(ball, brief, start=start, hull=hull, progress=interrupt, checkpoint=kept)
    found = reconstruct(ball, brief, start=start, hull=hull, checkpoint=kept)
    assert found.facts["began_again_from_hull"] is (photographs != "of the ball")
    assert np.ptp(np.linalg.norm(found.vertices, axis=1)) < 0.05 * RADIUS, "an egg is 20 % longer than wide"
    assert not reconstruct(ball, brief, start=start).facts["began_again_from_hull"], "no hull to go back to"


def test_a_checkpoint_of_another_seed_is_not_taken_up(ball: Capture, tmp_path: Path) -> None:
    kept = tmp_path / "fit.npz"
    fit = Fit(torch.zeros(4, 3), np.zeros((1, 3), np.int32), Unknowns.start(torch.full((4, 3), 0.5), 4, 2))
    checkpoint.save(kept, fit, 1, checkpoint.key_of(ball, SHORT, 1, START), ball)
    assert checkpoint.load(kept, checkpoint.key_of(ball, SHORT, 2, START)) is None
    other = replace(ball, light="part" if ball.light == "room" else "room")
    turned = ball.with_views([replace(v, room_from_part=v.room_from_part[[1, 2, 0]]) for v in ball.views])
    assert all(checkpoint.load(kept, checkpoint.key_of(c, SHORT, 1, START)) is None for c in (other, turned))
    assert checkpoint.load(kept, checkpoint.key_of(ball, SHORT.with_minutes(3), 1, START)) is not None


def test_a_damaged_checkpoint_is_named(ball: Capture, tmp_path: Path) -> None:
    kept = tmp_path / "fit.npz"
    kept.write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(InputError, match="delete it"):
        checkpoint.load(kept, "key")
