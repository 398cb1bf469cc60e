"""Station files: the lamps of an inspection cell as an engineer names them. mm, degrees, kelvin."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from core.distributions import Quantity, constant, refuse_below, refuse_zero
from core.material import RGB
from core.models import FileModel


class Lamp(FileModel):
    """One lamp, or `copies` of it at equal steps of azimuth.

    mount: "camera" (about the optical axis, moves with the camera) or "cell" (about the vertical, fixed in the room).
    plane: where distances start, along that axis: "surface" (the inspected surface: the defect looked at, else the
    point of the part nearest along the axis), "top" (always that nearest point, so that the lamp clears the part),
    "base" (the farthest point; the support plane for the cell).
    distance_mm, elevation_deg, azimuth_deg: position of the lamp's centre seen from there; elevation 90 is on the
    axis, -90 behind the part. offset_x_mm, offset_y_mm shift it sideways, aim_deg turns it off its aim somewhere.
    rect: width_mm (tangential) x height_mm. disk: width_mm. ring: width_mm outer, height_mm inner diameter,
    band_tilt_deg turns the band inwards. dome: width_mm diameter, height_mm camera hole. tunnel: width_mm diameter,
    height_mm length.
    spread_deg: full cone of a rect or disk; 180 is diffuse. radiance: W / (m2 sr).
    temperature_k: of a white LED; colour: linear RGB instead. segments: LED groups, segment_sigma their relative
    scatter, failed_segments how many are dark. lit: all copies, or one after the other from image to image.
    polariser: crossed with one on the camera. visible: the camera sees the lamp itself.
    """

    name: str
    shape: Literal["rect", "disk", "ring", "dome", "tunnel", "environment"]
    mount: Literal["camera", "cell"] = "camera"
    plane: Literal["surface", "top", "base"] = "surface"
    copies: int = 1
    lit: Literal["all", "in_turn"] = "all"
    width_mm: Quantity = constant(100.0)
    height_mm: Quantity = constant(100.0)
    distance_mm: Quantity = constant(100.0)
    elevation_deg: Quantity = constant(90.0)
    azimuth_deg: Quantity = constant(0.0)
    roll_deg: Quantity = constant(0.0)
    offset_x_mm: Quantity = constant(0.0)
    offset_y_mm: Quantity = constant(0.0)
    aim_deg: Quantity = constant(0.0)
    band_tilt_deg: Quantity = constant(0.0)
    spread_deg: Quantity = constant(180.0)
    radiance: Quantity = constant(10.0)
    temperature_k: Quantity | None = None
    colour: RGB | None = None
    segments: int = 0
    segment_sigma: Quantity = constant(0.0)
    failed_segments: Quantity = constant(0.0)
    images: tuple[str, ...] = ()
    polariser: bool = False
    visible: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Lamp:
        if (self.shape == "environment") != bool(self.images):
            raise ValueError("images belong to shape environment, which needs at least one")
        if self.temperature_k is not None and self.colour is not None:
            raise ValueError("temperature_k and colour exclude each other")
        if self.segments and self.shape not in ("ring", "rect"):
            raise ValueError("only ring and rect lamps have segments")
        if self.shape != "environment":
            for key in ("width_mm", "height_mm"):
                if getattr(self, key).bounds()[0] <= 0:
                    raise ValueError(f"{key} must be positive")
        if self.shape in ("ring", "dome") and self.height_mm.bounds()[1] >= self.width_mm.bounds()[0]:
            raise ValueError("height_mm (the inner diameter or hole) must be less than width_mm")
        refuse_zero(spread_deg=self.spread_deg, temperature_k=self.temperature_k)
        refuse_below(
            0, distance_mm=self.distance_mm, radiance=self.radiance, segment_sigma=self.segment_sigma,
            failed_segments=self.failed_segments,
        )  # fmt: skip
        if self.copies < 1:
            raise ValueError("copies must be at least 1")
        return self


class Station(FileModel):
    """Lamps, the light that leaks in from the room, and how the whole scales.

    field_mm: diameter of the part (`scale_to: part`) or field of view (`view`; `both`: the larger) that the lamps are
    drawn for. Lamps come in sizes: the station grows or shrinks by half octaves (factors of 1.41) to the next size
    that takes what is there; `none` keeps the drawn sizes. ambient_radiance: of the room around. balance_k: the
    camera's white balance.
    replaces_backdrop: the part lies on a lamp, so no backdrop is drawn. meter: what a metered camera exposes for; a
    silhouette needs "frame", a dark field "highlights".
    """

    name: str
    version: int
    text: str
    lamps: tuple[Lamp, ...]
    field_mm: float = Field(default=100.0, gt=0)
    scale_to: Literal["part", "view", "both", "none"] = "part"
    ambient_radiance: Quantity = constant(0.0)
    balance_k: float = Field(default=5600.0, gt=0)
    replaces_backdrop: bool = False
    meter: Literal["part", "frame", "highlights"] = "part"

    @model_validator(mode="after")
    def _distinct(self) -> Station:
        names = [lamp.name for lamp in self.lamps]
        if not names or len(set(names)) != len(names):
            raise ValueError("lamps need distinct names, and at least one lamp")
        refuse_below(0, ambient_radiance=self.ambient_radiance)
        return self
