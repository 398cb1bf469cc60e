"""A tiny stroke font and a square code that looks like a data matrix (it carries no data)."""

from __future__ import annotations

import numpy as np

ASPECT = 0.86
"""Advance of one character by its height, gap included."""

_CORNERS = {
    "0": "10 30 41 45 36 16 05 01 10|13 33", "1": "14 26 20|10 30", "2": "05 16 36 45 44 00 40",
    "3": "06 46 24 34 43 41 30 10 01", "4": "30 36 02 42", "5": "46 06 04 34 43 41 30 10 01",
    "6": "45 36 16 05 01 10 30 41 43 34 14 03", "7": "06 46 10", "8": "14 05 16 36 45 34 14 03 01 10 30 41 43 34",
    "9": "01 10 30 41 45 36 16 05 03 14 34 43", "A": "00 26 40|12 32", "C": "45 36 16 05 01 10 30 41",
    "E": "46 06 00 40|03 33", "F": "46 06 00|03 33", "H": "00 06|40 46|03 43", "K": "00 06|46 03 40", "L": "06 00 40",
    "M": "00 06 23 46 40", "N": "00 06 40 46", "P": "00 06 36 45 44 33 03", "R": "00 06 36 45 44 33 03|23 40",
    "S": "45 36 16 05 04 13 33 42 41 30 10 01", "T": "06 46|26 20",
    "X": "00 46|06 40", "Z": "06 46 00 40", "-": "13 33",
}  # fmt: skip
CHARACTERS = tuple(_CORNERS)


def strokes(text: str, height_m: float) -> list[np.ndarray]:
    """Polylines (n, 2), metres, of a line of text centred on the origin, reading along +u, upright along +v."""
    scale = height_m / 6
    left = -len(text) * ASPECT * height_m / 2 + (ASPECT * height_m - 4 * scale) / 2
    result = []
    for place, character in enumerate(text):
        shift = np.array([left + place * ASPECT * height_m, -height_m / 2])
        for line in _CORNERS[character].split("|"):
            points = np.array([[int(c[0]), int(c[1])] for c in line.split()], float)
            result.append(points * scale + shift)
    return result


def random_text(count: int, rng: np.random.Generator) -> str:
    """`count` characters, digits mostly, like a batch number."""
    letters = [c for c in CHARACTERS if c.isalpha()]
    digits = [c for c in CHARACTERS if c.isdigit()]
    return "".join(str(rng.choice(letters if rng.uniform() < 0.25 else digits)) for _ in range(count))


def code(cells: int, rng: np.random.Generator) -> np.ndarray:
    """(cells, cells) bool, row 0 at the bottom: a finder as in ISO/IEC 16022 (solid left and bottom,
    alternating top and right), random inside."""
    grid = rng.uniform(size=(cells, cells)) < 0.5
    grid[0, :], grid[:, 0] = True, True
    grid[-1, :] = np.arange(cells) % 2 == 0
    grid[:, -1] = np.arange(cells) % 2 == 0
    return grid
