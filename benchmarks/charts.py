"""Charts: error against the true logarithmic map and CPU time, beside potpourri3d's (vector heat method) in one run.

    python benchmarks/charts.py

Interleaved, median of five, CPU milliseconds (not wall time). `error` is the greatest distance between where
geodesics shot from the site end in the chart and where they should, as a share of the radius; `stated` is its own
estimate.
"""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import potpourri3d
import trimesh

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "defects")]

from chart_shapes import RHO, Smooth, meshed, ring, ring_surface, site_near, sphere_surface  # noqa: E402

from core.defect import Site  # noqa: E402
from core.mesh import Mesh, barycentric  # noqa: E402
from core.seeds import child  # noqa: E402
from defects.procedural.chart import unfold  # noqa: E402
from defects.procedural.refine import located, refine_around, triangle_distance  # noqa: E402

ROUNDS = 5
SHOTS = 24


def cpu_ms(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1e3


def plane_surface() -> Smooth:
    return Smooth(
        lambda x: x[:, 2],
        lambda x: np.broadcast_to([0.0, 0.0, 1.0], x.shape),
        lambda x: np.zeros((len(x), 3, 3)),
    )


def cylinder_surface() -> Smooth:
    flat = np.diag([1.0, 1.0, 0.0])
    return Smooth(
        lambda x: (x[:, :2] ** 2).sum(1) - RHO**2,
        lambda x: 2 * x * [1, 1, 0],
        lambda x: np.broadcast_to(2 * flat, (len(x), 3, 3)),
    )


def cases() -> list[tuple[str, Mesh, Smooth, np.ndarray, float, float | None]]:
    """Name, mesh, true surface, place, chart radius, edge length asked for (None: what the chart needs)."""
    plate = meshed(
        trimesh.creation.box((0.2, 0.2, 0.002), transform=trimesh.transformations.translation_matrix([0, 0, -0.001]))
    )
    strips = meshed(trimesh.creation.cylinder(RHO, 0.06, 32))
    slivers = meshed(trimesh.creation.cylinder(RHO, 0.1, 600))
    ball = meshed(trimesh.creation.icosphere(4, RHO))
    rings = meshed(trimesh.creation.uv_sphere(RHO, count=[32, 32]))
    top, side, ball_at = np.array([0.003, 0.001, 0]), np.array([RHO, 0.0004, 0.001]), RHO * np.array([0.36, 0.48, 0.8])
    return [
        ("plane, 2 faces a side", plate, plane_surface(), top, 0.005, None),
        ("plane, relief, 30 mm", plate, plane_surface(), top, 0.030, 0.0008),
        ("cylinder, 32 strips", strips, cylinder_surface(), side, 0.005, None),
        ("cylinder, 600 slivers", slivers, cylinder_surface(), side, 0.005, None),
        ("cylinder, 600 slivers, relief", slivers, cylinder_surface(), side, 0.005, 0.0003),
        ("sphere, icosphere 5120", ball, sphere_surface(), ball_at, 0.005, None),
        ("sphere, 32 rings", rings, sphere_surface(), ball_at, 0.005, None),
        ("sphere, relief", ball, sphere_surface(), ball_at, 0.005, 0.00015),
        ("ring, outside", ring(), ring_surface(), np.array([0.025, 0.001, 0.0003]), 0.005, None),
        ("ring, inside", ring(), ring_surface(), np.array([0.015, 0.001, 0.0002]), 0.005, None),
    ]


def peer_chart(mesh: Mesh, site: Site) -> np.ndarray:
    """(n, 2) potpourri3d's map about the vertex of the site's face that is nearest to it, on the whole mesh."""
    corners = mesh.faces[site.face]
    nearest = corners[np.linalg.norm(mesh.vertices[corners] - site.point_m, axis=1).argmin()]
    return potpourri3d.MeshVectorHeatSolver(mesh.vertices, mesh.faces).compute_log_map(int(nearest))


def errors(mesh: Mesh, rows: np.ndarray, uv: np.ndarray, ends: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(n,) distances between where shots end in a chart (corner values of `rows`) and where they should, the
    best turn and shift of the whole chart taken off (the peer starts at a vertex and has its own direction)."""
    found = np.empty(len(ends), complex)
    for k, end in enumerate(ends):
        near = triangle_distance(mesh.triangles[rows], end).argmin()
        bary = np.clip(barycentric(mesh.triangles[rows[near]][None], end[None, None])[0, 0], 0, None)
        found[k] = bary / bary.sum() @ uv[near] @ [1, 1j]
    found, wanted = found - found.mean(), wanted - wanted.mean()
    turn = np.angle((found * np.conj(wanted)).sum())
    return np.abs(found * np.exp(-1j * turn) - wanted)


def measured(mesh: Mesh, surface: Smooth, place: np.ndarray, radius: float, edge: float | None) -> str:
    """One row: faces of the chart, CPU times and errors."""
    site = site_near(mesh, place, child(3, "direction").normal(size=3))
    fine, parent = refine_around(mesh, [site], radius, max_edge_m=edge)
    there = located(fine, parent, site)
    times = []
    for _ in range(ROUNDS):
        # fresh meshes, because a Mesh keeps what it computes
        old, new = Mesh(mesh.vertices, mesh.faces), Mesh(fine.vertices, fine.faces)
        refining = partial(refine_around, old, [site], radius, max_edge_m=edge)
        works = refining, partial(unfold, new, there, radius), partial(peer_chart, new, there)
        times.append([cpu_ms(work) for work in works])
    chart, peer = unfold(fine, there, radius), peer_chart(fine, there)
    angle = np.arange(SHOTS) * (2 * np.pi / SHOTS)
    ends, wanted = surface.shoot(site, 0.98 * radius, angle), 0.98 * radius * np.exp(1j * angle)
    rows = np.flatnonzero(chart.valid)
    ours = errors(fine, rows, chart.uv_m[rows], ends, wanted).max() / radius
    theirs = errors(fine, rows, peer[fine.faces[rows]], ends, wanted).max() / radius
    cells = [f"{t:6.0f}ms" for t in np.median(times, axis=0)]
    cells += [f"{e:8.2%}" for e in (ours, theirs, chart.error_m / radius)]
    return f"{radius * 1e3:4.0f}mm {len(rows):6d} {' '.join(cells)}"


def main() -> None:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    device = platform.processor() or platform.machine()
    print(f"{datetime.date.today()}  {device}, {os.cpu_count()} CPUs  commit {commit.strip()}")
    heads = " ".join(f"{h:>8}" for h in ("refine", "unfold", "peer", "error", "peer", "stated"))
    print(f"{'':30} radius  faces {heads}")
    for name, *case in cases():
        print(f"{name:30} {measured(*case)}")


if __name__ == "__main__":
    main()
