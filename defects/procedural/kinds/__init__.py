"""The table of kinds: name -> Kind."""

from __future__ import annotations

from defects.procedural.kind import Kind
from defects.procedural.kinds import (
    burr,
    chatter,
    chip,
    crack,
    dent,
    foreign,
    gouge,
    heat_tint,
    missing_feature,
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
        burr.KIND,
        chatter.KIND,
        chip.KIND,
        crack.KIND,
        dent.KIND,
        foreign.KIND,
        gouge.KIND,
        heat_tint.KIND,
        missing_feature.KIND,
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
