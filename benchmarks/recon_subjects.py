"""What `recon_accuracy.py` reconstructs: parts in finishes under lamps, captured by the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PRIMER = str(ROOT / "benchmarks" / "recon_finishes" / "matt_primer.yaml")
RINGS = (15.0, 45.0)


@dataclass(frozen=True)
class Subject:
    """part: below the repository, or below the folder of real data where `real`. kind: diffuse, painted, metal or
    glossy; metal and glossy rows stand apart. plan: of the capture."""

    name: str
    kind: str
    part: str
    real: bool
    plan: dict[str, Any]

    def path(self, data: Path) -> Path:
        return (data if self.real else ROOT) / self.part


HOUSING, SHAFT = "examples/parts/bearing_housing.step", "examples/parts/stepped_shaft.step"
SPOT, WINGNUT = "mesh/spot/spot.obj", "mesh/odedstein_wingnut/wingnut.obj"

SUBJECTS = (
    Subject("housing_powder", "painted", HOUSING, False, {"material": "powder_coat_grey"}),
    Subject("shaft_primer", "diffuse", SHAFT, False, {"material": PRIMER, "station": "bar_line"}),
    Subject(
        "spot_primer", "diffuse", SPOT, True, {"material": PRIMER, "station": "bar_line", "unit": "cm", "up": "+y"}
    ),
    Subject("spot_own", "diffuse", SPOT, True, {"material": "as_captured", "unit": "cm", "up": "+y"}),
    Subject("padlock_own", "diffuse", "mesh/ycb_padlock/textured.obj", True, {"material": "as_captured", "unit": "m"}),
    Subject("ftc06_primer", "diffuse", "cad/nist/nist_ftc_06_asme1_rd.stp", True, {"material": PRIMER}),
    Subject("featuretype_powder", "painted", "cad/cascadio/featuretype.STEP", True, {"material": "powder_coat_grey"}),
    Subject("wingnut_powder", "painted", WINGNUT, True, {"material": "powder_coat_grey", "unit": "cm", "up": "+y"}),
    Subject("wingnut_cast", "metal", WINGNUT, True, {"material": "sand_cast_aluminium", "unit": "cm", "up": "+y"}),
    Subject("shaft_turned", "metal", SHAFT, False, {"material": "turned_steel"}),
    Subject("featuretype_brushed", "metal", "cad/cascadio/featuretype.STEP", True, {"material": "brushed_steel"}),
    Subject("housing_gloss", "glossy", HOUSING, False, {"material": "gloss_paint_green"}),
)
MATT = ("diffuse", "painted")

REAL_CAPTURES = ("nerf_chair", "middlebury_dinoSparseRing", "flowerpot", "moldGoldCape")
ENVIRONMENTS = ("empty_warehouse_01_1k.hdr", "studio_small_03_1k.hdr")


def capture_of(subject: Subject, data: Path, cache: Path, size: int, views: int, samples: int) -> Path:
    """The subject's capture, made unless the cache holds it. `views`: of all rings together."""
    from flawsmith.simulate import CapturePlan, simulate_capture

    out = cache / f"{subject.name}_{size}_{views}_{samples}"
    if not out.is_dir():
        plan = plan_of(subject, size, views, samples)
        assert isinstance(plan, CapturePlan)
        simulate_capture(subject.path(data), out, plan)
    return out


def plan_of(subject: Subject, size: int, views: int, samples: int):
    from flawsmith.simulate import CapturePlan

    shared = {"elevations_deg": RINGS, "views": views // len(RINGS), "size_px": size, "samples": samples}
    return CapturePlan(**shared, **subject.plan)
