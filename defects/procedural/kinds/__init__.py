"""The table of kinds: name -> Kind."""

from __future__ import annotations

from defects.procedural.kind import Kind
from defects.procedural.kinds import (
    crack,
    dent,
    pit,
    scratch,
)

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        crack.KIND,
        dent.KIND,
        pit.KIND,
        scratch.KIND,
    )
}
"""Sorted by name; a new kind adds its import and its line."""
