"""Every real CAD and mesh file loads with the right size, or is refused with a sentence that says why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import parts
from core.errors import InputError
from core.part import Part

pytestmark = pytest.mark.real

SIZES_MM = {
    "cad/nist/nist_ctc_01_asme1_ap242-e1.stp": ("file", (800, 450, 150)),
    "cad/nist/nist_ctc_03_asme1_rc.stp": ("file", (302.963, 485.445, 162.68)),
    "cad/nist/nist_ftc_06_asme1_rd.stp": ("file", (304.8, 97.79, 247.65)),
    "cad/stepcode/as1-oc-214.stp": ("file", (200, 150, 84)),
    "cad/stepcode/io1-cm-214.stp": ("file", (31, 88, 87.951)),
    "cad/cascadio/multibody.step": ("file", (184.15, 114.3, 95.25)),
    "cad/cascadio/featuretype.STEP": ("file", (127, 63.5, 34.925)),
    "cad/cascadio/microstrip.igs": ("file", (50, 100, 1.6)),
    "cad/cq/red_cube_blue_cylinder.step": ("file", (25, 10, 10)),
    "cad/o3dv/as1_pe_203.igs": ("file", (5080, 2209.8, 3810)),
    "cad/b123d/tea_cup.glb": ("format", (169.375, 135.542, 105)),
    "cad/occt-import-js/cube-in.step": ("file", (1000, 1000, 1000)),
    "cad/occt-import-js/cube-mm.step": ("file", (1000, 1000, 1000)),
    "cad/occt-import-js/cube-m.step": ("file", (1000, 1000, 1000)),
    "cad/nasty/Spider_ascii.stl": ("mm", (6.2298, 8, 3.2987)),
    "cad/nasty/ascii_two_solids.stl": ("mm", (6, 1, 1)),
    "cad/nasty/soup.stl": ("mm", (0.9974, 0.9965, 0.9929)),
    "mesh/trimesh/featuretype.STL": ("inch", (127, 63.5, 34.925)),
    "mesh/trimesh/plate_holes.STL": ("mm", (203.2, 304.8, 12.7)),
    "mesh/ycb_padlock/textured.obj": ("m", (66.973, 68.055, 29.141)),
    "mesh/spot/spot.obj": ("cm", (9.431, 16.904, 17.179)),
    "mesh/odedstein_wingnut/wingnut.obj": ("cm", (30.267, 42.755, 71.987)),
}
REFUSED = {
    "cad/nasty/dodgy_U002_no_shape.stp": "holds no surface",
    "cad/nasty/points_emptyface.ply": "points without faces",
    "cad/nasty/BoxWithInfinites.glb": "NaN or infinite",
    "cad/nasty/BoxTextured_missing_bin.gltf": "'BoxTextured0.bin', which is missing",
}
BARE = {".stl", ".obj", ".ply"}


def load(folder: Path, name: str) -> Part:
    unit = SIZES_MM[name][0]
    return parts.load(folder / name, unit=unit if Path(name).suffix.lower() in BARE else None)


@pytest.mark.parametrize("name", SIZES_MM)
def test_sizes(real_data: Path, name: str) -> None:
    part = load(real_data, name)
    np.testing.assert_allclose(part.size_m * 1e3, SIZES_MM[name][1], rtol=1e-4)
    assert np.isfinite(part.mesh.corner["normal"]).all()
    closed = part.report["repairs"]["closed"]
    assert closed is (
        name
        not in {
            "cad/cascadio/microstrip.igs",
            "cad/nasty/soup.stl",
            "cad/nasty/Spider_ascii.stl",
        }
    )
    assert not closed or part.mesh.volume > 0
    decided = part.report["units"]["decided_by"]
    assert decided == (SIZES_MM[name][0] if decided in ("file", "format") else "given")


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(real_data: Path, name: str) -> None:
    with pytest.raises(InputError, match=REFUSED[name]):
        parts.load(real_data / name)


def test_all_files_are_accounted_for(real_data: Path) -> None:
    found = {p.relative_to(real_data).as_posix() for k in ("cad", "mesh") for p in (real_data / k).rglob("*.*")}
    helpers = {f for f in found if Path(f).suffix in (".txt", ".png", ".mtl")}
    assert found - helpers == set(SIZES_MM) | set(REFUSED)


def test_assembly_keeps_names_places_and_colours(real_data: Path) -> None:
    part = load(real_data, "cad/stepcode/as1-oc-214.stp")
    assert len(part.solid_names) == 18
    assert sum(n.startswith("nut") for n in part.solid_names) == 8
    assert sum(n.startswith("bolt") for n in part.solid_names) == 6
    assert (
        part.select("assembly:rod-assembly_1").sum() == part.select("solid:rod_1", "solid:nut_1", "solid:nut_2").sum()
    )
    assert part.report["colours"] == ["#0000ff", "#00ff00", "#ccff00", "#ff0000", "#ff7f00"]
    bolts = np.concatenate(
        [
            part.mesh.areas[part.select(f"solid:{n}")].sum(keepdims=True)
            for n in part.solid_names
            if n.startswith("bolt")
        ]
    )
    np.testing.assert_allclose(bolts, bolts[0], rtol=1e-6)
    centres = [part.mesh.triangles[part.select(f"solid:{n}")].mean((0, 1)) for n in part.solid_names]
    assert min(np.linalg.norm(a - b) for i, a in enumerate(centres) for b in centres[:i]) > 1e-3


def test_step_and_stl_of_one_part_agree(real_data: Path) -> None:
    step, stl = load(real_data, "cad/cascadio/featuretype.STEP"), load(real_data, "mesh/trimesh/featuretype.STL")
    assert stl.report["volume_cm3"] == pytest.approx(step.report["volume_cm3"], rel=2e-3)
    assert len(stl.report["bores"]) == len(step.report["bores"]) == 17
    a, b = (sorted(x["diameter_mm"] for x in p.report["bores"]) for p in (step, stl))
    np.testing.assert_allclose(a, b, rtol=2e-3)


def test_iges_trap_is_told_and_can_be_put_right(real_data: Path) -> None:
    """The file states mm throughout, so 5080 mm is what it says; the hint names the likely cause and the cure."""
    part = load(real_data, "cad/o3dv/as1_pe_203.igs")
    hint = next(w for w in part.report["warnings"] if "took mm for inches" in w)
    assert "200 x 87 x 150 mm" in hint
    unit = float(hint.rpartition("unit=")[2])
    right = parts.load(real_data / "cad/o3dv/as1_pe_203.igs", unit=unit)
    np.testing.assert_allclose(right.size_m * 1e3, [200, 87, 150], rtol=1e-5)


def test_a_bag_of_faces_falls_into_the_bodies_of_the_same_assembly_in_step(real_data: Path) -> None:
    """Both files hold the as1 assembly: 8 nuts, 6 bolts, 2 brackets, a rod and a plate, in touch with each other."""
    unit = 1e-3 / 25.4
    bag = parts.load(real_data / "cad/o3dv/as1_pe_203.igs", unit=unit)
    assert bag.report["repairs"]["bodies_separated"] == len(bag.solid_names) == 18
    assert bag.report["repairs"]["closed"] and bag.report["repairs"]["components"] == 18
    assert len(np.unique(np.sort(bag.mesh.faces, axis=1), axis=0)) == len(bag.mesh.faces)
    volumes = np.array([bag.mesh.subset(bag.mesh.face["solid"] == k).volume for k in range(18)]) * 1e6
    assert (volumes > 0).all()
    rounded = np.unique(np.round(volumes, 1), return_counts=True)[1]
    assert sorted(rounded.tolist()) == [1, 1, 2, 6, 8]
