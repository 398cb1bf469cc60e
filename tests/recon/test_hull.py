"""The visual hull: closed, where it must be, as fine as the masks allow, and honest about pieces it leaves out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from core.errors import GeometryError
from recon.capture.model import Capture
from recon.hull import carve, outline, visual_hull
from recon.silhouettes import hull_agreement, silhouette
from tests.recon.turntables import turntable

MIDDLE = np.array([0.4, -0.2, 0.1])


@pytest.fixture(scope="module")
def ball() -> Capture:
    sphere = trimesh.creation.icosphere(5, 0.03)
    return turntable(np.array(sphere.vertices) + MIDDLE, np.array(sphere.faces), 40, (128, 128), (-25, 10, 45, 75))


def test_hull_of_a_sphere_is_the_sphere(ball: Capture) -> None:
    vertices, faces = visual_hull(ball, 96)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    assert mesh.is_watertight and mesh.is_winding_consistent and mesh.euler_number == 2
    away = np.linalg.norm(vertices - MIDDLE, axis=1) - 0.03
    pixel = 0.03 * 5.2 / ball.views[0].intrinsics[0, 0]
    # a hull holds its part: it may stand off between the cameras, never cut in by more than a fifth of a pixel
    assert away.min() > -0.2 * pixel
    assert np.median(away) < 0.25 * pixel
    assert 0.995 < mesh.volume / (4 / 3 * np.pi * 0.03**3) < 1.03


def test_finer_than_its_voxels(ball: Capture) -> None:
    """With voxels of 2.5 pixels the surface still lies within a tenth of a voxel of the finer one's."""
    coarse, fine = carve(ball, 32), carve(ball, 128)
    away = [np.linalg.norm(h.vertices - MIDDLE, axis=1) - 0.03 for h in (coarse, fine)]
    assert coarse.spacing > 3.5 * fine.spacing
    assert abs(np.median(away[0]) - np.median(away[1])) < 0.1 * coarse.spacing


def test_a_torus_keeps_its_hole() -> None:
    torus = trimesh.creation.torus(1.0, 0.35)
    hull = carve(turntable(np.array(torus.vertices), np.array(torus.faces), 24, elevations_deg=(20.0, 70.0)), 80)
    mesh = trimesh.Trimesh(hull.vertices, hull.faces, process=False)
    assert mesh.is_watertight and mesh.euler_number == 0


def test_no_edge_is_shared_by_more_than_two_faces() -> None:
    box = trimesh.creation.box((1.0, 0.5, 0.3))
    _, faces = visual_hull(turntable(np.array(box.vertices), np.array(box.faces), 12), 64)
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()


def test_the_smaller_piece_is_left_out_and_reported() -> None:
    large, small = trimesh.creation.icosphere(3, 1.0), trimesh.creation.icosphere(3, 0.4)
    small.apply_translation((0, 0, 2.5))
    both = trimesh.util.concatenate([large, small])
    hull = carve(turntable(np.array(both.vertices), np.array(both.faces), 24), 96)
    assert hull.vertices[:, 2].max() < 1.3
    assert hull.dropped[0] == pytest.approx(0.4**3, rel=0.25)


def test_masks_cut_by_the_frame_leave_the_part_whole(ball: Capture) -> None:
    """A part that leaves the photograph is not carved where the photograph ends."""
    cut = []
    for i, view in enumerate(ball.views):
        if i % 4:
            cut.append(view)
            continue
        k = view.intrinsics - np.array([[0, 0, 64], [0, 0, 0], [0, 0, 0]])
        cut.append(replace(view, image=view.image[:, 64:], mask=view.mask[:, 64:], intrinsics=k))
    mesh = trimesh.Trimesh(*visual_hull(ball.with_views(cut), 64), process=False)
    assert 0.99 < mesh.volume / (4 / 3 * np.pi * 0.03**3) < 1.08


def test_agreement_is_one_for_the_part_and_less_for_another(ball: Capture) -> None:
    sphere = trimesh.creation.icosphere(5, 0.03)
    right = np.array(sphere.vertices) + MIDDLE
    assert hull_agreement(ball, (right, np.array(sphere.faces, np.int32))).min() > 0.985
    moved = hull_agreement(ball, (right + np.array([0.01, 0, 0]), np.array(sphere.faces, np.int32)))
    assert moved.max() < 0.99 and moved.mean() < 0.85


def test_outline_is_signed_and_exact_to_a_fraction_of_a_pixel() -> None:
    rows, columns = np.mgrid[:64, :64] + 0.5
    fine = [np.hypot(columns + dx - 30.3, rows + dy - 33.7) < 20 for dx in OFFSETS for dy in OFFSETS]
    found = outline(np.mean(fine, 0).astype(np.float32))
    truth = 20 - np.hypot(columns - 30.3, rows - 33.7)
    assert not found.open
    near = np.abs(truth) < 8
    assert np.abs(found.distance - truth)[near].max() < 0.6
    assert np.abs(found.distance - truth)[near].mean() < 0.06


OFFSETS = (np.arange(8) + 0.5) / 8 - 0.5


def test_silhouette_at_another_size(ball: Capture) -> None:
    sphere = trimesh.creation.icosphere(5, 0.03)
    vertices = np.array(sphere.vertices) + MIDDLE
    small = silhouette(vertices, np.array(sphere.faces, np.int32), ball.views[3], (64, 64))
    assert small.mean() == pytest.approx(float(ball.views[3].mask.mean()), abs=0.01)


def test_contradicting_masks_give_no_hull(ball: Capture) -> None:
    """Cameras that look away from one another's part leave nothing."""
    apart = [
        replace(v, camera_from_part=v.camera_from_part + np.array([[0, 0, 0, (-1) ** i * 0.2], *[[0] * 4] * 3]))
        for i, v in enumerate(ball.views)
    ]
    with pytest.raises(GeometryError):
        visual_hull(ball.with_views(apart), 48)
