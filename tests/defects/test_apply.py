"""defect_part: exact records, shared faces, room between defects, determinism, refusals."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from solid_parts import assert_kept_identical, assert_rays_agree, label_area_on_surface, plate

from core.blueprint import Blueprint, Facing, Limit, Limits, Placement
from core.distributions import Distribution, constant
from core.errors import InputError, PlacementError, RecipeError
from core.material import Material, Surface
from core.mesh import NORMAL, Mesh, barycentric
from core.part import Part, Region
from core.seeds import child
from defects.procedural.apply import defect_part
from defects.procedural.catalogue import check, load_catalogue
from defects.procedural.kinds import KINDS
from defects.procedural.solids import is_closed
from defects.procedural.workpiece import BASE
from tests import shapes

STEEL = Material(
    name="steel", version=1, text="", process="", surface=Surface(albedo=(0.6, 0.6, 0.6), metallic=1, roughness=0.3)
)
PAINTED = STEEL.model_copy(update={"name": "painted", "substrate": STEEL.surface, "coat_um": 80.0})
LIBRARY = Path(__file__).parents[2] / "scenes" / "library" / "blueprints"


def blueprint(kind: str, placement: dict | None = None, limits: Limits | None = None, **values) -> Blueprint:
    on = {"chip": "edge", "burr": "edge", "missing_feature": "feature"}.get(kind, "face")
    parameters = {
        k: constant(v) if isinstance(v, int | float) and not isinstance(v, bool) else v for k, v in values.items()
    }
    return Blueprint(
        name=f"a_{kind}", version=3, kind=kind, text="", parameters=parameters,
        placement=Placement(**{"on": on, **(placement or {})}), limits=limits or Limits(),
    )  # fmt: skip


def part_of(mesh: Mesh, **regions: np.ndarray) -> Part:
    mesh = mesh.with_face(**{k: v for k, v in mesh.face.items() if k != BASE})
    return Part("a part", mesh, "0", "made", regions={n: Region(n, "patch", m) for n, m in regions.items()})


PLATE = plate()
PLATE = Mesh(PLATE.vertices, PLATE.faces, PLATE.corner, {k: v for k, v in PLATE.face.items() if k != BASE})
TOP = (PLATE.face_normals[:, 2] > 0.99) & (PLATE.triangles[..., 2].mean(1) < 24e-3)
PART = part_of(PLATE, top=TOP, all=np.ones(len(TOP), bool))
BOX = part_of(shapes.box((0.05, 0.04, 0.03)))


def make(part: Part, *blueprints: Blueprint, seed: int = 5, **more):
    return defect_part(part, blueprints, material=STEEL, seed=seed, **more)


def test_decals_leave_one_mesh_with_a_chart_that_holds_the_label():
    made = make(BOX, blueprint("scratch", length_mm=5.0, width_mm=0.2), blueprint("rust"))
    assert made.clean is made.defected and not made.shape_changes
    assert made.clean.volume == pytest.approx(BOX.mesh.volume, rel=1e-12)
    assert BASE not in made.clean.face and [d.id for d in made.defects] == [1, 2]
    for defect in made.defects:
        assert defect.layers is not None
        uv = made.clean.corner[defect.chart]
        valid = np.isfinite(uv).all(axis=(1, 2))
        assert np.isnan(uv[~valid]).all() and valid.any()
        area = label_area_on_surface(made.clean, defect.chart, defect.layers)
        assert area * 1e6 == pytest.approx(defect.measured["label_area_mm2"], rel=0.03)


def test_the_chart_starts_at_the_site():
    made = make(PART, blueprint("scratch", length_mm=4.0))
    (defect,) = made.defects
    point = np.array(defect.site.point_m)
    where = barycentric(PLATE.triangles[[defect.site.face]], point[None, None])[0, 0]
    assert (where > 0).all() and where @ PLATE.triangles[defect.site.face] == pytest.approx(point, abs=1e-12)
    uv = made.clean.corner[defect.chart]
    rows = np.flatnonzero(np.isfinite(uv).all(axis=(1, 2)))
    inside = barycentric(made.clean.triangles[rows], np.broadcast_to(point, (len(rows), 1, 3)))[:, 0]
    flat = np.abs(np.einsum("nc,nck->nk", inside, made.clean.triangles[rows]) - point).max(1) < 1e-12
    k = np.flatnonzero((inside.min(1) > -1e-9) & flat)
    assert len(k) and np.abs(np.einsum("nc,nck->nk", inside[k], uv[rows[k]])).max() < 1e-9


def test_a_dent_presses_in_what_its_raster_says():
    made = make(BOX, blueprint("dent", diameter_mm=4.0, depth_to_radius=0.08, scuff=0.0))
    (defect,) = made.defects
    layers = defect.layers
    assert layers is not None and layers.displacement_m is not None
    assert made.clean is not made.defected and is_closed(made.defected.faces)
    assert np.array_equal(made.clean.faces, made.defected.faces)
    assert made.clean.volume == pytest.approx(BOX.mesh.volume, rel=1e-12)
    pressed = float(layers.displacement_m.astype(float).sum()) * layers.pitch_m**2
    assert made.defected.volume - made.clean.volume == pytest.approx(pressed, rel=0.02)
    moved = made.defected.vertices - made.clean.vertices
    normal = np.array(defect.site.normal)
    assert (moved @ normal).min() == pytest.approx(float(layers.displacement_m.min()), rel=0.02)
    assert np.abs(moved - np.outer(moved @ normal, normal)).max() < 1e-12
    centre, radius = np.array(defect.zone_m[:3]), defect.zone_m[3]
    still = np.linalg.norm(made.clean.vertices - centre, axis=1) > radius
    assert not moved[still].any() and still.any()


@pytest.mark.parametrize("shape", ["box", "cylinder", "sphere"])
def test_shading_normals_follow_the_pressed_surface(shape):
    mesh = {"box": shapes.box, "cylinder": lambda: shapes.cylinder(0.02, 0.06, 64), "sphere": shapes.sphere}[shape]()
    made = make(part_of(mesh), blueprint("dent", diameter_mm=5.0, depth_to_radius=0.08, scuff=0.0), seed=2)
    before, after = made.clean, made.defected
    shading = after.corner[NORMAL]
    assert np.allclose(np.linalg.norm(shading, axis=2), 1, atol=1e-9)
    near = np.abs(after.vertices - before.vertices).max(1)[after.faces].min(1) > 2e-6
    assert near.sum() > 1000
    # What the press turned the face by, it turned the shading by too; facets differ from smooth ground on both.
    geometric = turn(before.face_normals[near], after.face_normals[near])
    shaded = turn(before.corner[NORMAL][near].mean(1), shading[near].mean(1))
    assert geometric.max() > np.deg2rad(4)
    assert np.percentile(np.abs(geometric - shaded), 95) < np.deg2rad(1.0)


def turn(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), (a * b).sum(1))


def test_everything_together_on_the_plate():
    asked = [
        blueprint("missing_feature", max_width_mm=5.5),
        blueprint("scratch", length_mm=5.0),
        blueprint("chip", length_mm=2.0, left_mm=0.6, right_mm=0.6),
        blueprint("dent", diameter_mm=2.0),
        blueprint("burr", length_mm=3.0, height_mm=0.4),
    ]
    made = make(PART, *asked, seed=11)
    clean, defected = made.clean, made.defected
    assert is_closed(clean.faces) and is_closed(defected.faces)
    assert clean.volume == pytest.approx(PLATE.volume, rel=1e-9)
    solids = sum(d.measured.get("volume_mm3", 0.0) for d in made.defects) * 1e-9
    dent = made.defects[3].layers
    assert dent is not None and dent.displacement_m is not None
    pressed = float(dent.displacement_m.astype(float).sum()) * dent.pitch_m**2
    assert defected.volume - clean.volume == pytest.approx(solids + pressed, rel=2e-3)
    assert set(np.unique(defected.face["defect_tag"])) == {0, 1, 3, 5}
    assert set(np.unique(clean.face["defect_tag"])) == {0, 1, 3, 5}
    assert [d.form for d in made.defects] == ["solid", "decal", "solid", "relief", "solid"]
    for defect in made.defects:
        for mesh in (clean, defected):
            points = mesh.triangles[mesh.face["defect_tag"] == defect.id].reshape(-1, 3)
            away = np.linalg.norm(points - np.array(defect.zone_m[:3]), axis=1)
            assert away.max(initial=0.0) <= defect.zone_m[3] * (1 + 1e-9)


def test_rays_differ_exactly_where_tags_are_seen():
    """Without a dent, whose label is its chart and not a tag."""
    asked = [blueprint("missing_feature"), blueprint("scratch"), blueprint("chip"), blueprint("burr", height_mm=0.4)]
    made = make(PART, *asked, seed=12)
    for defect in (made.defects[0], made.defects[2], made.defects[3]):
        about = np.array(defect.zone_m[:3])
        assert assert_rays_agree(made.clean, made.defected, child(1, defect.id), about, defect.zone_m[3]) > 100


def test_kept_faces_are_identical_with_decals_beside():
    made = make(PART, blueprint("chip", length_mm=2.0), blueprint("scratch", length_mm=6.0), blueprint("stain"))
    assert_kept_identical(made.clean, made.defected)
    chart = made.defected.corner[made.defects[1].chart]
    assert np.isnan(chart[made.defected.face["defect_tag"] == 1]).all()


def test_defects_keep_their_distance():
    asked = [blueprint("pit", {"spacing_mm": 1.0}, diameter_mm=0.8) for _ in range(12)]
    made = make(BOX, *asked)
    zones = np.array([d.zone_m for d in made.defects])
    gap = np.linalg.norm(zones[:, None, :3] - zones[None, :, :3], axis=2) - zones[:, None, 3] - zones[None, :, 3]
    assert gap[~np.eye(len(zones), dtype=bool)].min() >= 1e-3 - 1e-9


def test_a_request_does_not_depend_on_the_others():
    alone = make(BOX, blueprint("scratch", length_mm=3.0), seed=4)
    company = make(
        BOX, blueprint("scratch", length_mm=3.0), blueprint("dent"), blueprint("chip", length_mm=1.5), seed=4
    )
    a, b = alone.defects[0], company.defects[0]
    assert (a.site, a.parameters, a.seed) == (b.site, b.parameters, b.seed)
    assert a.layers is not None and b.layers is not None
    assert a.layers.sdf_m.tobytes() == b.layers.sdf_m.tobytes()


def test_the_same_seed_gives_the_same_bytes():
    asked = [blueprint("scratch"), blueprint("chip", length_mm=2.0), blueprint("dent")]
    first, second = make(PART, *asked, seed=9), make(PART, *asked, seed=9)
    for a, b in ((first.clean, second.clean), (first.defected, second.defected)):
        assert a.vertices.tobytes() == b.vertices.tobytes() and a.faces.tobytes() == b.faces.tobytes()
        assert all(a.corner[k].tobytes() == b.corner[k].tobytes() for k in a.corner)
    assert [d.site for d in first.defects] == [d.site for d in second.defects]
    assert first.defects[0].site != make(PART, *asked, seed=10).defects[0].site


def test_sites_stay_where_they_may():
    made = make(PART, *[blueprint("pit", {"regions": ("top",)}, diameter_mm=0.5) for _ in range(5)])
    assert all(TOP[d.site.face] and "top" in d.regions for d in made.defects)
    half = PLATE.triangles[..., 0].mean(1) > 30e-3
    made = make(PART, *[blueprint("pit", diameter_mm=0.5) for _ in range(5)], allowed=half)
    assert all(half[d.site.face] for d in made.defects)


def test_features_obey_direction_and_region():
    up, down = (Facing(direction=(0, 0, z), within_deg=10) for z in (1, -1))
    made = make(PART, blueprint("missing_feature", {"facing": up}, feature="boss"))
    assert made.defects[0].measured["volume_mm3"] < 0
    with pytest.raises(PlacementError, match="no free boss"):
        make(PART, blueprint("missing_feature", {"facing": down}, feature="boss"))
    with pytest.raises(PlacementError, match="no free hole"):
        make(PART, blueprint("missing_feature"), allowed=np.zeros(len(PLATE.faces), bool))
    with pytest.raises(PlacementError, match="no free hole"):
        make(PART, *[blueprint("missing_feature") for _ in range(3)])


def test_the_lay_is_known_to_the_painter():
    """Chatter and pressed marks follow the tool marks: align along_lay gives charts whose u axis lies along them."""
    tangent = np.zeros((len(PLATE.faces), 3, 3))
    tangent[..., 1] = 1.0
    mesh = PLATE.with_corner(lay=PLATE.triangles, lay_tangent=tangent)
    rule = {"align": "along_lay", "spread_deg": 0.0, "regions": ("top",)}
    made = make(PART, blueprint("scratch", rule, length_mm=4.0), blueprint("chip", length_mm=2), mesh=mesh)
    assert abs(made.defects[0].site.direction[1]) == pytest.approx(1, abs=1e-6)
    assert made.defected.corner["lay"].shape == (len(made.defected.faces), 3, 3)
    assert np.isfinite(made.defected.corner["lay_tangent"]).all()


def test_accept_limits_give_hard_negatives():
    limits = Limits(accept={"length_mm": Limit(max=2.0)})
    assert make(BOX, blueprint("scratch", limits=limits, length_mm=1.0)).defects[0].verdict == "acceptable"
    assert make(BOX, blueprint("scratch", limits=limits, length_mm=4.0)).defects[0].verdict == "defect"
    small = Limits(accept={"volume_mm3": Limit(min=-0.5)})
    assert make(BOX, blueprint("chip", limits=small, length_mm=1.0)).defects[0].verdict == "acceptable"


def test_reject_limits_draw_again():
    limits = Limits(reject={"length_mm": Limit(max=3.0)})
    asked = blueprint("scratch", limits=limits).model_copy(
        update={"parameters": {"length_mm": Distribution(uniform=(1, 6))}}
    )
    assert all(make(BOX, asked, seed=s).defects[0].parameters["length_mm"] <= 3.0 for s in range(6))


IMPOSSIBLE = {
    "too long": (blueprint("scratch", length_mm=80.0), "mm"),
    "too large": (blueprint("dent", diameter_mm=60.0), "mm"),
    "edge too short": (blueprint("chip", length_mm=60.0), "edge"),
    "no feature": (blueprint("missing_feature"), "no free hole"),
    "limits": (
        blueprint("scratch", limits=Limits(reject={"length_mm": Limit(min=90)}), length_mm=3.0),
        "reject limits",
    ),
    "measured": (
        blueprint("scratch", limits=Limits(reject={"width_mm": Limit(min=9)}), length_mm=3.0),
        "width_mm came",
    ),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_the_impossible_is_refused_quickly(name):
    asked, words = IMPOSSIBLE[name]
    start = time.process_time()
    with pytest.raises(PlacementError, match=words):
        make(BOX, asked)
    assert time.process_time() - start < 6.0


def test_an_open_part_refuses_solids_but_takes_decals():
    mesh = shapes.box()
    opened = part_of(mesh.subset(np.arange(len(mesh.faces)) != 4))
    with pytest.raises(PlacementError, match="open or non-manifold"):
        make(opened, blueprint("chip", length_mm=1.0))
    assert make(opened, blueprint("scratch", length_mm=2.0)).defects[0].form == "decal"


@pytest.mark.parametrize(
    "name", ["chip_brittle", "chip_torn", "burr_rollover", "burr_torn", "hole_missing", "hole_blocked"]
)
def test_solid_blueprints_on_the_housing(housing, name):
    catalogue = load_catalogue(LIBRARY)
    made = defect_part(housing, [catalogue[name]], material=STEEL, seed=3)
    assert is_closed(made.clean.faces) and is_closed(made.defected.faces)
    assert made.clean.volume == pytest.approx(housing.mesh.volume, rel=1e-9)
    change = made.defected.volume - made.clean.volume
    assert change * 1e9 == pytest.approx(made.defects[0].measured["volume_mm3"], rel=1e-4)
    assert_kept_identical(made.clean, made.defected)


def test_one_blueprint_of_every_surface_kind_on_the_housing(housing):
    catalogue = load_catalogue(LIBRARY)
    for kind in KINDS:
        if kind in ("chip", "burr", "missing_feature"):
            continue
        chosen = next(b for b in catalogue.values() if b.kind == kind)
        made = defect_part(housing, [chosen], material=PAINTED if kind in ("peel", "rust") else STEEL, seed=8)
        assert made.defects[0].measured["label_area_mm2"] > 0, kind


def test_the_library_of_blueprints_is_sound():
    catalogue = load_catalogue(LIBRARY)
    assert {b.kind for b in catalogue.values()} == set(KINDS)
    assert list(catalogue) == sorted(catalogue)


FAULTS = {
    "kind: scrach": "unknown kind 'scrach'.*did you mean 'scratch'",
    "kind: scratch\nparameters: {lenght_mm: 3}": "no parameter 'lenght_mm'.*did you mean 'length_mm'",
    "kind: chip": "on: face.*on: edge",
    "kind: missing_feature\nplacement: {on: feature}\nparameters: {feature: 3}": "'feature' is .*a word",
    "kind: missing_feature\nplacement: {on: feature}\nparameters: {feature: slot}": "feature is 'slot'",
    "kind: scratch\nlimits: {accept: {lenght_mm: {max: 3}}}": "a limit for 'lenght_mm'.*did you mean 'length_mm'",
    "kind: scratch\nlimits: {accept: {length_mm: {min: 3, max: 1}}}": "min no greater than max, got 3 and 1",
    "kind: scratch\nplacement: {facing: {direction: [0, 0, 0], within_deg: 9}}": "a direction, got",
    "kind: scratch\nparameters: {length_mm: {normal: [3, x]}}": "'parameters.length_mm.normal.1' is 'x'",
    "kind: scratch\nparameters: {length_mm: long}": "'length_mm' is 'long'.*a number",
}


@pytest.mark.parametrize("text", FAULTS)
def test_wrong_blueprints_are_explained_in_one_sentence(tmp_path, text):
    (tmp_path / "wrong.yaml").write_text(f"name: wrong\nversion: 1\ntext: x\n{text}\n")
    with pytest.raises(RecipeError, match=FAULTS[text]) as caught:
        load_catalogue(tmp_path)
    assert "wrong.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_duplicates_and_empty_folders(tmp_path):
    with pytest.raises(InputError, match="no blueprint"):
        load_catalogue(tmp_path)
    with pytest.raises(InputError, match="not a folder"):
        load_catalogue(tmp_path / "none")
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("name: same\nversion: 1\ntext: x\nkind: scratch\n")
    with pytest.raises(RecipeError, match="defines 'same' again"):
        load_catalogue(tmp_path)


def test_check_returns_the_kind():
    assert check(blueprint("scratch", length_mm=2.0), "here") is KINDS["scratch"]
