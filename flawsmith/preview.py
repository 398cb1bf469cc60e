"""A recipe in seconds: few, small, coarse images on one contact sheet."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from flawsmith.contact_sheet import contact_sheet
from flawsmith.images import picture_path
from flawsmith.progress import Report
from flawsmith.recipe import Recipe

SIDE, SAMPLES = 256, 16


def coarse(recipe: Recipe, images: int) -> Recipe:
    """The same recipe, small and without what a contact sheet does not show. Every image shows another specimen."""
    scale = min(1.0, SIDE / max(recipe.size_px))
    width, height = (max(16, int(np.ceil(side * scale))) for side in recipe.size_px)
    return recipe.model_copy(
        update={
            "images": images,
            "size_px": (width, height),
            "samples": min(recipe.samples, SAMPLES),
            "denoise": True,
            "twin": "none",
            "refine": "none",
            "outputs": (),
            "exports": (),
            "views_per_part": 1,
            "min_visibility": 0.0,
            "min_label_px": 1,
        }
    )


def preview(recipe: Recipe, sheet: Path, images: int, device: str, progress: Report | None = None) -> Path:
    """Render `images` coarse images of the recipe and write one contact sheet; nothing else stays."""
    picture_path(sheet)
    from flawsmith.pipeline import run

    with tempfile.TemporaryDirectory(prefix="flawsmith-preview-") as folder:
        out = Path(folder) / "dataset"
        run(coarse(recipe, images), out, device=device, progress=progress)
        return contact_sheet(out, sheet, tile=SIDE)
