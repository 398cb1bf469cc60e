"""Viewpoints: how the part lies and from where the camera looks. mm and degrees, as recipes write them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from core.distributions import Distribution, Quantity, constant, refuse_zero
from core.models import FileModel

Rest = Literal["+x", "-x", "+y", "-y", "+z", "-z", "stable", "random_stable"]
"""The side of the part's frame that points up, its likeliest stable pose, or a stable pose drawn as a drop would."""


class _Posed(FileModel):
    """What all viewpoints share. x_mm, y_mm, rotation_deg: of the part on its support, about its centre.

    roll_deg: of the camera about its axis.
    """

    up: Rest = "+z"
    x_mm: Quantity = constant(0.0)
    y_mm: Quantity = constant(0.0)
    rotation_deg: Quantity = constant(0.0)
    roll_deg: Quantity = constant(0.0)


def _above_ground(elevation: Distribution) -> None:
    low, high = elevation.bounds()
    if not 0 < low <= high <= 90:
        raise ValueError("elevation_deg must lie within (0, 90]: the camera is above the support")


class Fixed(_Posed):
    """A camera that stays. elevation 90 looks straight down, azimuth -90 stands in front (image right is +x)."""

    kind: Literal["fixed"]
    elevation_deg: Quantity = constant(90.0)
    azimuth_deg: Quantity = constant(-90.0)

    @model_validator(mode="after")
    def _above(self) -> Fixed:
        _above_ground(self.elevation_deg)
        return self


class Turntable(_Posed):
    """The part turns under a camera and lamps that stay. steps: image i stands at 360 i / steps (0: anywhere)."""

    kind: Literal["turntable"]
    elevation_deg: Quantity = constant(35.0)
    azimuth_deg: Quantity = constant(-90.0)
    steps: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _above(self) -> Turntable:
        _above_ground(self.elevation_deg)
        return self


class Hemisphere(_Posed):
    """The camera moves over the part: any azimuth, elevation drawn evenly over the sphere's area."""

    kind: Literal["hemisphere"]
    elevation_deg: tuple[float, float] = (25.0, 90.0)

    @model_validator(mode="after")
    def _above(self) -> Hemisphere:
        low, high = self.elevation_deg
        if not 0 < low <= high <= 90:
            raise ValueError("elevation_deg must lie within (0, 90], least first")
        return self


class LookAtDefect(_Posed):
    """The camera looks along the defect's normal, tilted by tilt_deg in direction tilt_azimuth_deg.

    The part is laid so that the defect faces up as much as any stable pose allows (`up: auto`).
    field_defects: what the shorter side of the image spans, as a multiple of the defect's diameter; field_mm instead
    says it in mm; the larger counts when both are given. off_centre: of the defect from the image centre, as a share
    of the frame, in x and in y. min_elevation_deg: the camera stays that far above the support.
    """

    kind: Literal["look_at_defect"]
    up: Rest | Literal["auto"] = "auto"  # type: ignore[assignment]
    tilt_deg: Quantity = Distribution(uniform=(0.0, 25.0))
    tilt_azimuth_deg: Quantity = Distribution(uniform=(0.0, 360.0))
    field_defects: Quantity | None = Distribution(uniform=(4.0, 8.0))
    field_mm: Quantity | None = None
    off_centre: Quantity = Distribution(uniform=(-0.25, 0.25))
    min_elevation_deg: float = Field(default=20.0, gt=0, le=90)

    @model_validator(mode="after")
    def _has_field(self) -> LookAtDefect:
        if self.field_defects is None and self.field_mm is None:
            raise ValueError("give field_defects or field_mm")
        refuse_zero(field_defects=self.field_defects, field_mm=self.field_mm)
        return self


Viewpoint = Annotated[Fixed | Turntable | Hemisphere | LookAtDefect, Field(discriminator="kind")]
