"""What an inspection says against a capture, in words and with the next step, before any fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recon.capture.coherence import Coherence, coherence
from recon.capture.conventions import fitting
from recon.capture.inspection import ANOTHERS, COHERENT, HELD, OUTSIDE, Inspection, inspect, rims_held
from recon.capture.masks import MaskReport, mended
from recon.capture.model import Capture
from recon.capture.unfit import UnfitCapture
from recon.reasons import Reason, listed, most

ASIDE = 0.008
"""Of the part's width: masks that lie further off their photographs' edges."""
OFF = 0.025
"""Of the part's width: masks that are wider or narrower by more have closed its gaps or lost its ribs, and moving their
outline does not bring them back."""
INCOHERENT = 0.012
"""Gap of the hull, see `Coherence`, at which shape is lost that the fit does not find again. Poses with 2 degrees of
noise give 0.015 to 0.04."""
BLUR = 0.008
"""Sigma of the edges over the part's width from which blur is told."""
BLURRED = 0.03
SHARP_PX = 1.6
"""Rims of sharp photographs spread by 0.6 to 1.3 px."""


def doubts(inspection: Inspection, masks: MaskReport, mended_held: float = float("nan")) -> tuple[Reason, ...]:
    """Reasons against a capture, those that refuse it first. mended_held: `rims_held` after masks were moved."""
    found = [*_masks(inspection, masks, mended_held), *_poses(inspection), *_sharpness(inspection)]
    return tuple(sorted(found, key=lambda r: r.weight != "refuse"))


def vetted(capture: Capture, masks: MaskReport) -> tuple[Capture, tuple[Reason, ...]]:
    """The capture with its masks mended, and what it has to be used with in mind. UnfitCapture where it is no use."""
    seen = inspect(capture, {s.index for s in masks.suspects})
    if not masks.systematic_px:
        refuse_unfit(_other_poses(doubts(seen, masks), capture))
    better = mended(capture, masks)
    found = doubts(seen, masks, rims_held(better) if masks.systematic_px else float("nan"))
    refuse_unfit(_other_poses(found, capture))
    return better, found


def _other_poses(found: tuple[Reason, ...], capture: Capture) -> tuple[Reason, ...]:
    """Where poses are refused, what to do to their file if that makes them coherent: a mirrored world, or a table that
    turned the other way, is still met by much of its hull."""
    if not any(r.subject == "poses" and r.weight == "refuse" for r in found):
        return found
    fit = fitting(capture.views, capture.pose_file)
    if fit is None:
        return found
    views = [replace(v, camera_from_part=p) for v, p in zip(capture.views, fit.poses, strict=True)]
    gap = coherence(views, np.inf).mean
    if not gap <= INCOHERENT:
        return found
    said = (
        "outlines from different sides miss each other by {:.1%} of the part, with the poses read otherwise by {:.1%}"
    )
    return tuple(
        r.model_copy(update={"said": said.format(r.measured, gap), "next_step": fit.advice})
        if r.subject == "poses" and r.weight == "refuse" else r
        for r in found
    )  # fmt: skip


def refuse_unfit(reasons: tuple[Reason, ...]) -> None:
    """UnfitCapture with all that refuses, if anything does."""
    against = [r for r in reasons if r.weight == "refuse"]
    if against:
        raise UnfitCapture(
            "; ".join(r.said for r in against),
            "photographs, masks and poses of one part that lay still on its table",
            "; ".join(dict.fromkeys(r.next_step for r in against)) + "; or use CAD or the photo route",
        )


def _masks(seen: Inspection, masks: MaskReport, mended_held: float) -> list[Reason]:
    found = []
    aside = float(np.hypot(*seen.aside_px))
    off = {"subject": "masks", "measured": seen.held, "limit": HELD}
    if seen.blank:
        found.append(Reason(
            subject="masks", weight="refuse", measured=seen.outside, limit=seen.most_outside,
            said="the photographs show no more at the masks' outlines than beside them",
            next_step="look at the photographs: they may be empty, or of something else",
        ))  # fmt: skip
    elif not seen.on_edges and seen.together and max(aside, abs(seen.wide_px)) > ASIDE * seen.width_px:
        if aside > max(abs(seen.wide_px), 1.5):
            x, y = seen.aside_px
            said = f"all masks are shifted by ({x:+.0f}, {y:+.0f}) px against their photographs"
            found.append(Reason(
                **off, weight="refuse", said=said,
                next_step="make the masks from the stored photographs, uncropped and at their own size",
            ))  # fmt: skip
        else:
            found.append(_uneven(seen, mended_held))
    elif seen.outside < OUTSIDE and not seen.on_edges:
        found.append(Reason(
            subject="masks", weight="note", measured=seen.outside, limit=OUTSIDE,
            said="the part's rim does not stand out from the backdrop: masks could not be checked against photographs",
            next_step="look at the masks, or use a backdrop of another brightness",
        ))  # fmt: skip
    elif seen.anothers > ANOTHERS and seen.slip:
        step = f"{abs(seen.slip)} photograph{'s' * (abs(seen.slip) > 1)}"
        which = "later" if seen.slip < 0 else "earlier"
        found.append(Reason(
            subject="masks", weight="refuse", measured=seen.anothers, limit=ANOTHERS,
            said=f"masks belong to other photographs: most are those of {step} {which}",
            next_step="match the masks' file names with the photographs'",
        ))  # fmt: skip
    elif not seen.on_edges or seen.anothers > ANOTHERS:
        found.append(Reason(
            **off, weight="refuse", said="the masks' outlines do not lie on edges of their photographs",
            next_step="make better masks, or check that each belongs to its photograph",
        ))  # fmt: skip
    if masks.suspects:
        names = listed([s.name for s in masks.suspects])
        found.append(Reason(
            subject="masks", weight="note", said=f"masks contradict the others, mended or left out: {names}",
            measured=float(len(masks.suspects)), limit=0.0,
            next_step="look at these masks, and at the poses of their photographs",
        ))  # fmt: skip
    return found


def _uneven(seen: Inspection, mended_held: float) -> Reason:
    share = abs(seen.wide_px) / seen.width_px
    kind = "wide" if seen.wide_px > 0 else "narrow"
    mendable = share <= OFF and mended_held >= HELD
    done = ": moved to the photographs' edges" if mendable else ""
    return Reason(
        subject="masks", weight="note" if mendable else "refuse",
        said=f"all masks are {abs(seen.wide_px):.1f} px too {kind}{done}", measured=share, limit=OFF,
        next_step=f"make {'tighter' if seen.wide_px > 0 else 'wider'} masks",
    )  # fmt: skip


def _poses(seen: Inspection) -> list[Reason]:
    """Where masks lie on the photographs' edges, it is the poses that are wrong."""
    form = seen.coherence
    if form is None or form.mean <= COHERENT:
        return []
    if form.cut is not None:
        return [_moved(seen, form)]
    px = form.mean * seen.width_px
    if not seen.on_edges or seen.anothers > ANOTHERS:
        return []
    said = f"outlines from different sides miss each other by {px:.1f} px ({form.mean:.1%} of the part): poses are off"
    return [Reason(
        subject="poses", weight="refuse" if form.mean > INCOHERENT else "note", said=said, measured=form.mean,
        limit=COHERENT, next_step="calibrate again, or put a marker board under the part",
    )]  # fmt: skip


def _moved(seen: Inspection, form: Coherence) -> Reason:
    assert form.cut is not None
    name = seen.names[form.cut]
    return Reason(
        subject="poses", weight="refuse", measured=form.mean, limit=COHERENT,
        said=f"the part or the camera moved before {name}: photographs up to there agree, and those from there on",
        next_step=f"take those from {name} on as a session of their own, or photograph the part again, clamped",
    )  # fmt: skip


def _sharpness(seen: Inspection) -> list[Reason]:
    known = seen.blur_px[np.isfinite(seen.blur_px)]
    if not len(known):
        return []
    limit = max(SHARP_PX * seen.scale, BLUR * seen.width_px)
    middle = float(np.median(known))
    if middle > limit:
        share = middle / seen.width_px
        return [Reason(
            subject="sharpness", weight="refuse" if share > BLURRED else "note", measured=share, limit=BLUR,
            said=f"the photographs are blurred by {middle:.1f} px ({share:.1%} of the part): finer shape is lost",
            next_step="focus again, stop down, or expose shorter",
        )]  # fmt: skip
    worse = [n for n, b in zip(seen.names, seen.blur_px, strict=True) if b > max(limit, 2 * middle)]
    said = f"{{:.0f}} photographs are blurred: {listed(worse)}"
    reason = most("sharpness", float(len(worse)), 0.0, said, "take these photographs again", "note")
    return [] if reason is None else [reason]
