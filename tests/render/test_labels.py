"""Labels, depth and normals against an independent ray caster and against analytic shapes."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from core.camera import Sensor
from core.seeds import child
from render.frames import read_frame
from tests import shapes
from tests.render.caster import Caster
from tests.render.staging import PLAIN_SCRATCH, camera_over, job_for, marked

pytestmark = pytest.mark.render

NOISELESS = Sensor(full_well_e=1e9, read_noise_e=0.0, bits=16)


def plate():
    mesh = shapes.box((0.04, 0.04, 0.004))
    face = int(np.flatnonzero(mesh.face_normals[:, 2] > 0.9)[0])
    return mesh, face, mesh.triangles[face].mean(0)


def rod():
    mesh = shapes.cylinder(0.01, 0.04, 32)
    face = int(np.flatnonzero(np.abs(mesh.face_normals[:, 2]) < 0.1)[6])
    return mesh, face, 0.6 * mesh.triangles[face].mean(0) + 0.4 * mesh.triangles[face][0]


def ball():
    mesh = shapes.sphere(0.02, 96, 192)
    face = int(np.argmax(mesh.triangles.mean(1) @ np.array([0.5, 0.4, 0.76])))
    return mesh, face, mesh.triangles[face].mean(0)


SHAPES = {"plate": plate, "rod": rod, "ball": ball}


def frame_of(renderer, tmp_path, shape: str, tilt: float, pixels_per_mm: float, width: int, **changes):
    mesh, face, point = SHAPES[shape]()
    part = marked(mesh, face, point, "scratch", PLAIN_SCRATCH)
    camera = camera_over(point, mesh.face_normals[face], width, pixels_per_mm, tilt=tilt)
    job = job_for(tmp_path / "job", part, camera, samples=1, denoise=False, **changes)
    rendered = renderer.render(job, tmp_path / "out")
    return part, job, rendered, read_frame(job, rendered, NOISELESS, child(1, "noise"))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tilt", [0.0, 1.0])
def test_a_ray_caster_agrees_on_every_pixel(renderer, tmp_path, shape, tilt):
    part, job, _, frame = frame_of(renderer, tmp_path, shape, tilt, 20.0, 160, twin="none")
    found = Caster(job.camera, part, np.eye(4), np.zeros((0, 3, 3))).judge(frame.ids)
    assert found.pixels > 100
    assert found.wrong == 0
    assert found.excused <= 0.02 * found.boundary


@pytest.mark.parametrize("shape", SHAPES)
def test_a_scratch_of_5_by_0_2_mm_measures_true_from_mask_and_depth(renderer, tmp_path, shape):
    _, job, _, frame = frame_of(renderer, tmp_path, shape, 0.0, 60.0, 480, twin="none", coverage_grid=4)
    rows, columns = np.nonzero(frame.ids == 1)
    origins, directions = job.camera.rays(np.c_[columns + 0.5, rows + 0.5])
    axis = job.camera.pose()[:3, 2]
    points = origins + directions * (frame.depth_m[rows, columns] / (directions @ axis))[:, None]
    length, width = surface_size(points, frame, rows, columns, job)
    assert length == pytest.approx(5.0e-3, rel=0.02)
    assert width == pytest.approx(0.2e-3, rel=0.02)


def surface_size(points, frame, rows, columns, job):
    """Length along the surface's own curve and width at the middle from the area of a middle slice, metres."""
    centre = points.mean(0)
    along = np.linalg.svd(points - centre, full_matrices=False)[2][0]
    t = (points - centre) @ along
    order = np.argsort(t)
    bins = np.linspace(t.min(), t.max(), 41)
    path = np.array([points[order][np.abs(t[order] - b) < 1.5e-4].mean(0) for b in bins[1:-1]])
    inner = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    ends = (bins[1] - bins[0]) * 2 * inner / (bins[-2] - bins[1])
    normals = -frame.normal[rows, columns] @ job.camera.pose()[:3, :3].T
    facing = np.abs(np.einsum("nk,nk->n", normals, job.camera.rays(np.c_[columns + 0.5, rows + 0.5])[1]))
    area = (frame.depth_m[rows, columns] / job.camera.pixels_per_unit) ** 2 / facing
    middle = np.abs(t) < 0.5e-3
    slope = inner / (bins[-2] - bins[1])
    return inner + ends, area[middle].sum() / (1e-3 * slope)


def test_a_turned_and_shifted_part_is_where_its_pose_says(renderer, tmp_path):
    mesh, face, point = plate()
    part = marked(mesh, face, point, "scratch", PLAIN_SCRATCH)
    pose = np.eye(4)
    pose[:3, :3] = trimesh.transformations.rotation_matrix(2.1, [0.3, -0.7, 0.5])[:3, :3]
    pose[:3, 3] = 0.1, -0.2, 0.05
    camera = camera_over(pose[:3, :3] @ point + pose[:3, 3], pose[:3, :3] @ mesh.face_normals[face], 96, 12.0, tilt=0.5)
    job = job_for(tmp_path / "job", part, camera, samples=1, denoise=False, twin="none", world_from_part=pose)
    frame = read_frame(job, renderer.render(job, tmp_path / "out"), NOISELESS, child(1, "noise"))
    found = Caster(camera, part, pose, np.zeros((0, 3, 3))).judge(frame.ids)
    assert found.pixels > 100 and found.wrong == 0
    assert found.excused <= 0.02 * found.boundary


def test_depth_and_normals_are_those_of_the_sphere(renderer, tmp_path):
    _, job, _, frame = frame_of(renderer, tmp_path, "ball", 0.3, 4.0, 128, twin="none")
    rows, columns = np.nonzero(frame.part)
    origins, directions = job.camera.rays(np.c_[columns + 0.5, rows + 0.5])
    b = np.einsum("nk,nk->n", origins, directions)
    disc = b * b - ((origins**2).sum(1) - 0.02**2)
    sure = disc > 4e-5
    hit = origins + (-b - np.sqrt(np.maximum(disc, 0)))[:, None] * directions
    z = (hit - job.camera.pose()[:3, 3]) @ job.camera.pose()[:3, 2]
    assert np.abs(frame.depth_m[rows, columns] - z)[sure].max() < 3e-5  # the sphere is a polyhedron of 96 rings
    normal = (hit / 0.02) @ job.camera.pose()[:3, :3]
    assert np.einsum("nk,nk->n", frame.normal[rows, columns], normal)[sure].min() > np.cos(np.radians(0.5))
    assert np.isinf(frame.depth_m[~frame.part]).all()


def test_coverage_counts_sub_pixel_centres(renderer, tmp_path):
    part, job, _, frame = frame_of(renderer, tmp_path, "plate", 0.5, 10.0, 96, twin="none", coverage_grid=4)
    caster = Caster(job.camera, part, np.eye(4), np.zeros((0, 3, 3)))
    step = (np.arange(96 * 4) + 0.5) / 4
    fine = caster.ids(np.stack(np.meshgrid(step, step), axis=2).reshape(-1, 2)).reshape(96, 4, 96, 4)
    truth = (fine == 1).mean(axis=(1, 3))
    assert np.abs(frame.coverage[1] - truth).max() <= 1 / 16 + 1e-6
    assert (frame.coverage[1] != truth).mean() < 1e-3
    assert ((frame.coverage[1] > 0) & (frame.coverage[1] < 1)).sum() > 50


def test_depth_of_field_does_not_touch_the_labels(renderer, tmp_path):
    mesh, face, point = plate()
    part = marked(mesh, face, point, "scratch", PLAIN_SCRATCH)
    sharp = camera_over(point, mesh.face_normals[face], 96, 12.0)
    blurred = sharp.model_copy(update={"aperture_m": 0.03, "focus_m": 0.12})
    frames = []
    for i, camera in enumerate((sharp, blurred)):
        job = job_for(tmp_path / f"job{i}", part, camera, denoise=False, samples=16)
        rendered = renderer.render(job, tmp_path / f"out{i}")
        frames.append(read_frame(job, rendered, NOISELESS, child(1, "noise")))
    assert np.array_equal(frames[0].ids, frames[1].ids)
    assert np.array_equal(frames[0].depth_m, frames[1].depth_m)
    label = frames[0].ids == 1
    assert np.abs(frames[0].rgb - frames[1].rgb)[label].mean() > 0.01


def test_amodal_mask_ignores_an_occluder(renderer, tmp_path):
    mesh, face, point = plate()
    part = marked(mesh, face, point, "scratch", PLAIN_SCRATCH)
    from core.defect import DefectedPart
    from core.mesh import Mesh

    bar = shapes.box((0.002, 0.03, 0.002))
    moved = bar.moved(bar.vertices + point + np.array([-0.001, -0.015, 0.004]))
    base = part.clean
    both = Mesh(
        np.concatenate([base.vertices, moved.vertices]),
        np.concatenate([base.faces, moved.faces + len(base.vertices)]),
        {
            "normal": np.concatenate([base.corner["normal"], moved.corner["normal"]]),
            "chart_1": np.concatenate([base.corner["chart_1"], np.full((len(moved.faces), 3, 2), np.nan)]),
        },
        {"defect_tag": np.zeros(len(base.faces) + len(moved.faces), int)},
    )
    frames = []
    for i, whole in enumerate((base, both)):
        hidden = DefectedPart(part.part, whole, whole, part.defects)
        camera = camera_over(point, np.array([0, 0, 1.0]), 128, 14.0)
        job = job_for(tmp_path / f"job{i}", hidden, camera, samples=1, denoise=False, twin="none")
        rendered = renderer.render(job, tmp_path / f"out{i}")
        frames.append(read_frame(job, rendered, NOISELESS, child(1, "noise")))
    free, covered = frames
    assert np.array_equal(free.amodal[1], free.ids == 1)
    assert np.array_equal(covered.amodal[1], free.amodal[1])
    assert 0 < (covered.ids == 1).sum() < 0.9 * (free.ids == 1).sum()
