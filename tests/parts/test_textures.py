"""Image maps of glTF and OBJ: the right texel at the right place, through every repair; hostile files in a sentence."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import parts
from core.colour import linear_from_srgb
from core.errors import InputError
from core.texture import PbrMaps, look_up
from tests import textured
from tests.textured import QUARTERS, png, write_glb, write_obj

COLOUR = {"name": "paint", "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}
FINE = np.kron(QUARTERS, np.ones((8, 8, 1), np.uint8))


def assert_uv_is_true(part) -> None:
    mesh = part.mesh
    assert np.abs(mesh.corner["uv"] - textured.true_uv(mesh.triangles)).max() < 1e-5
    assert (mesh.face["texture"] == 0).all()


def test_glb_and_obj_of_one_box_show_the_same_texel_at_the_same_point(tmp_path):
    from_glb = parts.load(write_glb(tmp_path / "box.glb", COLOUR, [png(FINE)]))
    obj = write_obj(tmp_path / "box.obj", "map_Kd box paint.png ", {"box paint.png": png(FINE)})
    from_obj = parts.load(obj, unit="mm")
    for part in (from_glb, from_obj):
        assert_uv_is_true(part)
        assert np.array_equal(part.maps[0].albedo, FINE)
        assert part.report["maps"] == [{"albedo": [16, 16]}] and part.report["map_faults"] == []
        top = part.mesh.face_normals[:, 2] > 0.9
        upper_left = np.array([-0.01, 0.0075, 0.01])  # of the picture on top: red
        face = np.flatnonzero(top)[np.argmin([_distance(t, upper_left) for t in part.mesh.triangles[top]])]
        uv = _at(part.mesh, int(face), upper_left)
        assert look_up(part.maps[0].albedo, uv).tolist() == [188, 0, 0]


def _at(mesh, face: int, point: np.ndarray) -> np.ndarray:
    from core.mesh import barycentric

    return barycentric(mesh.triangles[face][None], point[None, None])[0, 0] @ mesh.corner["uv"][face]


def _distance(triangle: np.ndarray, point: np.ndarray) -> float:
    from core.mesh import barycentric

    return float(-barycentric(triangle[None], point[None, None])[0, 0].min())


@settings(max_examples=20, deadline=None)
@given(turn=st.lists(st.integers(0, 5), min_size=12, max_size=12), order=st.permutations(range(12)))
def test_uv_stays_where_it_was_whatever_repair_turns(tmp_path_factory, turn, order):
    triangles, uv = textured.corners()
    rings = np.array([[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 2, 1], [2, 1, 0], [1, 0, 2]])[turn]
    triangles = np.take_along_axis(triangles, rings[:, :, None], axis=1)[list(order)]
    uv = np.take_along_axis(uv, rings[:, :, None], axis=1)[list(order)]
    path = tmp_path_factory.mktemp("turned") / "box.glb"
    part = parts.load(write_glb(path, COLOUR, [png(FINE)], triangles=triangles, uv=uv))
    assert part.report["repairs"]["closed"]
    assert_uv_is_true(part)


def test_uv_stays_where_it_was_when_slivers_are_flipped_away(tmp_path):
    triangles, _ = textured.corners()
    a, b, c = triangles[0]
    middle = (a + b) / 2  # a T-junction on the edge a-b, closed by a flat triangle
    other = next(i for i in range(1, 12) if sum((p == q).all() for p in triangles[i] for q in (a, b)) == 2)
    pieces = [np.array([a, middle, c]), np.array([middle, b, c]), np.array([a, b, middle])]
    made = np.concatenate([np.stack(pieces), triangles[1:]])
    beside = textured.true_uv(triangles[other][None])[0]
    ends = [beside[int(np.flatnonzero((triangles[other] == p).all(1))[0])] for p in (a, b)]
    flat = np.array([[*ends, (ends[0] + ends[1]) / 2]])
    uv = np.concatenate([textured.true_uv(made[:2]), flat, textured.true_uv(made[3:])])
    part = parts.load(write_glb(tmp_path / "box.glb", COLOUR, [png(FINE)], triangles=made, uv=uv))
    assert part.report["repairs"]["closed"] and len(part.mesh.faces) == 14
    assert_uv_is_true(part)


def test_factors_multiply_and_colour_maps_are_srgb(tmp_path):
    material = {"pbrMetallicRoughness": {
        "baseColorTexture": {"index": 0}, "baseColorFactor": [0.5, 0.25, 1.0, 1.0],
        "metallicRoughnessTexture": {"index": 1}, "roughnessFactor": 0.8, "metallicFactor": 0.6,
    }, "normalTexture": {"index": 2, "scale": 0.7}}  # fmt: skip
    shine = np.zeros((2, 2, 3), np.uint8) + np.array([7, 100, 200], np.uint8)
    bump = np.zeros((2, 2, 3), np.uint8) + np.array([128, 128, 255], np.uint8)
    part = parts.load(write_glb(tmp_path / "box.glb", material, [png(FINE), png(shine), png(bump)]))
    (maps,) = part.maps
    assert maps.gloss[0, 0].tolist() == [100, 200] and maps.normal[0, 0].tolist() == [128, 128, 255]
    assert maps.normal_scale == 0.7
    assert np.allclose(part.mesh.corner["captured_albedo"], [0.5, 0.25, 1.0])
    assert np.allclose(part.mesh.corner["captured_gloss"], [0.8, 0.6, 1.0])
    assert maps.albedo[0, 0, 0] == 188


def test_mtl_reads_the_physically_based_additions(tmp_path):
    grey = np.full((4, 4, 3), 60, np.uint8)
    mtl = "Kd 0 0 0\nmap_Kd a.png\nmap_Pr -clamp on b.png\nPm 0.3\nnorm -bm 1.0 c.png\nmap_d d.png"
    images = {"a.png": png(FINE), "b.png": png(grey), "c.png": png(grey)}
    part = parts.load(write_obj(tmp_path / "box.obj", mtl, images), unit="mm")
    (maps,) = part.maps
    assert maps.gloss.shape == (4, 4, 2) and maps.gloss[0, 0].tolist() == [60, 255]
    assert maps.normal is not None
    assert np.allclose(part.mesh.corner["captured_albedo"], 1.0)  # the image is not multiplied by Kd
    assert np.allclose(part.mesh.corner["captured_gloss"], [1.0, 0.3, 1.0])
    assert any("map_d is left out" in w for w in part.report["warnings"])


def test_phong_shininess_becomes_roughness_and_plain_colours_need_no_image(tmp_path):
    part = parts.load(write_obj(tmp_path / "box.obj", "Kd 0.5 0.5 0.5\nNs 198", {}), unit="mm")
    assert part.maps == () and "uv" not in part.mesh.corner
    assert np.allclose(part.mesh.corner["captured_gloss"], [0.1**0.5, 0.0, 1.0])
    assert np.allclose(part.mesh.corner["captured_albedo"], linear_from_srgb(np.array(0.5)), atol=1e-6)


def test_several_materials_keep_their_own_images_and_share_equal_ones(tmp_path):
    obj = write_obj(tmp_path / "box.obj", "map_Kd a.png\nnewmtl second\nmap_Kd b.png\nnewmtl third\nKd 1 0 0\n"
                    "newmtl fourth\nmap_Kd a.png", {"a.png": png(FINE), "b.png": png(255 - FINE)})  # fmt: skip
    lines = obj.read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("f "))
    for place, name in ((9, "fourth"), (6, "third"), (3, "second")):
        lines.insert(first + place, f"usemtl {name}")
    obj.write_text("\n".join(lines))
    part = parts.load(obj, unit="mm")
    assert len(part.maps) == 2
    assert np.bincount(part.mesh.face["texture"] + 1).tolist() == [3, 6, 3]
    plain = part.mesh.face["texture"] < 0
    assert np.allclose(part.mesh.corner["captured_albedo"][plain], [1, 0, 0])


def test_texture_transform_scales_turns_and_shifts(tmp_path):
    """The example of the extension's text: the lower left quarter of the picture, turned clockwise by 90 degrees."""
    extra = {"KHR_texture_transform": {"offset": [0, 1], "rotation": np.pi / 2, "scale": [0.5, 0.5]}}
    material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0, "extensions": extra}}}
    part = parts.load(write_glb(tmp_path / "box.glb", material, [png(FINE)]))
    uv = part.mesh.corner["uv"]
    assert np.allclose(uv.min((0, 1)), [0, 0], atol=1e-6) and np.allclose(uv.max((0, 1)), [0.5, 0.5], atol=1e-6)
    was = textured.true_uv(part.mesh.triangles)
    top_left = (np.abs(was - [0, 1]) < 1e-6).all(2)
    assert np.allclose(uv[top_left], [0, 0], atol=1e-6)  # turned clockwise, the lower left corner comes to the top left


def test_vertex_colours_multiply(tmp_path):
    path = write_glb(tmp_path / "plain.glb", {"pbrMetallicRoughness": {"baseColorFactor": [0.5, 1, 1, 1]}}, [])
    assert parts.load(path).maps == ()
    more = {
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "COLOR_0": 0}, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorFactor": [0.5, 1, 1, 1]}}],
    }
    part = parts.load(write_glb(tmp_path / "box.glb", {}, [], more=more))
    stored = part.mesh.triangles[:, :, [0, 2, 1]] * [1, 1, -1]
    assert np.allclose(part.mesh.corner["captured_albedo"], np.clip(stored, 0, 1) * [0.5, 1, 1], atol=1e-6)


def test_the_hash_follows_the_images(tmp_path):
    path = write_obj(tmp_path / "box.obj", "map_Kd a.png", {"a.png": png(FINE)})
    before = parts.load(path, unit="mm").sha256
    (tmp_path / "a.png").write_bytes(png(255 - FINE))
    assert parts.load(path, unit="mm").sha256 != before


def _header_only(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds nothing."""
    chunk = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    crc = zlib.crc32(b"IHDR" + chunk)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + chunk + struct.pack(">I", crc) + b"\0\0\0\x09IDAT"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (_header_only(10_000, 9_000), "is 10000 x 9000"),
        (_header_only(60_000, 60_000), "Image size"),
        (_header_only(64, 64), "cannot be read"),
        (b"not an image", "is no image"),
        (b"", "is no image"),
        (None, "is missing"),
    ],
    ids=["large", "huge", "cut", "text", "empty", "missing"],
)
def test_a_bad_image_leaves_the_shape_usable_and_is_named(tmp_path, data, words):
    obj = write_obj(tmp_path / "box.obj", "map_Kd a.png", {} if data is None else {"a.png": data})
    glb = write_glb(tmp_path / "box.glb", COLOUR, ["a.png" if data is None else data])
    for part in (parts.load(obj, unit="mm"), parts.load(glb)):
        assert len(part.mesh.faces) == 12 and part.maps == ()
        (fault,) = part.report["map_faults"]
        assert words in fault and "paint" in fault
        assert fault in part.report["warnings"]


@pytest.mark.parametrize("uri", ["../a.png", "/etc/passwd", "file:///etc/passwd", "http://x/a.png", "%2e%2e/a.png"])
def test_images_outside_the_folder_are_refused(tmp_path, uri):
    (tmp_path / "in").mkdir()
    (tmp_path / "a.png").write_bytes(png(FINE))
    with pytest.raises(InputError, match="own folder"):
        parts.load(write_glb(tmp_path / "in" / "box.glb", COLOUR, [uri]))
    if "%" not in uri:
        with pytest.raises(InputError, match="own folder"):
            parts.load(write_obj(tmp_path / "in" / "box.obj", f"map_Kd {uri}", {}), unit="mm")


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "a.png").write_bytes(png(FINE))
    (tmp_path / "in" / "a.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(InputError, match="own folder"):
        parts.load(write_obj(tmp_path / "in" / "box.obj", "map_Kd a.png", {}), unit="mm")


@pytest.mark.parametrize(
    "more",
    [
        {"textures": [{"source": 9}]},
        {"textures": []},
        {"images": [{"bufferView": 0}]},
        {"images": [{"bufferView": 99}]},
        {"images": [{}]},
        {"textures": [{"extensions": {"KHR_texture_basisu": {"source": 0}}}]},
    ],
)
def test_dangling_references_never_crash(tmp_path, more):
    path = write_glb(tmp_path / "box.glb", COLOUR, [png(FINE)], more=more)
    part = parts.load(path)
    assert part.maps == () and len(part.report["map_faults"]) == 1


def test_malformed_coordinates_are_an_input_error(tmp_path):
    short = {"accessors": [
        {"bufferView": 0, "componentType": 5126, "count": 36, "type": "VEC3"},
        {"bufferView": 1, "componentType": 5126, "count": 35, "type": "VEC2"},
    ]}  # fmt: skip
    with pytest.raises(InputError, match="not valid glTF"):
        parts.load(write_glb(tmp_path / "box.glb", COLOUR, [png(FINE)], more=short))


def test_faces_without_coordinates_under_an_image_are_a_fault(tmp_path):
    obj = write_obj(tmp_path / "box.obj", "map_Kd a.png", {"a.png": png(FINE)})
    text = obj.read_text().replace("f 1/1 2/2 3/3", "f 1 2 3")
    obj.write_text(text)
    part = parts.load(obj, unit="mm")
    assert part.report["map_faults"] == ["1 faces have an image but no texture coordinates"]
    assert (part.mesh.face["texture"] == -1).sum() == 1


@given(u=st.floats(-3, 3), v=st.floats(-3, 3))
def test_wrapping_is_periodic_clamped_or_mirrored(u, v):
    image = (np.arange(4 * 5 * 3) * 4).astype(np.uint8).reshape(4, 5, 3)
    uv = np.array([u, v])
    assert np.allclose(look_up(image, uv), look_up(image, uv + np.array([1, -2])), atol=1e-6)
    assert np.allclose(look_up(image, uv, "extend"), look_up(image, np.clip(uv, 0, 1), "extend"), atol=1e-6)
    assert np.allclose(look_up(image, uv, "mirror"), look_up(image, -uv, "mirror"), atol=1e-6)


def test_maps_refuse_other_types_and_are_read_only():
    with pytest.raises(ValueError, match="uint8"):
        PbrMaps(np.zeros((2, 2, 3)))
    with pytest.raises(ValueError, match="expected"):
        PbrMaps(gloss=np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        PbrMaps(FINE).albedo[0, 0] = 1


@pytest.mark.real
def test_real_textured_models_load_with_their_images(real_data):
    lock = parts.load(real_data / "mesh" / "ycb_padlock" / "textured.obj", unit="m")
    cow = parts.load(real_data / "mesh" / "spot" / "spot.obj", unit=0.05)
    for part in (lock, cow):
        assert part.maps[0].albedo.shape == (1024, 1024, 3) and part.report["map_faults"] == []
        assert (part.mesh.face["texture"] == 0).all()
    seen = look_up(cow.maps[0].albedo, cow.mesh.corner["uv"].mean(1))
    horns = cow.mesh.triangles.mean(1)[:, 1] > cow.mesh.bounds[1, 1] - 0.1 * cow.size_m[1]
    assert np.median(seen[horns], axis=0)[0] > 2 * np.median(seen[horns], axis=0)[2]  # brown, not the cream of the body
