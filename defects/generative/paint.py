"""One photograph, one mask, one damage: painted inside the mask, every other pixel the photograph's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.arrays import frozen
from core.errors import InputError, NothingVisible, RenderError
from core.seeds import child_seed
from defects.generative.crop import Window, crop_of, put_back, windows
from defects.generative.label import Label, label_of
from defects.generative.look import Look
from defects.generative.painter import GOOD, Crop, Drawer, Finisher, Painter
from defects.generative.photo import Photo, check_mask
from defects.generative.seam import feather, pasted, without_shift

TRIES = 4
ENOUGH_IOU = 0.5
"""A label with less overlap is a poor picture of the mask: another try may be a better one."""


@dataclass(frozen=True, eq=False)
class Painted:
    """image: (h, w, 3) uint8 sRGB. label: (h, w) bool, where the damage shows. requested: the mask as it was used.

    facts: what a manifest keeps, JSON.
    """

    image: np.ndarray
    label: np.ndarray
    requested: np.ndarray
    facts: Mapping[str, Any]

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "image", frozen(self.image, np.uint8, (None, None, 3), "image"))
        for name in ("label", "requested"):
            put(self, name, frozen(getattr(self, name), bool, self.image.shape[:2], name))


def paint_photo(
    photo: Photo | np.ndarray,
    mask: np.ndarray,
    damage: str,
    painter: Painter,
    seed: int,
    *,
    part: np.ndarray | None = None,
    mm_per_px: float = float("nan"),
    tries: int = TRIES,
    look: Look | None = None,
) -> Painted:
    """Paint `damage` where `mask` (h, w) bool says. The same arguments give the same bytes.

    part: (h, w) bool, None: all of the photograph, or what its alpha says. look: of the drawn defect that `mask` is
    of, for a backend that draws. A try that shows on less than half of the mask is made again with another seed, and
    the best is kept. The damage `good` returns the photograph itself. InputError for an unusable mask or an unknown
    damage; NothingVisible when `tries` tries showed nothing.
    """
    photo = photo if isinstance(photo, Photo) else Photo("photo", photo)
    if damage not in painter.types:
        raise InputError(
            f"damage '{damage}'", f"one of {', '.join(painter.types)}", f"choose what {painter.name} knows"
        )
    part = part if part is not None else photo.part
    mask = check_mask(mask, photo, part)
    part = np.ones(photo.size, bool) if part is None else part
    base = {"backend": painter.name, "damage": damage, "seed": int(seed)}
    if damage == GOOD:
        nothing = np.zeros(photo.size, bool)
        return Painted(photo.pixels, nothing, mask, base | dict(painter.facts) | {"tries": 0, "label_iou": 0.0})
    places = [] if isinstance(painter, Drawer) else windows(mask, painter.sizes, painter.cell)
    good = _pass(photo, part, mask, places, GOOD, painter, child_seed(seed, "good"), mm_per_px, look)
    best: tuple[np.ndarray, Label, int] | None = None
    made, most = 0, 1 if isinstance(painter, Drawer) and look is not None else tries
    for made in range(1, most + 1):
        image = _pass(photo, part, mask, places, damage, painter, child_seed(seed, "try", made - 1), mm_per_px, look)
        label = label_of(image, good, photo.pixels, mask)
        if best is None or label.iou > best[1].iou:
            best = image, label, made
        if label.iou >= ENOUGH_IOU:
            break
    assert best is not None
    image, label, kept = best
    if label.no_op:
        raise NothingVisible(
            f"{made} tries at '{damage}' on {photo.name} showed it on {label.iou:.0%} of the mask at most",
            "a change that stands out of the photograph's grain",
            "draw the mask larger, choose another place or type, or raise the guidance",
        )
    told = {"tries": made, "kept_try": kept, "label_iou": round(label.iou, 4), "label_k": round(label.k, 3),
            "strength": round(label.strength, 2)}  # fmt: skip
    if not isinstance(painter, Drawer):
        told |= {"windows": len(places), "magnified": round(max(w.scale for w in places), 3)}
    return Painted(image, label.mask, mask, base | dict(painter.facts) | told)


def _pass(
    photo: Photo,
    part: np.ndarray,
    mask: np.ndarray,
    places: list[Window],
    damage: str,
    painter: Painter,
    seed: int,
    mm_per_px: float,
    look: Look | None = None,
) -> np.ndarray:
    """All windows one after the other, each on what the ones before it left; (h, w, 3) uint8. A backend that draws
    needs no windows: it works on the photograph itself. places: of `mask`."""
    if isinstance(painter, Drawer):
        return painter.draw(photo.pixels, mask, damage, seed, part, look)
    image, grey = photo.pixels, photo.grey
    share = feather(mask)
    for number, window in enumerate(places):
        crop = crop_of(image, part, window, mm_per_px)
        painted = painter.paint([crop], [damage], [child_seed(seed, number)])[0]
        change = without_shift(_usable(painted, crop, painter) - crop.image, crop.mask)
        change = put_back(np.where(_grown(crop.mask)[..., None], change, 0), image, window)
        image = pasted(image, change, window.whole_mask(mask.shape), share, grey)
    if isinstance(painter, Finisher):
        image = painter.finish(photo.pixels, image, mask, damage, seed, part)
        assert (image[~mask] == photo.pixels[~mask]).all(), "pixels outside the mask changed"
    return image


def _grown(mask: np.ndarray) -> np.ndarray:
    """The mask and its neighbours: where the change is read when it is brought to the photograph's scale."""
    out = np.pad(mask, 2)
    for axis in (0, 1):
        out = out | np.roll(out, 1, axis) | np.roll(out, -1, axis) | np.roll(out, 2, axis) | np.roll(out, -2, axis)
    return out[2:-2, 2:-2]


def _usable(painted: np.ndarray, crop: Crop, painter: Painter) -> np.ndarray:
    if painted.shape != crop.image.shape or not np.isfinite(painted).all():
        raise RenderError(
            f"{painter.name} returned {painted.shape} with {np.count_nonzero(~np.isfinite(painted))} values that are "
            "no numbers", f"{crop.image.shape} of numbers", "use full precision, or other weights",
        )  # fmt: skip
    return np.clip(painted, 0, 1).astype(np.float32)
