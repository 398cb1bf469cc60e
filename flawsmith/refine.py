"""Rendered defects painted over by a diffusion backend, inside their labels only: `refine: diffusion` of a recipe.

The backend sees the clean twin under the label and the rendered picture around it. What it paints takes the place of
the rendered defect there; the label is derived anew from what shows. Twin, geometry and every other pixel stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from core.colour import linear_from_srgb, srgb_from_linear
from core.defect import Defect
from core.errors import NothingVisible, RecipeError, RenderError
from core.files import sha256_json
from core.frame import Frame
from core.seeds import child_seed
from defects.generative.paint import paint_photo
from defects.generative.painter import Painter
from defects.generative.photo import Photo
from defects.procedural.kinds import KINDS
from flawsmith.paint_choice import PaintChoice, damage_for, painter_of, torch_device
from flawsmith.recipe import Recipe
from flawsmith.resolve import refuse_unknown_kinds, weighted_blueprints
from flawsmith.shots import Stock

DRAWN = ("overlay",)
"""Backends by rule: they would take the place of rendered light with a worse guess."""


@dataclass(frozen=True, eq=False)
class Refiner:
    """painter: loaded. damage: blueprint -> the painter's word; a blueprint that is not in it stays as rendered.

    tries: of a defect in which nothing visible happens. min_label_px: smaller labels stay as rendered.
    """

    painter: Painter
    damage: Mapping[str, str]
    tries: int
    min_label_px: int

    def __call__(self, frame: Frame, defects: Sequence[Defect], seed: int) -> tuple[Frame, dict[str, Any]]:
        """The refined frame, and what a manifest keeps by defect id: empty where nothing could be refined.

        A label that fills the frame stays as rendered, too: nothing sound is left beside it to paint from.
        NothingVisible when the backend showed nothing on a defect, or less than min_label_px.
        """
        if frame.clean is None:
            raise RenderError("a frame without its twin", "one with a clean twin", "set twin: windowed or full")
        before, clean = _codes(frame.rgb), _codes(frame.clean)
        image, ids, visibility = before, np.array(frame.ids), dict(frame.visibility)
        coverage, told, taken = dict(frame.coverage), {}, np.zeros(frame.ids.shape, bool)
        for defect in sorted(defects, key=lambda d: d.id):
            mask = frame.ids == defect.id
            if defect.blueprint not in self.damage or np.count_nonzero(mask) < self.min_label_px:
                continue
            if mask.all():
                continue
            ground = np.where(mask[..., None], clean, image)
            painted = paint_photo(
                Photo(f"defect {defect.id}", ground), mask, self.damage[defect.blueprint], self.painter,
                child_seed(seed, "refine", defect.id), part=frame.part | mask, mm_per_px=_mm_per_px(frame, mask),
                tries=self.tries,
            )  # fmt: skip
            if np.count_nonzero(painted.label) < self.min_label_px:
                raise NothingVisible("a refined label", f"{self.min_label_px} px", "use larger defects")
            image, taken = painted.image, taken | mask
            ids[mask & ~painted.label] = 0
            if defect.id in coverage:
                coverage[defect.id] = _kept(coverage[defect.id], mask, painted.label)
            visibility[defect.id] = float(painted.facts["strength"])
            told[str(defect.id)] = {**painted.facts, "mask": "render"}
        if not told:
            return frame, {}
        assert (image[~taken] == before[~taken]).all(), "pixels outside the labels changed"
        rgb = np.where(taken[..., None], linear_from_srgb(image / np.float32(255)), frame.rgb)
        measured = {**frame.measured, "pixels_changed_outside": 0}
        return replace(frame, rgb=rgb, ids=ids, coverage=coverage, visibility=visibility, measured=measured), told


def refiner_of(recipe: Recipe, device: str = "cpu", painter: Painter | None = None) -> Refiner | None:
    """What the recipe asks for, its backend loaded; None without `refine`. painter: instead of the recipe's backend.

    Without a named backend it is the embedded model. RecipeError for a backend that is no model, or for blueprints of
    which none can be refined; InputError where weights are missing.
    """
    if recipe.refine == "none":
        return None
    choice, blueprints = _choice(recipe), weighted_blueprints(recipe)
    refuse_unknown_kinds(blueprints, KINDS.__getitem__)
    surface = [w.blueprint for w in blueprints if KINDS[w.blueprint.kind].form != "solid"]
    if not surface:
        raise RecipeError(
            "refine: diffusion with blueprints that all change the part's shape", "one with an outline on the surface",
            "add one, or leave refine out",
        )  # fmt: skip
    painter = painter or painter_of(choice, recipe.folder, torch_device(device))
    damage = {b.name: damage_for(b.name, b.kind, choice, painter) for b in surface}
    return Refiner(painter, damage, choice.tries, recipe.min_label_px)


def refined_stock(stock: Stock, refiner: Refiner | None) -> Stock:
    """The same stock, whose hash also names what painted."""
    if refiner is None:
        return stock
    resolved = stock.resolved
    asked = _choice(resolved.recipe).model_dump(mode="json", exclude_none=True)
    by = {"painter": refiner.painter.name, "facts": dict(refiner.painter.facts)}
    content = {**resolved.content, "refine": resolved.recipe.refine, "paint": asked | by}
    return replace(stock, resolved=replace(resolved, content=content, sha256=sha256_json([resolved.sha256, content])))


def _choice(recipe: Recipe) -> PaintChoice:
    """The recipe's `paint`, with the embedded model where no backend is named."""
    choice = recipe.paint
    if "backend" not in choice.model_fields_set:
        return choice.model_copy(update={"backend": "tiny"})
    if choice.backend in DRAWN:
        raise RecipeError(
            f"refine: diffusion with paint.backend {choice.backend}, which draws by rule",
            "tiny, sd15 or sd15-controlnet", "name one of them, or leave refine out",
        )  # fmt: skip
    return choice


def _kept(coverage: np.ndarray, mask: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Coverage where the label stayed, and on the rim that its pixels share with their neighbours outside."""
    near = cv2.dilate(label.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    return np.where(label | (near & ~mask), coverage, 0).astype(np.float32)


def _mm_per_px(frame: Frame, mask: np.ndarray) -> float:
    depth = frame.depth_m[mask]
    depth = depth[np.isfinite(depth)]
    return 1e3 * frame.camera.metres_per_pixel(float(np.median(depth))) if len(depth) else float("nan")


def _codes(linear: np.ndarray) -> np.ndarray:
    """As the image file holds it: (h, w, 3) uint8 sRGB."""
    return np.rint(srgb_from_linear(linear) * 255).astype(np.uint8)
