"""Part and blueprints in, DefectedPart out: place, refine, unfold, paint, cut, and press, in that order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from core.blueprint import Blueprint
from core.defect import Defect, DefectedPart, Site, chart_name
from core.errors import PlacementError
from core.material import Material
from core.mesh import Mesh
from core.part import Part
from core.seeds import child, child_seed
from defects.procedural import decals, forming
from defects.procedural.bench import Bench, Draft, Request
from defects.procedural.catalogue import check
from defects.procedural.relief import bake
from defects.procedural.solids import Pair, compact
from defects.procedural.workpiece import BASE, Workpiece

TRIES = 8
"""Sites (and parameter draws) that are tried for one request before it is given up."""

HOPELESS = 3
"""The same refusal this often in a row, and no more are tried."""

DRAWS = 64
"""Parameter draws that are tried against the reject limits."""


def defect_part(
    part: Part,
    requests: Sequence[Blueprint],
    *,
    material: Material,
    seed: int,
    mesh: Mesh | None = None,
    allowed: np.ndarray | None = None,
    visible: Callable[[Site], bool] | None = None,
    prepared: Workpiece | None = None,
) -> DefectedPart:
    """The part with one defect for each blueprint in `requests`, ids 1, 2, ... in that order.

    mesh: the part's mesh with more attributes on it (lay), the same faces. allowed: (m,) bool over them: where sites
    may lie. visible: sites on faces and edges for which it is False are drawn anew, a few times. prepared:
    `Workpiece.of(part, mesh)`, for many calls. Every request draws from its own stream under `seed`, so it does not
    depend on the others except for the room they take. Raises PlacementError when a request finds no site, RecipeError
    when it does not fit its kind.
    """
    if len(requests) > 255:
        raise PlacementError(f"{len(requests)} defects on one part", "at most 255", "ask for fewer")
    work = prepared or Workpiece.of(part, mesh)
    bench = Bench(work, material, seed, work.base, work.pair, allowed, visible)
    asked = [Request(i, b, check(b, f"blueprint '{b.name}'")) for i, b in enumerate(requests)]
    drafts: dict[int, Draft] = {}
    for request in sorted(asked, key=lambda r: (r.kind.form != "solid", r.index)):
        drafts[request.index] = _place(bench, request)
    return _finished(bench, [(r, drafts[r.index]) for r in asked])


def _place(bench: Bench, request: Request) -> Draft:
    """Try sites and parameters until one holds; the bench remembers it."""
    make = forming.make if request.kind.form == "solid" else decals.make
    last: PlacementError | None = None
    same = 0
    for attempt in range(TRIES):
        rng = child(bench.seed, "defect", request.index, request.blueprint.name, attempt)
        try:
            values = _drawn(request, rng)
            draft, surface, pair = make(bench, request, values, rng)
            _refuse_rejected(request, draft)
        except PlacementError as error:
            same = same + 1 if last is not None and last.given == error.given else 1
            last = error
            if same == HOPELESS:
                raise
            continue
        bench.surface, bench.pair = surface, pair
        bench.taken.extend(draft.keep)
        if request.kind.form != "decal":
            bench.fixed.extend(draft.keep)
        return replace(draft, measured={**draft.measured, "attempts": float(attempt + 1)})
    assert last is not None
    raise PlacementError(
        f"{request.origin} found no place on part '{bench.part.name}' in {TRIES} tries; the last: {last.given}",
        last.expected,
        last.do,
    )


def _drawn(request: Request, rng: np.random.Generator) -> dict[str, Any]:
    """Sampled values within the reject limits that name parameters."""
    limits = {k: v for k, v in request.blueprint.limits.reject.items() if k in request.blueprint.parameters}
    for _ in range(DRAWS):
        values = request.blueprint.sample(rng)
        if all(limit.holds(values[k]) for k, limit in limits.items()):
            return values
    raise PlacementError(
        f"{request.origin} draws outside its reject limits {DRAWS} times in a row", "limits that overlap its ranges",
        f"widen {', '.join(limits)}",
    )  # fmt: skip


def _refuse_rejected(request: Request, draft: Draft) -> None:
    known = {**draft.measured, **draft.parameters}
    for name, limit in request.blueprint.limits.reject.items():
        if name in known and not limit.holds(known[name]):
            raise PlacementError(f"{name} came out as {known[name]:.4g}", "it within the reject limits", "widen them")


def _finished(bench: Bench, drafts: list[tuple[Request, Draft]]) -> DefectedPart:
    """Cut the solids into the refined surface, press the reliefs, and write the records."""
    pair = bench.pair
    if bench.surface is not bench.base:
        pair = Pair.of(bench.surface)
        for _, draft in sorted(drafts, key=lambda d: d[0].index):
            pair = draft.edit(pair) if draft.edit is not None else pair
    pressed = [(r, d) for r, d in drafts if d.layers is not None and d.layers.displacement_m is not None]
    clean = defected = _plain(pair.kept)
    if pair.changed:
        clean, defected = _plain(compact(pair.clean())), _plain(compact(pair.defected()))
    for request, draft in pressed:
        assert draft.layers is not None
        defected = bake(defected, chart_name(request.id), draft.layers)
    return DefectedPart(bench.part, clean, defected, tuple(_record(bench, r, d) for r, d in drafts))


def _plain(mesh: Mesh) -> Mesh:
    return Mesh(mesh.vertices, mesh.faces, mesh.corner, {n: a for n, a in mesh.face.items() if n != BASE})


def _record(bench: Bench, request: Request, draft: Draft) -> Defect:
    blueprint, face, mesh = request.blueprint, draft.site.face, bench.base
    numbers = {k: v for k, v in draft.parameters.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    return Defect(
        id=request.id,
        kind=request.kind.name,
        form=request.kind.form,
        blueprint=blueprint.name,
        blueprint_version=blueprint.version,
        severity=blueprint.severity,
        verdict=blueprint.verdict({**numbers, **draft.measured}),
        seed=child_seed(bench.seed, "defect", request.index, blueprint.name),
        site=draft.site,
        parameters=draft.parameters,
        regions=tuple(n for n, r in bench.part.regions.items() if r.mask[face]),
        cad_face=int(mesh.face["cad_face"][face]) if "cad_face" in mesh.face else -1,
        patch=int(mesh.face["patch"][face]) if "patch" in mesh.face else -1,
        zone_m=draft.zone_m,
        layers=draft.layers,
        measured=draft.measured,
    )
