"""The table of kinds: name -> Kind."""

from __future__ import annotations

from defects.procedural.kind import Kind
from defects.procedural.kinds import (
    chatter,
    crack,
    dent,
    gouge,
    pit,
    porosity,
    scratch,
    scuff,
)

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        chatter.KIND,
        crack.KIND,
        dent.KIND,
        gouge.KIND,
        pit.KIND,
        porosity.KIND,
        scratch.KIND,
        scuff.KIND,
    )
}
"""Sorted by name; a new kind adds its import and its line."""
