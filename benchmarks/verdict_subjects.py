"""The captures of `verdict_trial.py`: twelve good ones, and what the spoiled ones are made from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from recon_subjects import HOUSING, ROOT, SUBJECTS, WINGNUT, Subject

SHIPPED = ROOT / "examples" / "captures" / "bearing_housing"
SIDE, VIEWS, SAMPLES = 192, 24, 12
RINGS = (20.0, 50.0)
FLANGE = "flange.stl"
FLANGE_MM = ((6, 0), (30, 0), (30, 5), (14, 5), (12, 7), (12, 16), (6, 16))
"""Half of the flange's section: radius and height."""


@dataclass(frozen=True)
class Wanted:
    """A capture that the trial simulates. views: of all rings together."""

    name: str
    part: str
    real: bool
    plan: dict[str, Any]
    rings: tuple[float, ...] = RINGS
    side: int = SIDE
    views: int = VIEWS
    samples: int = SAMPLES


def _from(name: str, **changed: Any) -> Wanted:
    subject: Subject = next(s for s in SUBJECTS if s.name == name)
    return replace(Wanted(name, subject.part, subject.real, subject.plan), **changed)


OTHER_LAMP = Wanted("housing_other_lamp", HOUSING, False, {"material": "powder_coat_grey", "station": "bar_line"})
MIRROR = Wanted("flange_mirror_one_ring", FLANGE, False, {"material": "polished_steel", "unit": "mm"}, (25.0,))
ON_PAPER = Wanted(
    "wingnut_on_paper", WINGNUT, True,
    {"material": "powder_coat_grey", "unit": "cm", "up": "+y", "backdrop": "paper"},
)  # fmt: skip


GOOD = (
    *(_from(n) for n in (
        "housing_powder", "shaft_primer", "spot_primer", "spot_own", "padlock_own", "ftc06_primer",
        "featuretype_powder", "wingnut_powder", "wingnut_cast", "housing_gloss",
    )),
    ON_PAPER,
)  # fmt: skip
"""The twelfth is the capture that the repository ships."""


def capture_of(wanted: Wanted, data: Path, cache: Path) -> Path | None:
    """The capture's folder: one of `recon_accuracy.py` in the cache, or made now; None where its part is absent."""
    larger = cache / f"{wanted.name}_256_36_16"
    if larger.is_dir():
        return larger
    out = cache / f"{wanted.name}_{wanted.side}_{wanted.views}_{wanted.samples}"
    if out.is_dir():
        return out
    from flawsmith.simulate import CapturePlan, simulate_capture

    part = (data if wanted.real else ROOT) / wanted.part
    if wanted.part == FLANGE:
        cache.mkdir(parents=True, exist_ok=True)
        part = cache / FLANGE
        flange().export(part)
    if not part.is_file():
        return None
    plan = CapturePlan(
        elevations_deg=wanted.rings, views=wanted.views // len(wanted.rings), size_px=wanted.side,
        samples=wanted.samples, **wanted.plan,
    )  # fmt: skip
    return simulate_capture(part, out, plan)


def flange() -> trimesh.Trimesh:
    """A turned flange with a hub and a bore, mm: the same from all sides of its axis."""
    section = np.array([*FLANGE_MM, FLANGE_MM[0]], float)
    return trimesh.creation.revolve(section, sections=180)
