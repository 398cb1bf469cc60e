"""Regions of a signed grid's samples, and what is left without them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import ndimage

from core.errors import GeometryError
from recon.volume.field import genus, pieces, solid
from recon.volume.flexicubes import Grid, extract


def without(values: torch.Tensor, candidate: np.ndarray, grid: Grid) -> torch.Tensor:
    """The values with its samples half a cell outside."""
    mask = torch.as_tensor(candidate, device=values.device)
    return torch.where(mask, values.detach().clamp(min=0.5 * grid.step), values.detach())


def about(found: list[np.ndarray], chosen: list[bool], grid: Grid) -> np.ndarray:
    """(samples,) bool: those that are nearer to a chosen one of what was found than to another."""
    away = []
    for which in (True, False):
        some = [one for one, so in zip(found, chosen, strict=True) if so == which]
        mask = np.any(some, axis=0).reshape(grid.shape) if some else np.zeros(grid.shape, bool)
        away.append(ndimage.distance_transform_edt(~mask) if some else np.full(grid.shape, np.inf))
    return np.less(away[0], away[1]).reshape(-1)


def removable(
    values: torch.Tensor, grid: Grid, samples: np.ndarray, size: tuple[int, float], handle: bool
) -> list[np.ndarray]:
    """The connected regions of the samples whose removal gives the surface no new piece, and a handle where asked.
    size: samples at least, and share of the part at most."""
    label, count = labelled(samples, corners=True)
    whole, found = _genus_and_pieces(values, grid), []
    inside = (values.detach().cpu().numpy() < 0).reshape(grid.shape)
    for number in range(1, count + 1):
        one = _with_crumbs(inside, label == number).reshape(-1)
        if not size[0] <= one.sum() <= size[1] * inside.sum():
            continue
        try:
            after = _genus_and_pieces(without(values, one, grid), grid)
        except GeometryError:
            continue
        if (after[0] > whole[0] or not handle) and after[1] <= whole[1]:
            found.append(one)
    return found


def _with_crumbs(inside: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """The samples (bool, in space) with what hangs on nothing else, where that is less than they are."""
    label, _ = labelled(inside & ~samples, corners=False)
    sizes = np.bincount(label.reshape(-1))
    beside = np.unique(label[ndimage.binary_dilation(samples, iterations=1) & ~samples])
    crumbs = [n for n in beside[beside > 0] if n != sizes[1:].argmax() + 1]
    return samples | np.isin(label, crumbs) if sizes[crumbs].sum() < samples.sum() else samples


def labelled(samples: np.ndarray, corners: bool) -> tuple[np.ndarray, int]:
    """Connected regions, numbered from 1 on in space, and how many they are. corners: that touch there are one."""
    found: Any = ndimage.label(samples, np.ones((3, 3, 3)) if corners else None)
    return found[0], int(found[1])


def _genus_and_pieces(values: torch.Tensor, grid: Grid) -> tuple[int, int]:
    """Of the surface without voids and crumbs."""
    dual = extract(values.detach(), grid)
    faces = solid(dual.vertices.cpu().numpy().astype(np.float64), dual.faces.cpu().numpy())[1]
    return genus(faces), pieces(faces)
