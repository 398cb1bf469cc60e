"""Whether a reconstruction may be used, with reasons and the next step: a plausible wrong mesh is worse than none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core.models import FileModel
from recon.capture.model import Capture
from recon.confidence import seen_share
from recon.genus import tangles
from recon.reasons import Measure, least, most
from recon.reasons import Reason as Reason
from recon.result import Reconstruction

if TYPE_CHECKING:
    from recon.capture.masks import MaskReport
    from recon.lighting import Lighting

LEAST_VIEWS = 12
LEAST_MASK_IOU = 0.93
LEAST_FIT_IOU = 0.95
WORST_VIEW_IOU = 0.88
MOST_SUSPECTS = 0.15
MOST_OFF_PX = 2.5
LEAST_HELD_OUT_DB = 15.0
MOST_OVERFIT_DB = 6.0
LARGEST_GAP_RAD = np.deg2rad(60)
GATHERED_RAD = np.deg2rad(60)
SECOND_ELEVATION_RAD = np.deg2rad(12)
FULLY_SEEN = 0.97
LEAST_EXPLAINED, WELL_EXPLAINED = 0.25, 0.6
"""Share of what differs in the photographs. A mirror leaves 0.03, turned steel 0.55, gloss paint 0.74, matt 0.9."""
LEAST_CHANGE_SRGB = 0.03
MOST_TANGLES = 6
LEAST_OF_STEPS = 0.5
"""Share of its steps after which a fit that was stopped can be used with that in mind."""
POROUS, MOST_POROUS = 0.03, 0.25
"""Share of the surface where no light comes in, of a surface that is also full of tunnels and voids. Perforated plates
have the tunnels, pipes and deep slots the darkness; only Swiss cheese has both."""


class Verdict(FileModel):
    """outcome: accepted, accepted with (the notes), or refused. reasons: those that refuse come first. measures: every
    number that was looked at, None where it could not be measured."""

    outcome: Literal["accepted", "accepted with", "refused"]
    reasons: tuple[Reason, ...]
    measures: Mapping[str, Measure]

    @property
    def usable(self) -> bool:
        return self.outcome != "refused"

    def sentence(self) -> str:
        """One line for a person."""
        if not self.reasons:
            return "accepted"
        told = "; ".join(f"{r.said} ({r.next_step})" for r in self.reasons)
        return f"{self.outcome}: {told}"


@dataclass(frozen=True)
class Geometry:
    """Of the cameras about the part. gap_rad: the widest arc of azimuth without a view. elevations_rad: spread of the
    angle to the axis that they stand about. sessions: how many different ways the part lay."""

    gap_rad: float
    elevations_rad: float
    sessions: int


def geometry(capture: Capture) -> Geometry:
    """Where the views stood, those kept apart too, about the first session's axis. Without one about +Z, or about the
    normal of the plane that they stand nearest to, where that leaves the narrower gap: files are written with any axis
    up. A normal that the cameras gather round, as one side of a part is photographed, is no axis.
    """
    centre = np.median([_middle(v) for v in capture.views], axis=0)
    axis = next((s.axis for s in capture.sessions if s.axis is not None), None)
    up = np.array([0.0, 0.0, 1.0]) if axis is None else np.asarray(axis, float) / np.linalg.norm(axis)
    ways = np.stack([v.centre - centre for v in capture.views])
    ways /= np.maximum(np.linalg.norm(ways, axis=1, keepdims=True), 1e-12)
    normal = np.linalg.svd(ways - ways.mean(0), full_matrices=False)[2][-1]
    if axis is not None or np.median(np.abs(ways @ normal)) > np.sin(GATHERED_RAD):
        normal = up
    gap, low, high = min(_about(a, ways) for a in (up, normal))
    return Geometry(gap, high - low, len({v.session for v in capture.training}))


def _about(up: np.ndarray, ways: np.ndarray) -> tuple[float, float, float]:
    """(widest arc of azimuth without a way, 5th and 95th percentile of the ways' angles of rise), radians."""
    side = np.cross(up, [1.0, 0.0, 0.0] if abs(up[0]) < 0.9 else [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side)
    azimuth = np.sort(np.arctan2(ways @ np.cross(up, side), ways @ side))
    gap = float(np.max(np.diff(np.r_[azimuth, azimuth[0] + 2 * np.pi])))
    rise = np.arcsin(np.clip(ways @ up, -1, 1))
    low, high = np.percentile(rise, [5, 95])
    return gap, float(low), float(high)


def _middle(view) -> np.ndarray:
    """The point in front of the camera at the distance of the scene's middle; cameras look at the part."""
    return view.centre + view.camera_from_part[2, :3] * np.linalg.norm(view.camera_from_part[:3, 3])


def judge(
    capture: Capture,
    masks: MaskReport,
    found: Reconstruction,
    hull_iou: float,
    *,
    doubts: tuple[Reason, ...] | None = None,
    lighting: Lighting | None = None,
) -> Verdict:
    """The verdict on a fit. hull_iou: mean overlap of the capture's visual hull with its masks, held-out views too.

    doubts: what was found before the fit (`recon.doubts`). lighting: of the fit, see there; neither is judged where it
    is None.
    """
    from recon.interior import interior_share  # torch waits until there is something to judge

    stand = geometry(capture)
    views = found.facts["views"]
    fit_iou = np.array([v["iou"] for v in views])
    held_db = _mean_db(views, True)
    train_db = _mean_db(views, False)
    knots = float(tangles(found.vertices, found.faces))
    measures = {
        "training_views": float(len(capture.training)), "mask_iou": masks.mean_iou,
        "suspect_masks": len(masks.suspects) / len(capture.views), "hull_iou": hull_iou,
        "fit_iou": float(fit_iou.mean()), "worst_view_iou": float(fit_iou.min()), "training_psnr_db": train_db,
        "held_out_psnr_db": held_db, "seen_share": seen_share(found), "tangles": knots,
        "porous_share": interior_share(found.vertices, found.faces) if knots > MOST_TANGLES else 0.0,
        "azimuth_gap_deg": float(np.rad2deg(stand.gap_rad)),
        "elevation_spread_deg": float(np.rad2deg(stand.elevations_rad)),
        "skipped_steps": float(found.facts.get("skipped_steps", 0)),
        "mask_offset_px": float(masks.systematic_px),
    }  # fmt: skip
    if lighting is not None:
        measures |= {
            "explained": lighting.explained, "light_change": lighting.change, "light_change_srgb": lighting.change_srgb
        }  # fmt: skip
    # masks that were moved are judged by where they lie now, if that was looked at
    off_px = 0.0 if doubts is not None else abs(masks.systematic_px)
    worst = capture.views[int(fit_iou.argmin())].name
    found_reasons = [
        *_time(found.facts), *_input(measures, off_px), *_fit(measures, worst), *_shape(measures["porous_share"]),
        *([] if lighting is None or _hardly_begun(found.facts) else _light(lighting)), *(doubts or ()),
        _assumed(capture),
        least("seen", measures["seen_share"], FULLY_SEEN, "{:.0%} of the surface was seen", "turn the part over",
              "note"),
        _material(found.facts, stand, capture),
    ]  # fmt: skip
    reasons = tuple(sorted((r for r in found_reasons if r is not None), key=lambda r: r.weight != "refuse"))
    refused = any(r.weight == "refuse" for r in reasons)
    outcome = "refused" if refused else "accepted with" if reasons else "accepted"
    return Verdict(outcome=outcome, reasons=reasons, measures=measures)


def coverage(capture: Capture) -> tuple[Reason, ...]:
    """What refuses a capture for how few photographs there are and where they stood: known before any fit."""
    gap = float(np.rad2deg(geometry(capture).gap_rad))
    return tuple(r for r in _views(float(len(capture.training)), gap) if r is not None)


def _views(count: float, gap_deg: float) -> list[Reason | None]:
    return [
        least("views", count, LEAST_VIEWS, "{:.0f} training views", "take more views"),
        most("coverage", gap_deg, float(np.rad2deg(LARGEST_GAP_RAD)), "no view within an arc of {:.0f} degrees",
             "photograph the whole turn, or use CAD for the side not seen"),
    ]  # fmt: skip


def _hardly_begun(facts: Mapping[str, Any]) -> bool:
    """A fit that was stopped so early tells nothing of the light."""
    if not facts.get("stopped_early"):
        return False
    return facts["steps"] < LEAST_OF_STEPS * facts.get("steps_asked", facts["steps"])


def _assumed(capture: Capture) -> Reason | None:
    if capture.light_told:
        return None
    return Reason(
        subject="light", weight="note", measured=0.0, limit=1.0,
        said="nothing says whether part or camera moved: fitted as a part that lay still, which is far worse for one "
             "that turned before its lamps",
        next_step="give --light room if it turned, --light part if it lay still",
    )  # fmt: skip


def _time(facts: Mapping[str, Any]) -> list[Reason | None]:
    """A fit that a time limit stopped is worth what it got to."""
    if not facts.get("stopped_early"):
        return []
    done, asked = facts["steps"], max(facts.get("steps_asked", facts["steps"]), 1)
    weight = "refuse" if done < LEAST_OF_STEPS * asked else "note"
    return [Reason(
        subject="time", weight=weight, said=f"the time limit stopped the fit after {done} of {asked} steps",
        measured=done / asked, limit=LEAST_OF_STEPS, next_step="give more minutes, or none",
    )]  # fmt: skip


def _mean_db(views: Sequence[Mapping[str, Any]], held_out: bool) -> float:
    values = [v["psnr_db"] for v in views if v["held_out"] == held_out]
    return float(np.mean(values)) if values else float("nan")


def _input(measures: Mapping[str, float], off_px: float) -> list[Reason | None]:
    return [
        *_views(measures["training_views"], measures["azimuth_gap_deg"]),
        least("masks", measures["mask_iou"], LEAST_MASK_IOU, "masks agree to {:.3f} only", "make better masks"),
        most("masks", measures["suspect_masks"], MOST_SUSPECTS, "{:.0%} of the masks contradict the others",
             "mend the masks named"),
        most("masks", off_px, MOST_OFF_PX, "all masks are off by {:.1f} px", "make tighter masks"),
    ]  # fmt: skip


def _fit(measures: Mapping[str, float], worst: str) -> list[Reason | None]:
    held_db = measures["held_out_psnr_db"]
    return [
        least("poses", measures["fit_iou"], LEAST_FIT_IOU, "the fitted outline meets the masks to {:.3f} only",
              "calibrate again, or put a marker board under the part"),
        least("poses", measures["worst_view_iou"], WORST_VIEW_IOU, f"view {worst} meets its mask to {{:.3f}} only",
              "leave that view out, or take it again"),
        least("appearance", held_db, LEAST_HELD_OUT_DB, "views kept apart are met to {:.1f} dB only",
              "keep lamps and exposure fixed, or use CAD or the photo route"),
        most("appearance", measures["training_psnr_db"] - held_db, MOST_OVERFIT_DB,
             "views kept apart are {:.1f} dB worse", "take more views"),
    ]  # fmt: skip


def _shape(porous: float) -> list[Reason | None]:
    said = "{:.0%} of the surface lies in tunnels and voids where no light comes in"
    if not porous <= MOST_POROUS:  # nor NaN
        return [most("shape", porous, MOST_POROUS, said, "use CAD, or the photo route")]
    return [most("shape", porous, POROUS, said, "do not trust bores and the inside; use CAD where they matter", "note")]


def _light(lighting: Lighting) -> list[Reason | None]:
    """A light that changed leaves much unexplained on any surface: gloss is blamed then only where it must be, too."""
    from recon.lighting import CHANGED  # torch, as above

    said = "one light on one surface explains {:.0%} of what differs in the photographs: mirror-like, or lit unevenly"
    step = "spray the part matt, spread the light, or use CAD or the photo route"
    poor = not lighting.explained >= LEAST_EXPLAINED  # or NaN
    limit = LEAST_EXPLAINED if poor else WELL_EXPLAINED
    unexplained = least("appearance", lighting.explained, limit, said, step, "refuse" if poor else "note")
    if lighting.change_srgb <= LEAST_CHANGE_SRGB:
        return [unexplained]
    changed = most(
        "light", lighting.change, CHANGED, f"the light changed before {lighting.after}",
        "photograph again and leave the lamps alone, or take what came after as a session of its own",
    )  # fmt: skip
    if changed is None:
        return [unexplained]
    return [changed, unexplained if poor else None]


def _material(facts: Mapping[str, Any], stand: Geometry, capture: Capture) -> Reason | None:
    if (
        facts.get("light_probe")
        or stand.elevations_rad >= SECOND_ELEVATION_RAD
        or stand.sessions > 1
        or (capture.light == "part" and capture.light_told)
    ):
        return None
    return Reason(
        subject="material", weight="note", said="material: not identified",
        measured=float(np.rad2deg(stand.elevations_rad)), limit=float(np.rad2deg(SECOND_ELEVATION_RAD)),
        next_step="add a second elevation, turn the part over, or give a light probe",
    )  # fmt: skip
