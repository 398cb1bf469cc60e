"""A recipe: one YAML file that says which part, finish, defects and inspection cell make a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, field_validator, model_validator

from core.distributions import Distribution, Quantity, constant
from core.errors import RecipeError
from core.files import read_yaml
from core.models import FileModel, parse
from core.record import OUTPUTS, Output
from flawsmith.paint_choice import PaintChoice
from scenes.viewpoints import Viewpoint

Export = Literal["mvtec", "coco", "yolo"]


def _tuple(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


def _part(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


def _square(value: Any) -> Any:
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


def _blueprints(value: Any) -> Any:
    return tuple({"name": v} if isinstance(v, str) else v for v in _tuple(value))


def _viewpoints(value: Any) -> Any:
    return tuple({"kind": v} if isinstance(v, str) else v for v in _tuple(value))


Entries = Annotated[tuple[str | dict[str, Any], ...], BeforeValidator(_tuple), Field(min_length=1)]
"""One or several of: the name of a library file, the path of a file, or the file's contents written out."""


class ProbeChoice(FileModel):
    """The light of a capture's room: path of an equirectangular .hdr or .exr, turned by turn_deg about the vertical; or
    of a chrome ball's photograph, ball: its middle x, y and radius in pixels, view: the photograph taken from there."""

    path: str
    turn_deg: float = 0.0
    ball: tuple[float, float, float] | None = None
    view: str | None = None


class PartChoice(FileModel):
    """path: of a CAD or mesh file, of a capture (its folder or pose file) or of a folder made by `reconstruct`,
    relative to the recipe. unit: for formats that have none (STL, OBJ, PLY), and for captures without a scale.

    tolerance_mm: of the tessellation. smooth_angle_deg: sharper edges part two patches. regions: where defects may
    sit at all, as in `Part.select`; a blueprint's own regions narrow it further. A reconstructed part has the regions
    `seen` and `unseen`, and defects stay off what no photograph saw unless regions name it. preset, minutes: of the
    reconstruction. light: where the lamps of a capture stood still. light_probe: a path or more. fallback: a part for
    a capture that is refused.
    """

    path: str
    unit: str | float | None = None
    tolerance_mm: float = Field(default=0.05, gt=0)
    smooth_angle_deg: float = Field(default=30.0, gt=0, lt=180)
    regions: tuple[str, ...] = ()
    preset: str = "standard"
    minutes: float | None = Field(default=None, gt=0)
    light: Literal["room", "part"] | None = None
    light_probe: Annotated[ProbeChoice | None, BeforeValidator(_part)] = None
    fallback: str | None = None


class BlueprintChoice(FileModel):
    """name: of a blueprint in the library, or the path of a file. weight: chance against the others.

    count: exactly so many on every image that is not good, beside those drawn by `defects_per_image`.
    """

    name: str
    weight: float = Field(default=1.0, ge=0)
    count: Quantity | None = None


class Recipe(FileModel):
    """material, station, camera, viewpoint, backdrop: one, or a list of which each image draws one.

    defects_per_image: drawn by weight from the blueprints without a `count`. good_fraction: chance of an image without
    any mark. views_per_part: images of one and the same defected part. size_px: image width and height, or one number
    for both. samples: of the renderer, per pixel. twin: the clean picture beside each image: none, windowed
    (rendered again only around the defects) or full. min_visibility: contrast to noise (camera noise sigmas) below
    which a try is thrown away. min_label_px: the same for its label's pixels. tries: before an image is given up.

    route: render the part, or paint defects into the photographs of a capture (auto: where its reconstruction is
    refused and there is no fallback). paint: how. refine: paint rendered defects over, inside their labels, by the
    backend of `paint` (without one: the embedded model).
    """

    name: str = ""
    part: Annotated[PartChoice, BeforeValidator(_part)]
    material: Entries
    blueprints: Annotated[tuple[BlueprintChoice, ...], BeforeValidator(_blueprints), Field(min_length=1)]
    defects_per_image: Quantity = constant(1.0)
    good_fraction: float = Field(default=0.0, ge=0, le=1)
    station: Entries
    camera: Entries
    viewpoint: Annotated[tuple[Viewpoint, ...], BeforeValidator(_viewpoints), Field(min_length=1)]
    backdrop: Entries = ("paper",)
    views_per_part: int = Field(default=1, ge=1)
    images: int = Field(ge=1)
    size_px: Annotated[tuple[int, int], BeforeValidator(_square)] = (512, 512)
    samples: int = Field(default=64, ge=1)
    denoise: bool = True
    seed: int = 0
    twin: Literal["none", "windowed", "full"] = "windowed"
    min_visibility: float = Field(default=0.0, ge=0)
    min_label_px: int = Field(default=16, ge=1)
    tries: int = Field(default=12, ge=1)
    outputs: tuple[Output, ...] = OUTPUTS
    exports: tuple[Export, ...] = ("mvtec", "coco", "yolo")
    route: Literal["auto", "render", "photo"] = "auto"
    paint: PaintChoice = PaintChoice()
    refine: Literal["none", "diffusion"] = "none"

    _folder: Path = PrivateAttr(default_factory=Path.cwd)
    _allow_outside: bool = PrivateAttr(default=False)
    _made: Path | None = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _nothing_to_render(cls, given: Any) -> Any:
        """Photographs have their finish, lamps and camera: these keys are not needed, and not used."""
        if isinstance(given, dict) and given.get("route") == "photo":
            return {"material": "as_captured", "station": "dome", "camera": "area_5mp_25mm"} | {
                "viewpoint": "fixed", **given,
            }  # fmt: skip
        return given

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        """It names folders (`out/NAME`, `mvtec/NAME`), and must not lead out of them."""
        if name.startswith(".") or not name.isprintable() or any(c in name for c in "/\\"):
            raise ValueError("a plain name, without slashes and without a dot in front")
        return name

    @model_validator(mode="after")
    def _possible(self) -> Recipe:
        if not all(16 <= side <= 16384 for side in self.size_px):
            raise ValueError(f"size_px must lie within 16 and 16384, got {list(self.size_px)}")
        drawn = [b for b in self.blueprints if b.count is None]
        if self.defects_per_image.bounds()[0] < 0:
            raise ValueError("defects_per_image cannot be negative")
        if drawn and sum(b.weight for b in drawn) == 0:
            raise ValueError("blueprints need a weight above 0, or a count")
        if "clean" in self.outputs and self.twin == "none" and "outputs" in self.model_fields_set:
            raise ValueError("the output 'clean' needs twin: windowed or full")
        if self.refine != "none" and self.twin == "none":
            raise ValueError("refine: diffusion needs twin: windowed or full")
        if self.refine != "none" and self.route == "photo":
            raise ValueError("refine: diffusion is for rendered defects, and route: photo renders none; leave one out")
        return self

    @classmethod
    def load(cls, path: Path | str, allow_outside: bool = False) -> Recipe:
        """Read one YAML file. Paths inside are relative to its folder and stay inside it unless `allow_outside`."""
        path = Path(path)
        recipe = parse(cls, read_yaml(path), str(path))
        named = recipe if recipe.name else recipe.model_copy(update={"name": path.stem})
        return named.within(path.resolve().parent, allow_outside)

    def within(self, folder: Path, allow_outside: bool = False) -> Recipe:
        """The same recipe, its relative paths starting at `folder`."""
        copy = self.model_copy()
        copy._folder, copy._allow_outside = Path(folder).resolve(), allow_outside
        return copy

    def file(self, given: str, what: str) -> Path:
        """The absolute path of a file that the recipe names. RecipeError when it is missing or outside the folder."""
        path = self.place(given, what)
        if not path.is_file():
            raise RecipeError(f"{what} '{given}' does not exist", f"a file under {self._folder}", "check the path")
        return path

    def place(self, given: str, what: str) -> Path:
        """As `file`, for a folder too."""
        path = (self._folder / given).resolve()
        if not self._allow_outside and not path.is_relative_to(self._folder) and path != self._made:
            raise RecipeError(
                f"{what} '{given}' lies outside the recipe's folder {self._folder}",
                "a path inside it",
                "move the file, or allow it (--allow-outside)",
            )
        if not path.exists():
            raise RecipeError(f"{what} '{given}' does not exist", f"a file under {self._folder}", "check the path")
        return path

    @property
    def folder(self) -> Path:
        """Where relative paths start."""
        return self._folder

    def with_part(self, choice: PartChoice) -> Recipe:
        """The same recipe with another part, which may lie where Flawsmith itself has made it."""
        copy = self.model_copy(update={"part": choice})
        copy._folder, copy._allow_outside = self._folder, self._allow_outside
        copy._made = Path(choice.path).resolve()
        return copy

    @property
    def recorded_outputs(self) -> tuple[Output, ...]:
        """Outputs in the order of `OUTPUTS`; no clean pictures without a twin."""
        return tuple(o for o in OUTPUTS if o in self.outputs and not (o == "clean" and self.twin == "none"))

    @property
    def most_defects(self) -> int:
        """The greatest number of defects that one image can get."""
        fixed = sum(b.count.bounds()[1] for b in self.blueprints if b.count is not None)
        drawn = self.defects_per_image.bounds()[1] if any(b.count is None for b in self.blueprints) else 0
        return round(fixed + drawn)


def whole(quantity: Distribution, value: float) -> int:
    """A drawn number of things: the nearest whole number, never negative."""
    low, high = quantity.bounds()
    return max(0, round(min(max(value, low), high)))
