"""A part's own image maps in Cycles: the right way up, in true colour, bent by its normal map, under its defects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import parts
from core.camera import Camera, Sensor, as_matrix, look_at
from core.colour import linear_from_srgb
from core.defect import DefectedPart
from core.job import Light
from core.material import Material, Surface
from core.part import Part
from core.seeds import child
from render.exr import read_passes
from render.frames import read_frame, read_ids
from render.jobs import build_job
from render.mapfile import write_maps
from tests.render.staging import PLAIN_SCRATCH, STEEL, VOID, lamp_at, marked
from tests.textured import QUARTERS, SIZE_M, png, write_glb, write_obj

pytestmark = pytest.mark.render

OWN = Material(
    name="own", version=1, text="", process="", captured=True,
    surface=Surface(albedo=(0.4, 0.4, 0.4), metallic=0, roughness=0.5, specular=0.0),
    substrate=Surface(albedo=(0.53, 0.51, 0.5), metallic=1, roughness=0.4),
)  # fmt: skip
TOP = np.array([0.0, 0.0, SIZE_M[2] / 2])
GREY = np.full((2, 2, 3), 188, np.uint8)
HALF = float(linear_from_srgb(np.array(188 / 255)))


def box(folder: Path, colour: np.ndarray = GREY, gloss: np.ndarray | None = None, normal=None, **factors) -> Part:
    """The textured box; dull and without a highlight unless `gloss` or factors say otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    images: list[bytes | str] = [png(colour)]
    model = {"baseColorTexture": {"index": 0}, "metallicFactor": 0.0, "roughnessFactor": 1.0, **factors}
    material: dict = {"name": "paint", "pbrMetallicRoughness": model}
    for key, image in (("metallicRoughnessTexture", gloss), ("normalTexture", normal)):
        if image is not None:
            (model if key.startswith("metallic") else material)[key] = {"index": len(images)}
            images.append(png(image))
    if gloss is not None:
        model["metallicFactor"] = 1.0
    return parts.load(write_glb(folder / "box.glb", material, images))


def from_above(width: int = 64, up=(0.0, 1.0, 0.0), way=(0.0, 0.0, 1.0)) -> Camera:
    """Telecentric, square to one side, as wide as the box; x of the image is along `up` x `way`."""
    eye = np.asarray(way) * 0.1
    pose = look_at(eye, np.zeros(3), np.asarray(up, float))
    return Camera(projection="telecentric", width=width, height=width * 3 // 4, pixels_per_unit=width / SIZE_M[0],
                  world_from_camera=as_matrix(pose))  # fmt: skip


def sun(direction) -> Light:
    """Light from far away along a direction (3,) towards it."""
    direction = np.asarray(direction, float) / np.linalg.norm(direction)
    return lamp_at(direction * 20.0, np.zeros(3), size=0.2, radiance=20_000.0)


def radiance(renderer, folder: Path, part: Part, *, camera=None, lights=(), world=0.0, samples=16, material=OWN):
    """(h, w, 3) of the part without defects."""
    job = build_job(
        folder, DefectedPart(part, part.mesh, part.mesh, ()), material, name="test", seed=3,
        camera=camera or from_above(), lights=lights, backdrop=VOID, world_from_part=np.eye(4),
        world_radiance=(world, world, world), samples=samples, denoise=False, twin="none",
    )  # fmt: skip
    return read_passes(renderer.render(job, folder).files["beauty"])["Combined"][..., :3]


def quarters(image: np.ndarray) -> np.ndarray:
    """(2, 2, 3) means about the middle of each quarter of a picture."""
    h, w = image.shape[:2]
    return np.stack([[image[h * r // 4 - 2 : h * r // 4 + 2, w * c // 4 - 2 : w * c // 4 + 2].mean((0, 1))
                      for c in (1, 3)] for r in (1, 3)])  # fmt: skip


@pytest.mark.parametrize("kind", ["glb", "obj"])
def test_each_quarter_of_the_picture_is_where_it_belongs_in_true_linear_colour(renderer, tmp_path, kind):
    """Under an even sky of radiance 1 a convex dull body shows its albedo itself."""
    fine = np.kron(QUARTERS, np.ones((8, 8, 1), np.uint8))
    if kind == "glb":
        part = box(tmp_path / "in", fine)
    else:
        (tmp_path / "in").mkdir()
        mtl = "map_Kd a.png\nPr 1.0"
        part = parts.load(write_obj(tmp_path / "in" / "box.obj", mtl, {"a.png": png(fine)}), unit="mm")
    expected = linear_from_srgb(QUARTERS.astype(np.float32) / 255)
    seen = quarters(radiance(renderer, tmp_path / "top", part, world=1.0))
    assert np.abs(seen - expected).max() < 0.006
    side = from_above(64, up=(0, 0, 1), way=(1, 0, 0))  # +x: the picture's right is +y, its up +z
    image = radiance(renderer, tmp_path / "side", part, camera=side, world=1.0)
    half = (int(SIZE_M[1] / SIZE_M[0] * 64), int(SIZE_M[2] / SIZE_M[0] * 64))
    y, x = (48 - half[1]) // 2, (64 - half[0]) // 2
    assert np.abs(quarters(image[y : y + half[1], x : x + half[0]]) - expected).max() < 0.006


def test_a_normal_map_turns_the_light_as_lambert_says(renderer, tmp_path):
    tilt = np.radians(30)
    lit = {}
    for name, (x, y) in {"flat": (0, 0), "right": (1, 0), "up": (0, 1)}.items():
        n = np.array([np.sin(tilt) * x, np.sin(tilt) * y, np.sqrt(1 - (np.sin(tilt) * (x + y)) ** 2)])
        texel = np.round((n * 0.5 + 0.5) * 255).astype(np.uint8)
        part = box(tmp_path / f"{name}_in", normal=np.broadcast_to(texel, (2, 2, 3)).copy())
        for where, way in {"right": (1, 0, 1.5), "left": (-1, 0, 1.5), "up": (0, 1, 1.5), "down": (0, -1, 1.5)}.items():
            image = radiance(renderer, tmp_path / f"{name}_{where}", part, lights=(sun(way),))
            lit[name, where] = image[20:28, 28:36].mean()
            way = np.array(way) / np.linalg.norm(way)
            n8 = texel / 255 * 2 - 1
            expected = lit["flat", where] * (n8 / np.linalg.norm(n8)) @ way / way[2]
            assert lit[name, where] == pytest.approx(expected, rel=0.02)
    assert lit["right", "right"] > 1.15 * lit["flat", "right"] > 1.15 * 1.15 * lit["right", "left"]


def test_gloss_texels_are_roughness_and_metal(renderer, tmp_path):
    """Under a lamp away from the mirror direction: dull paint is brightest, rough metal darker, smooth metal black."""
    texels = np.array([[[0, 255, 0], [0, 255, 255]], [[0, 0, 0], [0, 40, 255]]], np.uint8)
    part = box(tmp_path / "in", gloss=np.kron(texels, np.ones((8, 8, 1), np.uint8)))
    seen = quarters(radiance(renderer, tmp_path / "out", part, lights=(sun((1, 0.3, 1)),), samples=64)).mean(2)
    paint, metal, _, mirror = seen.ravel()
    assert paint > 1.5 * metal > 30 * mirror


def test_two_materials_and_a_plain_one_side_by_side(renderer, tmp_path):
    part = box(tmp_path / "in", np.kron(QUARTERS, np.ones((8, 8, 1), np.uint8)))
    (maps,) = part.maps
    other = replace(maps, albedo=np.full((4, 4, 3), 255, np.uint8))
    top = np.flatnonzero(part.mesh.face_normals[:, 2] > 0.9)
    where = np.full(len(part.mesh.faces), -1)
    where[top] = [1, -1]
    tint = np.array(part.mesh.corner["captured_albedo"])
    tint[top[1]] = (0.1, 0.2, 0.3)
    mesh = part.mesh.with_face(texture=where).with_corner(captured_albedo=tint)
    image = radiance(renderer, tmp_path / "out", replace(part, mesh=mesh, maps=(maps, other)), world=1.0)
    flat = image.reshape(-1, 3)
    white, plain = np.abs(flat - 1).max(1) < 0.01, np.abs(flat - [0.1, 0.2, 0.3]).max(1) < 0.01
    assert min(white.mean(), plain.mean()) > 0.35 and (white | plain).mean() > 0.9


@pytest.fixture(scope="module")
def scratched(renderer, tmp_path_factory):
    """The same scratch on the box in its own finish and in plain steel, and the first of them once more at the end."""
    base = tmp_path_factory.mktemp("scratched")
    ripple = np.random.Generator(np.random.PCG64(5)).integers(100, 156, (32, 32, 3), np.uint8)
    ripple[..., 2] = 255
    paint = np.zeros((4, 4, 3), np.uint8) + np.array([188, 60, 20], np.uint8)
    part = box(base / "in", paint, normal=ripple)
    face = int(np.flatnonzero(part.mesh.face_normals[:, 2] > 0.9)[0])
    point = part.mesh.triangles[face].mean(0)
    values = {**PLAIN_SCRATCH, "length_mm": 6.0, "width_mm": 1.0}
    made = marked(part.mesh, face, point, "scratch", values, material=OWN)
    made = replace(made, part=part)
    camera = Camera(
        projection="perspective",
        width=96,
        height=96,
        pixels_per_unit=900,
        world_from_camera=as_matrix(look_at(point + np.array([0.02, -0.03, 0.12]), point, np.array([0, 1.0, 0]))),
    )
    lamp = lamp_at(point + np.array([0.1, 0.05, 0.1]), point, radiance=20.0)
    out = {}
    for name, material in {"own": OWN, "steel": STEEL, "again": OWN}.items():
        job = build_job(
            base / name, made, material, name=name, seed=7, camera=camera, lights=(lamp,), backdrop=VOID, samples=8,
            world_from_part=np.eye(4), world_radiance=(0.05, 0.05, 0.05), maps_folder=base / "maps",
        )  # fmt: skip
        rendered = renderer.render(job, base / name)
        out[name] = (job, rendered, read_frame(job, rendered, Sensor(), child(3, "noise")))
    return out


def test_labels_do_not_depend_on_the_finish(scratched):
    own, steel = scratched["own"], scratched["steel"]
    assert np.array_equal(read_ids(own[0], own[1].files), read_ids(steel[0], steel[1].files))
    assert (own[2].ids == 1).sum() > 40
    for i, image in own[2].coverage.items():
        assert np.array_equal(image, steel[2].coverage[i])
    assert np.array_equal(own[2].depth_m, steel[2].depth_m) and np.array_equal(own[2].part, steel[2].part)


def test_the_scratch_lies_on_the_picture_and_the_twin_lacks_only_it(scratched):
    frame = scratched["own"][2]
    x0, y0, x1, y1 = frame.twin_windows[0]
    outside = np.ones(frame.ids.shape, bool)
    outside[y0:y1, x0:x1] = False
    assert np.array_equal(frame.rgb[outside], frame.clean[outside])
    label = frame.ids == 1
    assert (frame.rgb[label] != frame.clean[label]).any(axis=1).mean() > 0.9
    hue = [np.median(np.ptp(i[label], axis=1) / i[label].max(axis=1)) for i in (frame.rgb, frame.clean)]
    assert hue[0] < 0.8 * hue[1]  # the cut shows steel where there was paint


def test_the_same_job_after_another_finish_is_the_same_picture(scratched):
    first, again = scratched["own"][2], scratched["again"][2]
    assert np.array_equal(first.rgb, again.rgb) and np.array_equal(first.clean, again.clean)
    assert not np.array_equal(first.rgb, scratched["steel"][2].rgb)


def test_a_job_names_files_and_writes_each_image_once(tmp_path):
    part = box(tmp_path / "in", normal=np.full((2, 2, 3), 128, np.uint8))
    first = write_maps(tmp_path / "maps", part.maps)
    stamp = Path(first[0].albedo or "").stat().st_mtime_ns
    assert write_maps(tmp_path / "maps", part.maps) == first
    assert Path(first[0].albedo or "").stat().st_mtime_ns == stamp
    assert len(list((tmp_path / "maps").iterdir())) == 2
    assert np.array_equal(cv2.imread(str(first[0].albedo))[..., ::-1], part.maps[0].albedo)
