"""A capture looked at before it is fitted: do photographs, masks and poses tell of one still part, sharply?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recon.capture.coherence import Coherence, coherence
from recon.capture.model import Capture, View
from recon.capture.pixels import resized, scaled, smaller
from recon.capture.rims import rim, whose

SIDE = 512
"""Photographs are looked at no larger than this; no preset fits finer."""
HELD = 0.6
"""Strength of the photographs' edges at the masks' outlines over that at the best place beside them. Right masks have
0.8 to 1.0, masks that are 5 px off 0.0 to 0.45."""
TOGETHER_PX = 1.0
"""Offsets of single masks from their median, where all masks were spoiled alike."""
ANOTHERS = 1.3
"""Strength of a photograph's edges along another's mask over that along its own, in the median photograph. Right masks
give up to 1.06 (turned parts, whose masks are all alike, about 1), masks of the next frame 1.7 and more."""
OUTSIDE = 0.1
"""Strength of edges within a few pixels outside the masks over that of the best outline. Right masks before a plain
backdrop leave 0.01 to 0.07, masks of the next frame 0.25 and more."""
BLANK = 0.5
"""The same, where photographs show nothing at the masks: grey ones and mere noise give 0.7 to 0.9, right ones with
busy backdrops up to 0.26."""
FAINT = 0.15
"""The same, where no photograph has a contrast at its mask that would tell how sharp it is: a dark mirror before a dark
backdrop gives 0.01, a backdrop that is a little brighter in its middle 0.31."""
COHERENT = 0.006
"""Gap of a coherent capture, see `Coherence`. Exact masks and poses give 0.001 to 0.005."""


@dataclass(frozen=True, eq=False)
class Inspection:
    """held, outside: medians of the rims', see `Rim`. wide_px, aside_px: median
    offset of all masks where `together`, px of the photographs. anothers: see `ANOTHERS`; slip: by how many frames the
    masks were taken from another photograph, None where that is not it. blur_px: (v,) sigma of the rim's spread, px of
    the photographs; NaN where it cannot be told. width_px: of the part, the root of the mean mask's area.
    coherence: None where it was not measured; names: of the views, in order. scale: px of the photographs in one that
    was looked at."""

    held: float
    outside: float
    wide_px: float
    aside_px: tuple[float, float]
    together: bool
    anothers: float
    slip: int | None
    blur_px: np.ndarray
    width_px: float
    coherence: Coherence | None
    names: tuple[str, ...]
    scale: float = 1.0

    @property
    def on_edges(self) -> bool:
        return not self.held < HELD

    @property
    def most_outside(self) -> float:
        """What `outside` may be, where there is a part."""
        return FAINT if np.isnan(self.blur_px).all() else BLANK

    @property
    def blank(self) -> bool:
        """The photographs show no part at the masks."""
        return self.on_edges and self.outside > self.most_outside


def inspect(capture: Capture, suspects: Collection[int] = ()) -> Inspection:
    """suspects: views whose masks are known to be wrong; they do not count."""
    views = [v for i, v in enumerate(capture.views) if i not in suspects and 1e-4 < float(v.mask.mean()) < 0.98]
    small = [_small(v) for v in views]
    factor = views[0].size[0] / small[0].size[0] if views else 1.0
    found = [rim(v) for v in small]
    rims = [r for r in found if r is not None]
    offsets = np.array([(r.wide_px, *r.aside_px) for r in rims]).reshape(-1, 3)
    middle = np.median(offsets, axis=0) if rims else np.zeros(3)
    spread = np.median(np.abs(offsets - middle), axis=0) if rims else np.zeros(3)
    anothers, slip = _slipped(small)
    blur = np.array([np.nan if r is None else factor * r.blur_px for r in found])
    width = float(np.sqrt(np.mean([np.count_nonzero(v.mask >= 0.5) for v in views]))) if views else float("nan")
    return Inspection(
        float(np.median([r.held for r in rims])) if rims else float("nan"),
        float(np.median([r.outside for r in rims])) if rims else float("nan"),
        float(factor * middle[0]), (float(factor * middle[1]), float(factor * middle[2])),
        bool((spread <= TOGETHER_PX).all()), anothers, slip, blur, width,
        coherence(views, COHERENT) if len(views) >= 3 else None, tuple(v.name for v in views), float(factor),
    )  # fmt: skip


def rims_held(capture: Capture) -> float:
    """Only `Inspection.held`, for masks that were mended."""
    found = [rim(_small(v)) for v in capture.views]
    held = [r.held for r in found if r is not None]
    return float(np.median(held)) if held else float("nan")


def _small(view: View) -> View:
    size = smaller(view.size, SIDE)
    k = scaled(view.intrinsics, view.size, size)
    return replace(view, image=resized(view.image, size), mask=resized(view.mask, size), intrinsics=k)


def _slipped(views: Sequence[View]) -> tuple[float, int | None]:
    """(median over the photographs of the best other mask's strength over its own, the slip that most agree on)."""
    strength = whose(views)
    np.fill_diagonal(strength, np.nan)
    known = np.flatnonzero(np.isfinite(strength).any(1))
    if not len(known):
        return float("nan"), None
    best = strength[known]
    median = float(np.median(np.nanmax(best, axis=1)))
    count = len(views)
    steps = (np.nanargmax(best, axis=1) - known + count // 2) % count - count // 2
    step, votes = Counter(int(s) for s in steps).most_common(1)[0]
    return median, step if votes >= 0.5 * len(known) else None
