"""From a judged fit to the folder that a person gets: part, maps, light, facts, report, and Cycles' opinion of it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from core.errors import RenderError
from flawsmith.reconstruction_report import Story, write_report
from flawsmith.rerender import Gap, gaps, rerender
from flawsmith.versions import versions
from recon.bake import bake
from recon.capture.model import Capture
from recon.result import Reconstruction
from recon.save import save_facts, save_model
from recon.strips import Strip, chosen_views, strip, texture_measures
from recon.verdict import Verdict

SHOWN = 8


class Outcome(NamedTuple):
    """A fit of a capture, judged. provenance: what reconstruction.json says of how it was made."""

    capture: Capture
    found: Reconstruction
    verdict: Verdict
    provenance: Mapping[str, Any]


def deliver(out: Path, outcome: Outcome, rerender_views: int = 0, device: str = "cpu") -> None:
    """Write everything into `out`. The folder is complete before Cycles is asked, and told what it said afterwards."""
    capture, found, verdict, provenance = outcome
    maps = bake(capture, found) if found.maps is None else found.maps
    measured: dict[str, Any] = dict(texture_measures(capture, found, maps))
    strips = {i: strip(capture, found, maps, i) for i in chosen_views(capture, SHOWN)}
    made = versions()
    made_by = f"Flawsmith {made.flawsmith}" + (f" ({made.commit[:12]})" if made.commit else "")
    story = Story(capture, found, verdict, maps, measured, strips, {}, (), made_by)
    save_model(out, found, maps)
    write_report(out, story)
    save_facts(out, capture, found, verdict, provenance, maps, measured)
    if not rerender_views:
        return
    numbers = _among(strips, rerender_views) if rerender_views <= SHOWN else chosen_views(capture, rerender_views)
    taken = rerender(out, capture, found, numbers, device=device)
    every = {i: strips.get(i) or strip(capture, found, maps, i) for i in sorted({*strips, *numbers})}
    gap = gaps(every, taken)
    write_report(out, story._replace(strips=every, cycles=taken, gaps=gap))
    measured["rerender"] = _said(gap)
    provenance = {**provenance, "asked": {**provenance.get("asked", {}), "rerender": rerender_views}}
    save_facts(out, capture, found, verdict, provenance, maps, measured)


def _among(strips: Mapping[int, Strip], count: int) -> list[int]:
    """`count` of the views that are shown, spread evenly, the first that was held out always among them."""
    held = [i for i, s in strips.items() if s.held_out][:1]
    rest = [i for i in strips if i not in held]
    wanted = min(count - len(held), len(rest))
    return sorted(held + [rest[int((k + 0.5) * len(rest) / wanted)] for k in range(wanted)])


def need_blender() -> None:
    """RenderError where Blender is missing: said before the fit, not after it."""
    if find_spec("bpy") is None:
        raise RenderError("--rerender without Blender", "the bpy package", "install it, or leave out --rerender")


def _said(gap: list[Gap]) -> dict[str, Any]:
    means = {name: float(np.mean([getattr(g, name) for g in gap])) for name in Gap._fields[2:]}
    return {"mean": means, "views": [g._asdict() for g in gap]}
