"""Small inline SVG charts: no script, no request, the page's own colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 320, 160, 26, 36, 8


def histogram(values: Sequence[float], label: str, bins: int = 14) -> str:
    """A histogram over logarithmic bins of the positive values; values at or below 0 are counted in the caption."""
    positive = np.array([v for v in values if v > 0])
    below = len(values) - len(positive)
    if not len(positive):
        return f"<p class='key'>no {label} to show</p>"
    edges = _edges(positive, bins)
    counts = np.histogram(positive, edges)[0]
    plot_w, plot_h, top = WIDTH - LEFT - 8, HEIGHT - BOTTOM - TOP, max(int(counts.max()), 1)
    step = plot_w / len(counts)
    bars = "".join(
        f"<rect class='bar' x='{LEFT + i * step + 1:.1f}' y='{TOP + plot_h * (1 - n / top):.1f}' rx='1.5' "
        f"width='{step - 2:.1f}' height='{plot_h * n / top:.1f}'><title>{low:.3g} to {high:.3g}: {n}</title></rect>"
        for i, (n, low, high) in enumerate(zip(counts, edges[:-1], edges[1:], strict=True))
    )
    base = TOP + plot_h
    logs = np.log10(edges)
    ticks = "".join(
        f"<text x='{LEFT + plot_w * (np.log10(t) - logs[0]) / (logs[-1] - logs[0]):.1f}' y='{base + 14}' "
        f"text-anchor='middle'>{t:g}</text>"
        for t in _ticks(edges[0], edges[-1])
    )
    more = f", {below} at 0 not shown" if below else ""
    median = f"median {np.median(positive):.3g}"
    return (
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{label}, {median}'>"
        f"<line class='axis' x1='{LEFT}' x2='{WIDTH - 8}' y1='{base}' y2='{base}'/>"
        f"<text x='{LEFT - 6}' y='{TOP + 8}' text-anchor='end'>{top}</text>"
        f"<text x='{LEFT - 6}' y='{base}' text-anchor='end'>0</text>{bars}{ticks}"
        f"<text x='{LEFT}' y='{HEIGHT - 4}'>{label}, {median}{more}</text></svg>"
    )


def _edges(values: np.ndarray, bins: int) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if high / low < 1.5:
        low, high = low / 1.5, high * 1.5
    return np.geomspace(low * 0.999, high * 1.001, bins + 1)


def _ticks(low: float, high: float) -> list[float]:
    """1, 2, 5 and their tens inside the range, thinned to at most seven."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [m * 10.0**p for p in powers for m in (1, 2, 5) if low <= m * 10.0**p <= high]
    return ticks[:: -(-len(ticks) // 7)] if ticks else []


def stacked(counts: Sequence[tuple[str, int]], most: int, colour: str) -> str:
    """One horizontal bar: (css class, count) parts, as shares of `most`."""
    parts = "".join(
        f"<i class='{name}' style='width:{100 * n / max(most, 1):.2f}%;background:{colour}' title='{name}: {n}'></i>"
        for name, n in counts
        if n
    )
    return f"<span class='track'>{parts}</span>"
