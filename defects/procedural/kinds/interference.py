"""Colours of a thin oxide film on metal, from interference (Airy's formula) to linear Rec.709."""

from __future__ import annotations

from functools import cache

import numpy as np

WAVELENGTH_NM = np.arange(400.0, 701.0, 5.0)
METAL_INDEX = 2.9 + 3.0j
"""Iron in the middle of the visible range (after Johnson and Christy, Physical Review B 9, 1974)."""
OXIDE_INDEX = 2.4
NATIVE_NM = 3.0
UNEVEN = 0.16
"""Standard deviation of the oxide's thickness inside one spot, relative: grains oxidise at their own pace."""
_MAX_NM = 240.0

_REC709_FROM_XYZ = np.array([
    [3.2406255, -1.5372080, -0.4986286], [-0.9689307, 1.8757561, 0.0415175], [0.0557101, -0.2040211, 1.0569959],
])  # fmt: skip


def reflectance(thickness_nm: np.ndarray, wavelength_nm: np.ndarray = WAVELENGTH_NM) -> np.ndarray:
    """Share of light (n, w) reflected at normal incidence by oxide films (n,) on metal, at wavelengths (w,).

    r = (r01 + r12 e^{2i b}) / (1 + r01 r12 e^{2i b}), b = 2 pi N d / lambda; |r|^2 (Born and Wolf, Principles of
    Optics, 7.6 and 14.4). The oxide absorbs more towards the blue.
    """
    wave = np.asarray(wavelength_nm, float)
    oxide = OXIDE_INDEX + 1j * np.interp(wave, [400.0, 500.0, 600.0, 700.0], [0.2, 0.1, 0.05, 0.03])
    first = (1 - oxide) / (1 + oxide)
    second = (oxide - METAL_INDEX) / (oxide + METAL_INDEX)
    turn = np.exp(2j * (2 * np.pi / wave) * oxide * np.asarray(thickness_nm, float)[:, None])
    return np.abs((first + second * turn) / (1 + first * second * turn)) ** 2


def matching_functions(wavelength_nm: np.ndarray = WAVELENGTH_NM) -> np.ndarray:
    """CIE 1931 x, y, z (w, 3) by the multi-lobe fit of Wyman, Sloan and Shirley (JCGT 2(2), 2013)."""

    def lobe(centre: float, below: float, above: float) -> np.ndarray:
        t = (wavelength_nm - centre) * np.where(wavelength_nm < centre, below, above)
        return np.exp(-0.5 * t * t)

    x = 0.362 * lobe(442.0, 0.0624, 0.0374) + 1.056 * lobe(599.8, 0.0264, 0.0323) - 0.065 * lobe(501.1, 0.0490, 0.0382)
    y = 0.821 * lobe(568.8, 0.0213, 0.0247) + 0.286 * lobe(530.9, 0.0613, 0.0322)
    z = 1.217 * lobe(437.0, 0.0845, 0.0278) + 0.681 * lobe(459.0, 0.0385, 0.0725)
    return np.stack([x, y, z], axis=1)


@cache
def _table() -> tuple[np.ndarray, np.ndarray]:
    thickness = np.linspace(0.0, _MAX_NM, 481)
    weights = matching_functions() @ _REC709_FROM_XYZ.T
    exact = reflectance(thickness) @ weights / weights.sum(axis=0)
    spread = np.exp(-0.5 * ((thickness - thickness[:, None]) / (1.0 + UNEVEN * thickness[:, None])) ** 2)
    rgb = spread @ exact / spread.sum(axis=1, keepdims=True)
    native = np.array([np.interp(NATIVE_NM, thickness, rgb[:, k]) for k in range(3)])
    return thickness, np.maximum(rgb, 0.0) / native


def tint(thickness_nm: np.ndarray) -> np.ndarray:
    """Linear RGB (..., 3) by which an oxide film multiplies the colour of metal with its native film of 3 nm."""
    stations, rgb = _table()
    return np.stack([np.interp(thickness_nm, stations, rgb[:, k]) for k in range(3)], axis=-1)
