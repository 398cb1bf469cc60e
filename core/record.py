"""What a dataset says about itself: one record per image with its full lineage, one header per dataset.

Everything is JSON and depends on nothing but the recipe, the seed, the input files and the versions of the software:
no clock, no host name, no absolute path. Lengths are millimetres where the name says so, else metres and pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from core.camera import Camera, Matrix, Sensor
from core.defect import Form, Verdict
from core.job import Window
from core.models import FileModel

FORMAT = "flawsmith-dataset"
FORMAT_VERSION = 1

ImageVerdict = Literal["good", "acceptable", "defect"]
"""good: no mark is visible. acceptable: only marks within limits are (an OK part). defect: at least one defect is."""

Output = Literal["images16", "clean", "parts", "coverage", "amodal", "depth", "normals"]
"""Folders a recipe may ask for beside `images` and `masks`, which always are."""

OUTPUTS: tuple[Output, ...] = ("images16", "clean", "parts", "coverage", "amodal", "depth", "normals")


class FileEntry(FileModel):
    """path: relative to the dataset, with forward slashes."""

    path: str
    sha256: str
    bytes: int


class Versions(FileModel):
    """Of the software that made an image. commit: of Flawsmith's checkout ("" outside one, "+" at the end if dirty)."""

    flawsmith: str
    commit: str = ""
    blender: str = ""
    python: str = ""
    libraries: Mapping[str, str] = {}


class PartRecord(FileModel):
    """sha256: of the source file(s) and import options. size_mm: extents of the bounding box."""

    name: str
    sha256: str
    size_mm: tuple[float, float, float]
    material: str
    material_version: int = 1


class Rejected(FileModel):
    """Tries for this image that were thrown away, by reason."""

    reason: str
    count: int


class DefectRecord(FileModel):
    """One mark on the part, as it was made and as this image shows it.

    id: the value in the mask. parameters, measured: names carry units. point_mm: the site, part frame.
    box: x, y, width, height of the label, pixels. area_px: pixels whose centre shows it. area_mm2: surface that those
    pixels see. size_px: long and short side of the least rectangle around the label. mm_per_pixel: at its median
    depth. coverage_px: sum of the coverage. amodal_px: what would be seen without occluders (-1: not computed).
    visibility: contrast to noise (camera noise sigmas). area_px 0: on the part, but not seen here; it has no label.
    """

    id: int
    kind: str
    form: Form
    blueprint: str
    blueprint_version: int
    severity: str
    verdict: Verdict
    seed: int
    parameters: Mapping[str, Any]
    measured: Mapping[str, float] = {}
    point_mm: tuple[float, float, float]
    direction: tuple[float, float, float]
    normal: tuple[float, float, float]
    regions: tuple[str, ...] = ()
    cad_face: int = -1
    patch: int = -1
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    area_px: int = 0
    area_mm2: float = 0.0
    size_px: tuple[float, float] = (0.0, 0.0)
    mm_per_pixel: float = 0.0
    coverage_px: float = 0.0
    amodal_px: int = -1
    visibility: float = 0.0


class ImageFacts(FileModel):
    """What the pipeline knows of an image before it is measured; the writer adds the rest.

    specimen: number of the defected part shown (several views may share one). view: of that specimen.
    station, viewpoint, backdrop, lens: names from the recipe or the library ("inline" when written out).
    sampled: every value drawn for the scene, names with units. source: "photo" where defects were painted into a
    photograph, "refined" where a rendered one was painted over. paint: by defect id, the backend, its weights' hash,
    type of damage, seed, steps, where the mask came from and how well the label keeps to it.
    """

    index: int
    image_seed: int
    specimen: int
    view: int = 0
    part: PartRecord
    station: str
    station_version: int = 1
    viewpoint: str
    backdrop: str
    lens: str
    sensor: Sensor
    world_from_part: Matrix
    sampled: Mapping[str, Any] = {}
    samples: int
    denoise: bool = True
    rejected: tuple[Rejected, ...] = ()
    source: Literal["render", "photo", "refined"] = "render"
    paint: Mapping[str, Any] = {}


class ImageRecord(ImageFacts):
    """One line of manifest.jsonl. mm_per_pixel: at the part's median depth. part_px: pixels that show the part.

    twin_windows: the only pixels where `clean` may differ from `image` (x0, y0, x1, y1, half open).
    files: role -> entry; roles are image, image16, clean, mask, part, depth, normal, coverage_<id>, amodal_<id>.
    """

    name: str
    width: int
    height: int
    root_seed: int
    recipe_sha256: str
    verdict: ImageVerdict
    camera: Camera
    exposure: float
    mm_per_pixel: float
    part_px: int
    twin: Literal["none", "windowed", "full"]
    twin_windows: tuple[Window, ...] = ()
    measured: Mapping[str, float] = {}
    defects: tuple[DefectRecord, ...] = ()
    versions: Versions
    files: Mapping[str, FileEntry]

    @property
    def labelled(self) -> tuple[DefectRecord, ...]:
        """The marks that this image shows."""
        return tuple(d for d in self.defects if d.area_px > 0)


class DatasetHeader(FileModel):
    """dataset.json. recipe: as resolved, with the contents of every file it names. categories: defect kinds in the
    order of their COCO and YOLO numbers. complete: false while a run is under way. counts: filled in at the end.
    notes: where something else was done than the recipe asks for first, and why.
    """

    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    name: str
    recipe_sha256: str
    seed: int
    recipe: Mapping[str, Any] = {}
    part: PartRecord
    categories: tuple[str, ...]
    outputs: tuple[Output, ...] = OUTPUTS
    exports: tuple[str, ...] = ()
    twin: Literal["none", "windowed", "full"] = "windowed"
    versions: Versions
    notes: tuple[str, ...] = ()
    complete: bool = False
    images: int = 0
    counts: Mapping[str, Mapping[str, int]] = {}
    manifest_sha256: str = ""


class DatasetSummary(FileModel):
    """What a run did. made: images of this call; kept: found whole from an earlier one. defects: labels, all images.
    rejected: tries thrown away by reason, all images. notes: what a user should know (links that became copies).
    seconds: wall time of this call."""

    path: str
    images: int
    made: int
    kept: int
    defects: int
    verdicts: Mapping[str, int] = {}
    kinds: Mapping[str, int] = {}
    rejected: Mapping[str, int] = {}
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
