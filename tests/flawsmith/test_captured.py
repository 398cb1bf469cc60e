"""A reconstruction as a recipe's part: what is saved comes back, metric, with its colours and what nobody saw."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import parts
from core.errors import GeometryError, InputError, RecipeError
from defects.procedural.own_finish import looks
from flawsmith.captured import captured_part, is_capture, part_sha256
from flawsmith.recipe import Recipe
from flawsmith.reconstruction import with_reconstruction
from flawsmith.shots import load_stock
from recon.bake import bake
from recon.capture.model import Capture
from recon.save import REPORT, read, save
from recon.verdict import judge
from tests.recon.known import RADIUS, fitted, masks, ring


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    capture = ring()
    found = fitted(capture)
    verdict = judge(capture, masks(), found, 0.99)
    return save(tmp_path / "ball", capture, found, verdict, {"by": "test"}, bake(unmasked(capture), found, 256))


def unmasked(capture: Capture) -> Capture:
    """Photographs that show nothing of the part: its maps are the colours of the vertices."""
    return capture.with_views([replace(v, mask=np.zeros(v.size)) for v in capture.views])


def recipe(folder: Path, **changed) -> Recipe:
    values = {
        "part": {"path": "ball"}, "material": "as_captured", "blueprints": ["scratch_deep"], "station": "dome",
        "camera": "area_5mp_25mm", "viewpoint": "look_at_defect", "images": 1, "size_px": 64, "samples": 2,
    }  # fmt: skip
    return Recipe.model_validate(values | changed).within(folder.parent)


def test_what_is_saved_is_read_back(folder: Path) -> None:
    found, saved = fitted(ring()), read(folder)
    np.testing.assert_array_equal(saved.vertices, found.vertices)
    np.testing.assert_allclose(saved.albedo, found.albedo, atol=1e-6)
    assert saved.verdict.outcome == "accepted"
    assert {p.name for p in folder.iterdir()} == {
        "part.glb", "part.obj", "part.mtl", "part.ply", "part.npz", "environment.exr", "reconstruction.json",
        "albedo.png", "roughness.png", "metallic.png", "confidence.png",
    }  # fmt: skip


def test_the_glb_stands_as_the_part_does(folder: Path) -> None:
    part, glb = parts.load(folder / "part.ply", unit="m"), parts.load(folder / "part.glb")
    np.testing.assert_allclose(glb.mesh.bounds, part.mesh.bounds, atol=1e-7)
    assert glb.size_m == pytest.approx(2 * RADIUS, rel=0.01)


def test_a_captured_part_has_its_colours_where_they_were(folder: Path) -> None:
    """Looked up as the renderer does; the ball is red where x is positive, else green."""
    part = captured_part(folder)
    faces = np.arange(len(part.mesh.faces))
    albedo, gloss = looks(part.mesh, part.maps, faces, np.full((len(faces), 3), 1 / 3))
    for side, colour in ((1, [0.5, 0.1, 0.1]), (-1, [0.1, 0.5, 0.1])):
        there = (side * part.mesh.triangles[:, :, 0]).min(1) > 2e-4
        np.testing.assert_allclose(albedo[there], np.tile(colour, (int(there.sum()), 1)), atol=0.01)
    np.testing.assert_allclose(gloss, np.tile([0.4, 0.0], (len(faces), 1)), atol=0.003)
    assert not part.report["map_faults"]
    low = part.mesh.triangles[:, :, 2].max(1)
    assert low[part.regions["unseen"].mask].max() < -0.8 * RADIUS
    assert not (part.regions["unseen"].mask & part.regions["seen"].mask).any()


def test_a_normal_map_comes_with_the_normals_that_it_leans_on(folder: Path) -> None:
    """Smooth across every edge, where a part without such a map has creases; and it makes another part of it."""
    capture, found = ring(), fitted(ring())
    squashed = replace(found, vertices=np.where(np.abs(found.vertices) > 0.012, found.vertices * 0.6, found.vertices))
    verdict, maps = judge(capture, masks(), found, 0.99), bake(unmasked(capture), squashed, 256)
    flat = np.zeros((256, 256, 3), np.float32) + np.array([0, 0, 1], np.float32)
    save(folder.parent / "plain", capture, squashed, verdict, {}, maps)
    save(folder.parent / "bent", capture, squashed, verdict, {}, replace(maps, normal=flat))
    plain, bent = (captured_part(folder.parent / n) for n in ("plain", "bent"))
    assert plain.sha256 != bent.sha256
    assert [m.normal is None for p in (plain, bent) for m in p.maps] == [True, False]
    np.testing.assert_array_equal(plain.mesh.face["patch"], bent.mesh.face["patch"])
    corners = bent.mesh.corner["normal"]
    mean = np.zeros((len(bent.mesh.vertices), 3))
    mean[bent.mesh.faces] = corners
    np.testing.assert_allclose(mean[bent.mesh.faces], corners, atol=1e-12)
    mean[plain.mesh.faces] = plain.mesh.corner["normal"]
    assert np.abs(mean[plain.mesh.faces] - plain.mesh.corner["normal"]).max() > 0.3


def test_defects_stay_off_what_nobody_saw(folder: Path) -> None:
    stock = load_stock(with_reconstruction(recipe(folder), folder / "out"))
    assert stock.allowed is not None
    np.testing.assert_array_equal(stock.allowed, stock.part.regions["seen"].mask)
    asked = load_stock(
        with_reconstruction(recipe(folder, part={"path": "ball", "regions": ["unseen"]}), folder / "out")
    )
    assert asked.allowed is not None
    np.testing.assert_array_equal(asked.allowed, asked.part.regions["unseen"].mask)


def test_the_hash_is_of_the_part_not_of_the_time_it_took(folder: Path) -> None:
    before = part_sha256(folder / REPORT)
    facts = json.loads((folder / REPORT).read_text())
    facts["fit"]["seconds"] = 12345.0
    (folder / REPORT).write_text(json.dumps(facts))
    assert part_sha256(folder / REPORT) == before


def test_as_captured_needs_a_captured_part(folder: Path) -> None:
    stl = folder.parent / "block.stl"
    import trimesh

    trimesh.creation.box((20, 20, 20)).export(stl)
    with pytest.raises(RecipeError, match="reconstructed from photographs"):
        load_stock(recipe(folder, part={"path": "block.stl", "unit": "mm"}))


def test_a_capture_without_scale_needs_a_unit(folder: Path) -> None:
    facts = json.loads((folder / REPORT).read_text())
    facts["capture"]["metric"] = False
    (folder / REPORT).write_text(json.dumps(facts))
    with pytest.raises(GeometryError, match="no scale"):
        captured_part(folder)


@pytest.mark.parametrize("harm", ["cut", "missing", "stranger"])
def test_a_damaged_folder_is_refused_in_a_sentence(folder: Path, harm: str) -> None:
    arrays = folder / "part.npz"
    if harm == "missing":
        arrays.unlink()
    elif harm == "cut":
        arrays.write_bytes(arrays.read_bytes()[:200])
    else:
        np.savez(arrays, vertices=np.zeros((3, 3)), faces=np.array([[0, 1, 9]]))
    with pytest.raises(InputError):
        read(folder)


def test_folders_and_files_are_told_apart(folder: Path) -> None:
    assert not is_capture(folder)
    assert not is_capture(folder / REPORT)
    assert is_capture(folder.parent) and is_capture(folder / "dino_par.txt")
    assert is_capture(folder.parent / "transforms.json")
    assert not is_capture(folder / "part.ply")
