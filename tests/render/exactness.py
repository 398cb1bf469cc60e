"""One image through the whole pipeline onto the disk, and its mask file judged by the ray caster."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from core.camera import Camera
from core.errors import PlacementError
from core.record import ImageRecord
from flawsmith.dataset import DatasetWriter
from flawsmith.pipeline import Reasons, facts_of, header, job_of
from flawsmith.recipe import Recipe
from flawsmith.shots import Shot, Stock, draw_shot, load_stock
from render.client import Renderer
from render.frames import read_frame
from tests.render.caster import Agreement, Caster

ROOT = Path(__file__).resolve().parents[2]
COATED = {"peel": "powder_coat_grey", "paint_run": "gloss_paint_blue", "filiform": "powder_coat_grey"}


@dataclass(frozen=True)
class Judged:
    shot: Shot
    record: ImageRecord
    agreement: Agreement


def stock_of(blueprint: str, material: str, stations: tuple[str, ...], size: int, **changes) -> Stock:
    """A recipe for one blueprint on the housing, with everything but labels turned down."""
    recipe = Recipe.model_validate(
        {
            "part": {"path": "examples/parts/bearing_housing.step"}, "material": material, "blueprints": blueprint,
            "station": stations, "camera": "area_5mp_25mm", "images": 1, "size_px": size, "samples": 1,
            "viewpoint": {"kind": "look_at_defect", "tilt_deg": {"uniform": [0, 65]}, "field_defects": 2.5},
            "backdrop": ["paper", "fixture", "tray"], "denoise": False, "twin": "none", "tries": 30, **changes,
        }
    )  # fmt: skip
    return load_stock(recipe.within(ROOT))


def judge(stock: Stock, index: int, renderer: Renderer, out: Path) -> Judged:
    """Draw, render and write image `index`; tries until a label shows, as the pipeline does."""
    for attempt in range(stock.resolved.recipe.tries):
        try:
            shot = draw_shot(stock, index, 1, attempt)
        except PlacementError:
            continue
        folder = out / f"job_{index}_{attempt}"
        job = job_of(stock, shot, folder).model_copy(update={"export_scenery": True})
        rendered = renderer.render(job, folder)
        frame = read_frame(job, rendered, shot.scene.sensor, np.random.Generator(np.random.PCG64(1)))
        if (frame.ids > 0).sum() >= stock.resolved.recipe.min_label_px:
            break
    else:
        raise AssertionError(f"no try of {stock.resolved.blueprints[0].blueprint.name} shows its label")
    writer = DatasetWriter(out / f"dataset_{index}", header(stock))
    record = writer.add(frame, facts_of(stock, shot, Reasons()), shot.defected.defects)
    mask = cv2.imread(str(writer.out / record.files["mask"].path), cv2.IMREAD_UNCHANGED)
    camera = Camera.model_validate(record.camera)
    caster = Caster(camera, shot.defected, np.array(record.world_from_part), np.load(rendered.files["scenery"]))
    return Judged(shot, record, caster.judge(mask))


def narrowed(stock: Stock, station: int) -> Stock:
    """The same stock with one of its stations."""
    return replace(stock, resolved=replace(stock.resolved, stations=(stock.resolved.stations[station],)))
