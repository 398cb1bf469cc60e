"""Masks checked between the views: named where they disagree, mended from the hull, or left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from core.errors import GeometryError, InputError
from recon.capture.consistency import Agreement, Depths, agree, measure
from recon.capture.edges import Edge, edge
from recon.capture.model import Capture, View, hold_out
from recon.hull import carve, outline
from recon.reasons import listed
from recon.silhouettes import silhouette

FEWEST = 6
_OUTLIER = 5 * 1.4826
MENDABLE = 0.95
ASTRAY = 0.08
"""Of a mask, cut away from what the others show and beside it alike: its view stands elsewhere than its pose says."""


@dataclass(frozen=True)
class Suspect:
    """One mask that contradicts the others. why: in words."""

    index: int
    name: str
    why: str


@dataclass(frozen=True, eq=False)
class MaskReport:
    """iou, missing, excess: (v,) of each view against the hull of the other trusted views (see `Agreement`).
    offset_px: (v,) how far each outline lies outside the photograph's edge. on_edge: (v,) share of it that lies on one
    (see `Edge`). systematic_px: the same for all masks
    together, 0 where the views do not agree on it. suspects: masks that contradict the others."""

    iou: np.ndarray
    missing: np.ndarray
    excess: np.ndarray
    offset_px: np.ndarray
    systematic_px: float
    suspects: tuple[Suspect, ...]
    on_edge: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @property
    def mean_iou(self) -> float:
        """Over the views that are no suspects."""
        bad = {s.index for s in self.suspects}
        return float(np.nanmean([v for i, v in enumerate(self.iou) if i not in bad]))


def cross_check(capture: Capture) -> MaskReport:
    """Each mask against the hull of the other views, and against the edges of its photograph.

    A mask is a suspect when it is empty or full, when it shows much more part than the others leave, or when it cuts
    away what several others show. A mask that alone sees a hollow is none.
    """
    views = capture.views
    share = np.array([float(v.mask.mean()) for v in views])
    white = np.array([float(v.mask.max()) >= 0.5 for v in views])
    trusted = (share > 1e-4) & (share < 0.98) & white
    blank = [
        Suspect(i, views[i].name, "its mask is empty" if share[i] < 0.5 else "its mask is full")
        for i in np.flatnonzero(~trusted)
    ]
    names = listed([s.name for s in blank])
    if 0 < trusted.sum() < FEWEST:
        raise InputError(
            f"only {trusted.sum()} of {len(views)} masks show a part: those of {names} are empty or full",
            "a mask of the part in every view",
            "mend them",
        )
    if not trusted.any():
        raise InputError("all masks are empty or full", "masks of the part, white on black", "check the mask files")
    try:
        depths = measure(views)
    except GeometryError as error:
        if not blank:
            raise
        given = f"the masks of {names} are empty or full, and with them the masks have no point in common"
        raise GeometryError(given, "a mask of the part in every view", "make these masks again") from error
    agreement, found = _suspects(views, depths, trusted)
    edges = [edge(v) for v in views]
    offsets = np.array([e.offset_px for e in edges])
    on_edge = np.array([e.on_edge for e in edges])
    suspects = tuple(blank + found)
    return MaskReport(
        agreement.iou, agreement.missing, agreement.excess, offsets, _systematic(edges), suspects, on_edge
    )


def _suspects(views: Sequence[View], depths: Depths, trusted: np.ndarray) -> tuple[Agreement, list[Suspect]]:
    """The worst mask is set aside while it is one, at most a quarter of them."""
    found: list[Suspect] = []
    now = agree(views, depths, trusted)
    for _ in range(max(1, len(views) // 4)):
        verdict = _worst(views, depths, now)
        if verdict is None:
            break
        suspect, now = verdict
        found.append(suspect)
    return now, found


def _worst(views: Sequence[View], depths: Depths, now: Agreement) -> tuple[Suspect, Agreement] | None:
    """The mask whose removal mends the others most, or which shows most that no other shows."""
    numbers = np.flatnonzero(now.trusted)
    if len(numbers) <= 3:
        return None
    if not _stands_out(now):
        return None
    candidates = {
        int(numbers[now.missing[numbers].argmax()]),
        int(numbers[now.excess[numbers].argmax()]),
        int(numbers[now.iou[numbers].argmin()]),
    }
    best: tuple[float, int, Agreement] | None = None
    for index in candidates:
        rest = now.trusted.copy()
        rest[index] = False
        without = agree(views, depths, rest)
        others = numbers[numbers != index]
        relief = float((now.excess[others] - without.excess[others]).sum())
        if best is None or relief > best[0]:
            best = (relief, index, without)
    assert best is not None
    relief, index, without = best
    others = numbers[numbers != index]
    cuts = relief > 0.10 and without.missing[index] > _limit(without.missing[others], 0.02)
    if cuts:
        why = f"its mask cuts away {100 * without.missing[index]:.0f} % of what the other views show"
        why += _or_pose(without, index)
        return Suspect(index, views[index].name, why), without
    widest = int(numbers[now.excess[numbers].argmax()])
    rest = now.trusted.copy()
    rest[widest] = False
    others = numbers[numbers != widest]
    if now.excess[widest] <= _limit(now.excess[others], 0.04):
        return None
    why = f"{100 * now.excess[widest]:.0f} % of its mask lies where the other views show no part"
    without = agree(views, depths, rest)
    return Suspect(widest, views[widest].name, why + _or_pose(without, widest)), without


def _or_pose(without: Agreement, index: int) -> str:
    """A mask that is too narrow lacks something and one that is too wide has too much; one in the wrong place does
    both."""
    both = float(min(without.missing[index], without.excess[index]))
    return "; it does both, as if its pose were off" if both > ASTRAY else ""


def _stands_out(now: Agreement) -> bool:
    """Any trusted view that is unlike the others at all; most captures end here."""
    missing, excess = now.missing[now.trusted], now.excess[now.trusted]
    return bool((missing > _limit(missing, 0.02)).any() or (excess > _limit(excess, 0.04)).any())


def _limit(values: np.ndarray, least: float) -> float:
    middle = float(np.median(values))
    return middle + max(least, _OUTLIER * float(np.median(np.abs(values - middle))))


def _systematic(edges: Sequence[Edge]) -> float:
    """The offset that all masks share, px; 0 unless they agree within a pixel and the outlines themselves lie on no
    edge."""
    offsets = np.array([e.offset_px for e in edges if np.isfinite(e.offset_px)])
    if len(offsets) < 3:
        return 0.0
    middle = float(np.median(offsets))
    agree_on_it = float(np.median(np.abs(offsets - middle))) <= 0.75
    off_edge = float(np.median([e.at_outline for e in edges])) < 0.5
    return middle if abs(middle) >= 1.5 and agree_on_it and off_edge else 0.0


def mended(capture: Capture, report: MaskReport) -> Capture:
    """The capture with suspect masks replaced by the hull of the others, where the others agree well, else without
    those views; and with masks that all run wide or narrow brought to the photographs' edge. Notes say so."""
    views, notes = list(capture.views), []
    if report.systematic_px:
        views = [replace(v, mask=_shifted(v.mask, report.systematic_px)) for v in views]
        side = "outside" if report.systematic_px > 0 else "inside"
        notes.append(f"all masks lay {abs(report.systematic_px):.1f} px {side} the photographs' edges: moved to them")
    bad = {s.index: s for s in report.suspects}
    good = [v for i, v in enumerate(views) if i not in bad]
    if len(good) < FEWEST:
        names = ", ".join(s.name for s in report.suspects)
        raise InputError(
            f"the masks of {names} contradict the others, which leaves {len(good)} views",
            f"at least {FEWEST} views whose masks agree",
            "correct these masks",
        )
    if bad and report.mean_iou >= MENDABLE:
        hull = carve(capture.with_views(good), 96, views=good)
        for i, s in bad.items():
            views[i] = replace(views[i], mask=_painted(hull.vertices, hull.faces, views[i]))
            notes.append(f"{s.name}: {s.why}; mended from the hull of the others")
        return capture.with_views(views, *notes)
    notes += [f"{s.name}: {s.why}; left out" for s in report.suspects]
    return capture.with_views(hold_out(good) if bad else views, *notes)


def _shifted(mask: np.ndarray, by_px: float) -> np.ndarray:
    """The mask with its outline moved inwards by `by_px` (outwards where negative), soft over one pixel."""
    return np.clip(outline(mask).distance - by_px + 0.5, 0, 1)


def _painted(vertices: np.ndarray, faces: np.ndarray, view: View) -> np.ndarray:
    """The mesh's soft mask: covered share of 3 x 3 samples a pixel."""
    height, width = view.size
    fine = silhouette(vertices, faces, view, (3 * height, 3 * width))
    return fine.reshape(height, 3, width, 3).mean((1, 3)).astype(np.float32)
