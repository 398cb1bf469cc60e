"""The table of kinds: name -> Kind."""

from __future__ import annotations

from defects.procedural.kind import Kind
from defects.procedural.kinds import (
    chatter,
    crack,
    dent,
    foreign,
    gouge,
    heat_tint,
    paint_run,
    peel,
    perlin_overlay,
    pit,
    porosity,
    print_fault,
    rust,
    scratch,
    scuff,
    stain,
)

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        chatter.KIND,
        crack.KIND,
        dent.KIND,
        foreign.KIND,
        gouge.KIND,
        heat_tint.KIND,
        paint_run.KIND,
        peel.KIND,
        perlin_overlay.KIND,
        pit.KIND,
        porosity.KIND,
        print_fault.KIND,
        rust.KIND,
        scratch.KIND,
        scuff.KIND,
        stain.KIND,
    )
}
"""Sorted by name; a new kind adds its import and its line."""
