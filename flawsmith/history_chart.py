"""The losses of a fit as one inline SVG: a line a term over all stages, in powers of ten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 210, 44, 74, 10, 34
BESIDES = ("side_px", "step", "seconds", "iteration")
LINES = ("var(--accent)", "var(--acceptable)", "var(--good)", "var(--defect)", "var(--faint)")


def losses(history: Sequence[Mapping[str, Any]]) -> str:
    """SVG of the terms in `history` (see `recon.result.Reconstruction`); a sentence where there is nothing to show."""
    terms = [k for k in (history[0] if history else {}) if k not in BESIDES]
    terms = [k for k in terms if all(_number(h.get(k)) for h in history)][: len(LINES)]
    if len(history) < 2 or not terms:
        return "<p class='key'>no history to show</p>"
    at, stages = _steps(history)
    values = np.array([[float(h[k]) for k in terms] for h in history])
    positive = values[values > 0]
    if not len(positive):
        return "<p class='key'>no loss above zero</p>"
    low, high = np.floor(np.log10(positive.min())), np.ceil(np.log10(positive.max()) + 1e-9)
    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(step: float) -> float:
        return LEFT + across * step / max(at[-1], 1)

    def y(value: float) -> float:
        return TOP + down * (high - np.log10(max(value, 10**low))) / max(high - low, 1)

    parts = [
        f"<line class='axis' x1='{LEFT}' x2='{LEFT + across}' y1='{y(10.0**p):.1f}' y2='{y(10.0**p):.1f}'/>"
        f"<text x='{LEFT - 6}' y='{y(10.0**p) + 4:.1f}' text-anchor='end'>{10.0**p:g}</text>"
        for p in range(int(low), int(high) + 1)
    ]
    parts += [
        f"<line class='axis' x1='{x(s):.1f}' x2='{x(s):.1f}' y1='{TOP}' y2='{TOP + down}'/>"
        f"<text x='{x(s) + 4:.1f}' y='{HEIGHT - 18}'>{escape(name)}</text>"
        for s, name in stages
    ]
    ends = _apart([y(v) for v in values[-1]])
    for number, (term, colour) in enumerate(zip(terms, LINES, strict=False)):
        line = " ".join(f"{x(s):.1f},{y(v):.1f}" for s, v in zip(at, values[:, number], strict=True))
        parts.append(f"<polyline points='{line}' fill='none' stroke='{colour}' stroke-width='1.6'/>")
        parts.append(
            f"<text x='{LEFT + across + 7}' y='{ends[number] + 4:.1f}' style='fill:{colour}'>{escape(term)}</text>"
        )
    said = ", ".join(f"{t} {v:.3g}" for t, v in zip(terms, values[-1], strict=True))
    parts.append(f"<text x='{LEFT}' y='{HEIGHT - 3}'>{at[-1]:.0f} steps; at the end {escape(said)}</text>")
    return f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='loss history'>{''.join(parts)}</svg>"


def _steps(history: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Steps counted through all stages, and where each stage begins, with its name."""
    at, stages, offset, before = [], [], 0.0, None
    for number, entry in enumerate(history):
        step, side = float(entry.get("step", number)), entry.get("side_px")
        if before is None or step < before[0] or side != before[1]:
            offset = at[-1] + 1 if at else 0.0
            stages.append((offset, f"{side} px" if side else ""))
        before = (step, side)
        at.append(offset + step)
    return np.array(at), stages


def _apart(heights: Sequence[float], least: float = 13.0) -> list[float]:
    """Label heights moved down until none covers another."""
    out, last = list(heights), -np.inf
    for i in np.argsort(heights):
        out[i] = last = max(heights[i], last + least)
    return out


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
