"""Sites keep every constraint of their blueprint, are spread evenly, and a refusal says what is missing."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import trimesh
from chart_shapes import RHO, meshed, strips
from hypothesis import given, settings
from hypothesis import strategies as st

from core.blueprint import Blueprint
from core.defect import Site
from core.errors import GeometryError, InputError, PlacementError
from core.mesh import NORMAL, Mesh, barycentric
from core.part import Part, Region
from core.seeds import child
from defects.procedural.edges import edge_path
from defects.procedural.placement import Placer

MM = 1e-3
SIZE = np.array([0.060, 0.040, 0.010])
seeds = st.integers(0, 10**6)


def part_of(mesh: Mesh, name: str = "block") -> Part:
    n = mesh.face_normals
    masks = {"top": n[:, 2] > 0.99, "bottom": n[:, 2] < -0.99, "front": n[:, 1] < -0.99, "side": np.abs(n[:, 2]) < 0.5}
    regions = {k: Region(k, "face", v) for k, v in masks.items()}
    return Part(name, mesh, "0" * 64, "code", regions=regions)


def rule(**placement: Any) -> Blueprint:
    return Blueprint(name="mark", version=1, kind="scratch", text="A mark.", placement=placement)  # type: ignore[arg-type]


BLOCK = part_of(meshed(trimesh.creation.box(SIZE)))
ROUND = part_of(strips(64), "round")
FLANGE = part_of(meshed(trimesh.creation.annulus(0.010, 0.016, 0.004, sections=96)), "flange")
PLACERS = {"block": Placer(BLOCK), "round": Placer(ROUND), "flange": Placer(FLANGE)}


def assert_sound(part: Part, site: Site) -> None:
    """Strictly inside its face; direction tangent; normal outward."""
    point, u, n = (np.asarray(v) for v in (site.point_m, site.direction, site.normal))
    assert barycentric(part.mesh.triangles[site.face][None], point[None, None]).min() > 1e-6
    assert n == pytest.approx(part.mesh.face_normals[site.face], abs=1e-12)
    assert np.linalg.norm(u) == pytest.approx(1, abs=1e-12) and abs(u @ n) < 1e-12


def to_block_edges(point: np.ndarray) -> float:
    """From a point on the block to the nearest edge of the side it lies on."""
    gap = np.sort(SIZE / 2 - np.abs(point))
    assert gap[0] == pytest.approx(0, abs=1e-12)
    return float(gap[1])


@settings(max_examples=60, deadline=None)
@given(seeds, st.floats(0.2, 4.0), st.floats(0.0, 1.0), st.sampled_from([(), ("top",), ("side",), ("!front",)]))
def test_a_disc_keeps_its_distance_and_its_region(seed: int, reach: float, apart: float, regions: tuple) -> None:
    blueprint = rule(regions=regions, edge_distance_mm={"min": apart})
    site = PLACERS["block"].place(blueprint, reach * MM, child(seed, "place"))
    assert_sound(BLOCK, site)
    assert BLOCK.select(*regions)[site.face]
    assert to_block_edges(np.asarray(site.point_m)) >= (reach + apart) * MM - 1e-12


@settings(max_examples=30, deadline=None)
@given(seeds, st.floats(0.2, 1.5), st.floats(0.5, 2.0))
def test_a_disc_near_an_edge(seed: int, reach: float, within: float) -> None:
    blueprint = rule(regions=("top",), edge_distance_mm={"min": 0.1, "max": within})
    site = PLACERS["block"].place(blueprint, reach * MM, child(seed, "place"))
    rim = to_block_edges(np.asarray(site.point_m)) / MM - reach
    assert 0.1 - 1e-9 <= rim <= within + 1e-9


@settings(max_examples=40, deadline=None)
@given(seeds, st.floats(5.0, 28.0), st.floats(0.05, 2.0), st.floats(0.0, 1.0))
def test_a_rectangle_fits_the_right_way_round(seed: int, half: float, width: float, apart: float) -> None:
    """Up to 56 mm long on sides 10 and 40 mm wide: only along."""
    blueprint = rule(edge_distance_mm={"min": apart})
    site = PLACERS["block"].place(
        blueprint, (half + width) * MM, child(seed, "long"), half_extent_m=(half * MM, width * MM)
    )
    assert_sound(BLOCK, site)
    point, u, n = (np.asarray(v) for v in (site.point_m, site.direction, site.normal))
    v = np.cross(n, u)
    for a in (-1, 1):
        for b in (-1, 1):
            corner = point + (a * half * u + b * width * v) * MM
            assert to_block_edges(corner) >= apart * MM - 1e-9
    assert np.abs(point).max() <= SIZE.max() / 2


@settings(max_examples=20, deadline=None)
@given(seeds, st.floats(6.5, 9.0))
def test_a_scratch_on_a_ring_lies_as_a_chord_that_misses_the_hole(seed: int, half: float) -> None:
    """Straight-line distance cannot tell; the chart can: a chord on a flange face of 6 mm."""
    blueprint = rule(regions=("top",), edge_distance_mm={"min": 0.2})
    site = PLACERS["flange"].place(blueprint, half * MM, child(seed, "ring"), half_extent_m=(half * MM, 0.1 * MM))
    u = np.asarray(site.direction)
    line = np.asarray(site.point_m) + np.linspace(-half, half, 400)[:, None] * MM * u
    across = 0.1 * MM * np.cross(site.normal, u)
    radius = np.hypot(*np.concatenate([line - across, line + across])[:, :2].T)
    flat = np.cos(np.pi / 96)
    assert radius.min() >= 0.0102 * flat - 1e-9 and radius.max() <= 0.0158 + 1e-9


@settings(max_examples=20, deadline=None)
@given(seeds, st.floats(1.0, 60.0))
def test_facing(seed: int, within: float) -> None:
    towards = np.array([1.0, 0.4, 0.0])
    blueprint = rule(regions=("side",), facing={"direction": tuple(towards), "within_deg": within + 6})
    site = PLACERS["round"].place(blueprint, 0.5 * MM, child(seed, "facing"))
    angle = np.rad2deg(np.arccos(np.asarray(site.normal) @ towards / np.linalg.norm(towards)))
    assert angle <= within + 6


def test_curvature_radius_of_cylinders_and_planes() -> None:
    radius = PLACERS["round"].ground.bend_radius
    side = ROUND.select("side")
    assert np.abs(radius[side] / RHO - 1).max() < 0.01 and np.isinf(radius[~side]).all()
    smooth = ROUND.mesh.triangles * [1, 1, 0]
    normal = np.where(
        side[:, None, None], smooth / np.maximum(np.linalg.norm(smooth, axis=2, keepdims=True), 1e-12), 0.0
    )
    normal[~side] = ROUND.mesh.face_normals[~side][:, None]
    dressed = Placer(ROUND, ROUND.mesh.with_corner(**{NORMAL: normal})).ground.bend_radius
    assert np.abs(dressed[side] / RHO - 1).max() < 0.01 and np.isinf(dressed[~side]).all()
    for limits, wanted in (({"max": 20}, True), ({"min": 20}, False)):
        for seed in range(10):
            site = PLACERS["round"].place(rule(curvature_radius_mm=limits), 1 * MM, child(seed, "bend"))
            assert side[site.face] == wanted


def test_sites_are_spread_evenly_over_the_free_area() -> None:
    """4 mm from the edges of the top, 52 by 32 mm remain: a chi-square test on 4 by 4 cells."""
    rng = child(5, "even")
    blueprint = rule(regions=("top",), edge_distance_mm={"min": 1.0})
    points = np.array([PLACERS["block"].place(blueprint, 3 * MM, rng).point_m for _ in range(640)])
    cells = np.floor((points[:, :2] / (SIZE[:2] - 0.008) + 0.5) * 4).astype(int)
    count = np.bincount(cells[:, 0] * 4 + cells[:, 1], minlength=16)
    assert len(count) == 16 and ((count - 40) ** 2 / 40).sum() < 37.7  # 0.1 % of fair draws with 15 degrees of freedom


@settings(max_examples=25, deadline=None)
@given(seeds, st.floats(0.5, 3.0), st.floats(0.0, 2.0))
def test_spacing_to_other_defects(seed: int, reach: float, spacing: float) -> None:
    rng = child(seed, "taken")
    taken = [(np.append(rng.uniform(-0.5, 0.5, 2) * SIZE[:2], 0.005), float(rng.uniform(1, 5)) * MM) for _ in range(8)]
    blueprint = rule(regions=("top",), spacing_mm=spacing)
    site = PLACERS["block"].place(blueprint, reach * MM, rng, None, taken)
    for centre, radius in taken:
        assert np.linalg.norm(centre - site.point_m) >= radius + (reach + spacing) * MM - 1e-12
    half = (6 * MM, 0.2 * MM)
    site = PLACERS["block"].place(blueprint, 6 * MM, rng, taken=taken, half_extent_m=half)
    line = np.asarray(site.point_m) + np.linspace(-half[0], half[0], 200)[:, None] * np.asarray(site.direction)
    for centre, radius in taken:
        assert np.linalg.norm(line - centre, axis=1).min() >= radius + half[1] + spacing * MM - 1e-9


def test_overlap_and_the_allowed_faces() -> None:
    everywhere = [(np.zeros(3), 0.1)]
    with pytest.raises(PlacementError, match="no room between the other defects"):
        PLACERS["block"].place(rule(), 1 * MM, child(1, "full"), taken=everywhere)
    PLACERS["block"].place(rule(overlap=True), 1 * MM, child(1, "full"), taken=everywhere)
    allowed = BLOCK.select("front")
    for seed in range(10):
        assert allowed[PLACERS["block"].place(rule(), 1 * MM, child(seed, "allowed"), allowed).face]
    with pytest.raises(PlacementError, match="none of its faces is left"):
        PLACERS["block"].place(rule(regions=("top",)), 1 * MM, child(1, "none"), allowed)


@pytest.mark.parametrize(("align", "middle"), [("along_lay", 0.0), ("across_lay", 90.0)])
def test_along_and_across_the_lay(align: str, middle: float) -> None:
    marks = np.array([1.0, 0.5, 0.0]) / np.hypot(1, 0.5)
    mesh = BLOCK.mesh.with_corner(lay_tangent=np.broadcast_to(marks, (len(BLOCK.mesh.faces), 3, 3)))
    placer = Placer(BLOCK, mesh)
    found = []
    for seed in range(40):
        site = placer.place(rule(regions=("top",), align=align, spread_deg=12), 1 * MM, child(seed, "lay"))
        found.append(np.rad2deg(np.arccos(abs(np.asarray(site.direction) @ marks))))
    assert np.abs(np.array(found) - middle).max() <= 12 + 1e-9
    assert np.ptp(found) > 5


@settings(max_examples=30, deadline=None)
@given(seeds, st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda d: np.linalg.norm(d) > 0.1))
def test_what_runs_runs_downhill(seed: int, down: tuple[float, float, float]) -> None:
    """The chart's -v, -(n x u), is the steepest way down; faces that are nearly level are left out."""
    pull = np.array(down) / np.linalg.norm(down)
    site = PLACERS["block"].place(rule(align="down", down=down, spread_deg=3), 1 * MM, child(seed, "runs"))
    n, u = np.array(site.normal), np.array(site.direction)
    slope = pull - (pull @ n) * n
    assert np.linalg.norm(slope) >= np.sin(np.deg2rad(20)) - 1e-9
    assert -np.cross(n, u) @ slope / np.linalg.norm(slope) >= np.cos(np.deg2rad(3)) - 1e-9


def test_nothing_runs_on_a_level_face_or_in_no_direction() -> None:
    with pytest.raises(PlacementError, match="nothing runs down on level faces"):
        PLACERS["block"].place(rule(regions=("top",), align="down"), 1 * MM, child(1, "level"))
    with pytest.raises(ValueError, match="is no direction"):
        rule(align="down", down=(0.0, 0.0, 0.0))


def test_along_the_nearest_edge() -> None:
    for seed in range(30):
        site = PLACERS["block"].place(
            rule(regions=("top",), align="along_edge", spread_deg=5), 1 * MM, child(seed, "by")
        )
        gap = SIZE[:2] / 2 - np.abs(site.point_m[:2])
        along = np.asarray(site.direction)[:2][[1, 0]][gap.argmin()]
        assert abs(along) >= np.cos(np.deg2rad(5)) - 1e-9


@settings(max_examples=30, deadline=None)
@given(seeds, st.floats(0.3, 3.0))
def test_a_site_on_an_edge(seed: int, reach: float) -> None:
    site = PLACERS["block"].place(rule(on="edge", regions=("top",)), reach * MM, child(seed, "edge"))
    assert_sound(BLOCK, site)
    point, u = np.asarray(site.point_m), np.asarray(site.direction)
    gap = np.sort(SIZE / 2 - np.abs(point))
    assert gap[0] < 1e-12 and gap[1] < 3e-6 and gap[2] >= reach * MM - 3e-6
    assert BLOCK.select("top")[site.face]
    assert np.abs(u).max() == pytest.approx(1, abs=1e-9)
    path = edge_path(BLOCK.mesh, site.face, point, reach * MM)
    assert path.length_m >= 2 * reach * MM - 1e-5
    assert abs(path.at(np.zeros(1))[1][0] @ u) == pytest.approx(1, abs=1e-6)


def test_edges_round_a_hole_are_followed_and_limited() -> None:
    placer, radii = PLACERS["flange"], set()
    for seed in range(30):
        site = placer.place(rule(on="edge"), 1.5 * MM, child(seed, "loop"))
        radii.add(round(float(np.hypot(*site.point_m[:2])), 3))
    assert radii == {0.010, 0.016}
    with pytest.raises(PlacementError, match=r"at most the 4\.0 mm"):
        placer.place(rule(on="edge"), 4.5 * MM, child(1, "loop"))
    concave = Part("hollow", Mesh(BLOCK.mesh.vertices, BLOCK.mesh.faces[:, ::-1]), "0" * 64, "code")
    with pytest.raises(PlacementError, match="finds no edge"):
        Placer(concave).place(rule(on="edge"), 1 * MM, child(1, "none"))


@pytest.mark.parametrize(
    ("reach", "half", "regions", "offer"),
    [(50.0, (50.0, 0.1), ("front",), (15, 30)), (7.0, None, ("front",), (4.5, 5.0)), (25.0, None, (), (17, 20))],
)
def test_what_cannot_fit_is_refused_at_once_with_numbers(
    reach: float, half: tuple | None, regions: tuple, offer: tuple
) -> None:
    extent = None if half is None else (half[0] * MM, half[1] * MM)
    start = time.process_time()
    with pytest.raises(PlacementError) as caught:
        PLACERS["block"].place(rule(regions=regions), reach * MM, child(3, "too long"), half_extent_m=extent)
    assert time.process_time() - start < 1.5
    assert f"{half[0] if half else reach:.1f} mm" in caught.value.given
    room = float(caught.value.expected.split("the ")[1].split(" mm")[0])
    assert offer[0] <= room <= offer[1]


def test_a_disc_larger_than_a_rod_is_refused() -> None:
    """No edge is near, but the chart would meet itself behind the rod."""
    rod = Placer(part_of(strips(48, radius=0.002, height=0.1), "rod"))
    rod.place(rule(regions=("side",)), 3 * MM, child(1, "rod"))
    with pytest.raises(PlacementError, match="neither folds nor runs into an edge"):
        rod.place(rule(regions=("side",)), 7 * MM, child(1, "rod"))
    site = rod.place(rule(regions=("side",)), 20 * MM, child(1, "rod"), half_extent_m=(20 * MM, 0.1 * MM))
    assert abs(site.direction[2]) > 0.9


def test_same_seed_same_site() -> None:
    first, second = (PLACERS["flange"].place(rule(), 1 * MM, child(9, "same")) for _ in range(2))
    assert first == second == Placer(FLANGE).place(rule(), 1 * MM, child(9, "same"))


def test_other_refusals_name_the_constraint() -> None:
    placer, rng = PLACERS["block"], child(1, "refused")
    with pytest.raises(InputError, match="region 'tip' matches nothing"):
        placer.place(rule(regions=("tip",)), 1 * MM, rng)
    with pytest.raises(PlacementError, match="no face of the region looks that way"):
        placer.place(rule(regions=("top",), facing={"direction": (0, 0, -1), "within_deg": 20}), 1 * MM, rng)
    with pytest.raises(PlacementError, match="radius of curvature from 0 to 5 mm"):
        placer.place(rule(curvature_radius_mm={"max": 5}), 1 * MM, rng)
    with pytest.raises(PlacementError, match="on a feature"):
        placer.place(rule(on="feature"), 1 * MM, rng)
    with pytest.raises(PlacementError, match="reach"):
        placer.place(rule(), float("nan"), rng)
    with pytest.raises(GeometryError, match="its own 12 faces"):
        Placer(BLOCK, ROUND.mesh)


def test_across_sharp_edges_when_asked() -> None:
    """A stain 12 mm wide on a bar 10 mm thick: only over its edges."""
    with pytest.raises(PlacementError):
        PLACERS["block"].place(rule(regions=("front",)), 6 * MM, child(1, "over"))
    site = PLACERS["block"].place(rule(regions=("front",), cross_edges=True), 6 * MM, child(1, "over"))
    assert_sound(BLOCK, site)
