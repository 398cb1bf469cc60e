"""Whether a reconstruction may be used, with reasons and the next step: a plausible wrong mesh is worse than none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.models import FileModel
from recon.capture.model import Capture
from recon.confidence import seen_share
from recon.genus import handles
from recon.result import Reconstruction

if TYPE_CHECKING:
    from recon.capture.masks import MaskReport

LEAST_VIEWS = 12
LEAST_MASK_IOU = 0.93
LEAST_FIT_IOU = 0.95
WORST_VIEW_IOU = 0.88
MOST_SUSPECTS = 0.15
LEAST_HELD_OUT_DB = 20.0
MOST_OVERFIT_DB = 6.0
LARGEST_GAP_RAD = np.deg2rad(60)
SECOND_ELEVATION_RAD = np.deg2rad(12)
FULLY_SEEN = 0.97
MOST_HANDLES = 80
"""A deep bore that is seen from its mouth only comes out with some forty."""


class Reason(FileModel):
    """measured against limit. weight: "refuse", or "note" where the part can be used with that in mind."""

    subject: str
    weight: Literal["refuse", "note"]
    said: str
    measured: float
    limit: float
    next_step: str


class Verdict(FileModel):
    """outcome: accepted, accepted with (the notes), or refused. measures: every number that was looked at."""

    outcome: Literal["accepted", "accepted with", "refused"]
    reasons: tuple[Reason, ...]
    measures: dict[str, float]

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
    angle to the table's axis. sessions: how many different ways the part lay."""

    gap_rad: float
    elevations_rad: float
    sessions: int


def geometry(capture: Capture) -> Geometry:
    """Where the training views stood, about the first session's axis (or +Z)."""
    centre = np.mean([_middle(v) for v in capture.training], axis=0)
    axis = next((s.axis for s in capture.sessions if s.axis is not None), None)
    up = np.array([0.0, 0.0, 1.0]) if axis is None else np.asarray(axis, float) / np.linalg.norm(axis)
    ways = np.stack([v.centre - centre for v in capture.training])
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    side = np.cross(up, [1.0, 0.0, 0.0] if abs(up[0]) < 0.9 else [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side)
    azimuth = np.sort(np.arctan2(ways @ np.cross(up, side), ways @ side))
    gap = float(np.max(np.diff(np.r_[azimuth, azimuth[0] + 2 * np.pi])))
    rise = np.arcsin(np.clip(ways @ up, -1, 1))
    low, high = np.percentile(rise, [5, 95])
    return Geometry(gap, float(high - low), len({v.session for v in capture.training}))


def _middle(view) -> np.ndarray:
    """The point in front of the camera at the distance of the scene's middle; cameras look at the part."""
    return view.centre + view.camera_from_part[2, :3] * np.linalg.norm(view.camera_from_part[:3, 3])


def judge(capture: Capture, masks: MaskReport, found: Reconstruction, hull_iou: float, probe: bool = False) -> Verdict:
    """The verdict on a fit. hull_iou: mean overlap of the capture's visual hull with its masks, held-out views too.

    probe: a light probe was given, so that material and light can be told apart from one elevation.
    """
    stand = geometry(capture)
    views = found.facts["views"]
    training = [v for v in views if not v["held_out"]]
    held = [v for v in views if v["held_out"]]
    fit_iou = np.array([v["iou"] for v in views])
    held_db = float(np.mean([v["psnr_db"] for v in held])) if held else float("nan")
    train_db = float(np.mean([v["psnr_db"] for v in training]))
    suspects = len(masks.suspects) / len(capture.views)
    tunnels = float(handles(found.vertices, found.faces))
    seen = seen_share(found)
    measures = {
        "training_views": float(len(capture.training)), "mask_iou": masks.mean_iou, "suspect_masks": suspects,
        "hull_iou": hull_iou, "fit_iou": float(fit_iou.mean()), "worst_view_iou": float(fit_iou.min()),
        "training_psnr_db": train_db, "held_out_psnr_db": held_db, "seen_share": seen, "handles": tunnels,
        "azimuth_gap_deg": float(np.rad2deg(stand.gap_rad)),
        "elevation_spread_deg": float(np.rad2deg(stand.elevations_rad)),
        "skipped_steps": float(found.facts.get("skipped_steps", 0)),
        "mask_offset_px": float(masks.systematic_px),
    }  # fmt: skip
    identified = probe or stand.elevations_rad >= SECOND_ELEVATION_RAD or stand.sessions > 1 or capture.light == "part"
    checks = [
        _least("views", len(capture.training), LEAST_VIEWS, "{:.0f} training views", "take more views"),
        _most("coverage", np.rad2deg(stand.gap_rad), np.rad2deg(LARGEST_GAP_RAD),
              "no view within an arc of {:.0f} degrees", "photograph the whole turn"),
        _least("masks", masks.mean_iou, LEAST_MASK_IOU, "masks agree to {:.3f} only", "make better masks"),
        _most("masks", suspects, MOST_SUSPECTS, "{:.0%} of the masks contradict the others", "mend the masks named"),
        _most("masks", abs(masks.systematic_px), 2.5, "all masks are off by {:.1f} px", "make tighter masks"),
        _least("poses", float(fit_iou.mean()), LEAST_FIT_IOU, "the fitted outline meets the masks to {:.3f} only",
               "calibrate again, or use a marker board"),
        _least("poses", float(fit_iou.min()), WORST_VIEW_IOU, "one view meets its mask to {:.3f} only",
               "leave that view out, or take it again"),
        _least("appearance", held_db, LEAST_HELD_OUT_DB, "views kept apart are met to {:.1f} dB only",
               "keep lamps and exposure fixed, or use CAD or the photo route"),
        _most("appearance", train_db - held_db, MOST_OVERFIT_DB, "views kept apart are {:.1f} dB worse",
              "take more views"),
        _most("shape", tunnels, MOST_HANDLES, "the surface has {:.0f} tunnels", "use CAD, or the photo route"),
    ]  # fmt: skip
    notes = [
        _least("coverage", seen, FULLY_SEEN, "{:.0%} of the surface was seen", "turn the part over", "note"),
        None if identified else Reason(
            subject="material", weight="note", said="material: not identified",
            measured=float(np.rad2deg(stand.elevations_rad)), limit=float(np.rad2deg(SECOND_ELEVATION_RAD)),
            next_step="add a second elevation, turn the part over, or give a light probe",
        ),
    ]  # fmt: skip
    reasons = tuple(r for r in (*checks, *notes) if r is not None)
    refused = any(r.weight == "refuse" for r in reasons)
    outcome = "refused" if refused else "accepted with" if reasons else "accepted"
    return Verdict(outcome=outcome, reasons=reasons, measures=measures)


def _least(
    subject: str, value: float, limit: float, said: str, step: str, weight: Literal["refuse", "note"] = "refuse"
) -> Reason | None:
    """A reason when the value is below the limit or is not a number."""
    if value >= limit:
        return None
    return _reason(subject, value, limit, said, step, weight)


def _most(
    subject: str, value: float, limit: float, said: str, step: str, weight: Literal["refuse", "note"] = "refuse"
) -> Reason | None:
    if value <= limit:
        return None
    return _reason(subject, value, limit, said, step, weight)


def _reason(
    subject: str, value: float, limit: float, said: str, step: str, weight: Literal["refuse", "note"]
) -> Reason:
    return Reason(
        subject=subject, weight=weight, said=said.format(value), measured=float(value), limit=float(limit),
        next_step=step,
    )  # fmt: skip
