"""part.json: what was read, how large it is, what was repaired, and why its numbers are the lengths they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from core.files import write_json
from core.mesh import Mesh
from core.part import Part
from parts.features import Features
from parts.raw import Raw
from parts.regions import hex_colour
from parts.repair import Repairs
from parts.surfaces import summary
from parts.units import Scale

UNUSUAL_MM = (0.5, 3000.0)


def describe(
    name: str,
    source: str,
    kind: str,
    mesh: Mesh,
    raw: Raw,
    scale: Scale,
    repairs: Repairs,
    found: Features,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """The report of one import, JSON-serialisable."""
    size = np.ptp(mesh.bounds, axis=0) * 1e3
    return {
        "name": name,
        "source": source,
        "format": kind,
        "options": dict(options),
        "units": {"unit": scale.unit, "decided_by": scale.source, "metres_per_unit_read": scale.metres},
        "size_mm": [round(float(v), 4) for v in size],
        "bounds_mm": np.round(mesh.bounds * 1e3, 4).tolist(),
        "area_cm2": round(float(mesh.areas.sum()) * 1e4, 6),
        "volume_cm3": round(mesh.volume * 1e6, 6) if repairs.closed else None,
        "faces": len(mesh.faces),
        "vertices": len(mesh.vertices),
        "solids": list(raw.solid_names),
        "assembly": [dict(t) for t in raw.tree],
        "colours": sorted({hex_colour(raw.colours[i]) for i in np.unique(mesh.face["colour"]) if i >= 0}),
        "materials": list(raw.material_names),
        "cad_faces": len(np.unique(mesh.face["cad_face"][mesh.face["cad_face"] >= 0])),
        "patches": int(mesh.face["patch"].max()) + 1,
        "surfaces": {
            shape: sum(s.shape == shape for s in found.surfaces) for shape in ("planar", "cylindrical", "curved")
        },
        "bores": [summary(found.surfaces[g[0]]) for g in found.bores],
        "bosses": [summary(found.surfaces[g[0]]) for g in found.bosses],
        "repairs": repairs.as_dict(),
        "warnings": _warnings(size, raw, scale, repairs),
    }


def _warnings(size_mm: np.ndarray, raw: Raw, scale: Scale, repairs: Repairs) -> list[str]:
    found = [*scale.notes, *raw.notes]
    if not UNUSUAL_MM[0] <= size_mm.max() <= UNUSUAL_MM[1]:
        found.append(f"the part is {size_mm.max():.4g} mm long: check the unit ({scale.unit}, by {scale.source})")
    if repairs.bodies_separated:
        found.append(f"touching bodies were taken apart: {repairs.bodies_separated} closed bodies, each its own solid")
    if repairs.opposed_faces_dropped:
        found.append(f"{repairs.opposed_faces_dropped} triangles lay back to back with others: one side was kept")
    if repairs.open_edges:
        found.append(f"{repairs.open_edges} open edges: no volume, and cuts into the body may fail")
    if repairs.non_manifold_edges:
        found.append(f"{repairs.non_manifold_edges} non-manifold edges: no volume, and cuts into the body may fail")
    return found


def write_report(part: Part, path: Path | str) -> Path:
    """Write the part's report as JSON; `path` is the file to write."""
    path = Path(path)
    write_json(path, dict(part.report))
    return path
