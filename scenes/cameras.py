"""Camera files: a sensor behind a lens. mm, micrometres, electrons. No lens distortion, no vignetting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from core.camera import Camera, Sensor, as_matrix
from core.distributions import Quantity, constant, refuse_zero
from core.errors import InputError
from core.models import FileModel
from scenes.draw import Draw

MM = 1e-3


class Chip(FileModel):
    """A sensor as its data sheet has it. full_well_e: saturation capacity; bits: of the converter."""

    name: str
    pixel_size_um: float = Field(gt=0)
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    full_well_e: float = Field(gt=0)
    read_noise_e: float = Field(ge=0)
    bits: int = Field(ge=6, le=16)
    monochrome: bool = False


class PerspectiveLens(FileModel):
    """A thin lens. range_mm: working distances that it can focus, from the entrance pupil to the object."""

    kind: Literal["perspective"]
    focal_mm: float = Field(gt=0)
    range_mm: tuple[float, float]
    working_distance_mm: Quantity

    @model_validator(mode="after")
    def _focusable(self) -> PerspectiveLens:
        low, high = self.working_distance_mm.bounds()
        if not self.focal_mm < self.range_mm[0] <= low <= high <= self.range_mm[1]:
            raise ValueError("needs focal_mm < range_mm[0] <= working_distance_mm <= range_mm[1]")
        return self


class TelecentricLens(FileModel):
    """A bi-telecentric lens, or a series of them: `range` holds the magnifications that can be had."""

    kind: Literal["telecentric"]
    magnification: Quantity
    range: tuple[float, float]
    working_distance_mm: Quantity

    @model_validator(mode="after")
    def _in_range(self) -> TelecentricLens:
        low, high = self.magnification.bounds()
        if not 0 < self.range[0] <= low <= high <= self.range[1]:
            raise ValueError("needs 0 < range[0] <= magnification <= range[1]")
        refuse_zero(working_distance_mm=self.working_distance_mm)
        return self


Lens = Annotated[PerspectiveLens | TelecentricLens, Field(discriminator="kind")]


class CameraSpec(FileModel):
    """A camera of the cell.

    fit: "part" chooses the working distance (or magnification), within the lens's range, at which the part fills `fill`
    of the frame; "none" keeps the file's value. The viewpoint `look_at_defect` always fits the defect.
    focus_offset_mm: of the plane of sharp focus behind the inspected surface. f_number: of the lens, as engraved.
    readout: "bin" scales the whole sensor, cut to the image's aspect ratio, down to the image size (the pixel grows,
    and with it its full well); "crop" reads a centred window of single pixels.
    exposure: "metered" or "fixed" (`gain_per_radiance`). gain_db: analogue gain, at the price of full well.
    """

    name: str
    version: int
    text: str
    sensor: Chip
    lens: Lens
    f_number: Quantity = constant(8.0)
    focus_offset_mm: Quantity = constant(0.0)
    fit: Literal["part", "none"] = "part"
    fill: Quantity = constant(0.75)
    readout: Literal["bin", "crop"] = "bin"
    exposure: Literal["metered", "fixed"] = "metered"
    metered_level: Quantity = constant(0.7)
    gain_per_radiance: float = Field(default=1.0, gt=0)
    gain_db: Quantity = constant(0.0)

    @model_validator(mode="after")
    def _possible(self) -> CameraSpec:
        refuse_zero(f_number=self.f_number, fill=self.fill, metered_level=self.metered_level)
        return self


@dataclass(frozen=True)
class Optics:
    """A camera spec at one image size. pixel_m: of an output pixel on the chip; binned: chip pixels per output pixel,
    along one axis."""

    spec: CameraSpec
    width: int
    height: int
    pixel_m: float
    binned: float

    @property
    def telecentric(self) -> bool:
        return self.spec.lens.kind == "telecentric"

    @property
    def limits(self) -> tuple[float, float]:
        """Range of the adjustable quantity: working distance in metres, or magnification."""
        lens = self.spec.lens
        if isinstance(lens, TelecentricLens):
            return lens.range
        return lens.range_mm[0] * MM, lens.range_mm[1] * MM

    def pixels_per_unit(self, setting: float) -> float:
        """From the working distance in metres (perspective, thin lens: v = f WD / (WD - f)) or the magnification."""
        lens = self.spec.lens
        if isinstance(lens, TelecentricLens):
            return setting / self.pixel_m
        focal = lens.focal_mm * MM
        return focal * setting / (setting - focal) / self.pixel_m

    def setting_for_field(self, field_m: float) -> float:
        """The setting at which the image's shorter side spans `field_m` at the focused distance; not yet limited."""
        chip = min(self.width, self.height) * self.pixel_m
        lens = self.spec.lens
        if isinstance(lens, TelecentricLens):
            return chip / field_m
        return lens.focal_mm * MM * (1 + field_m / chip)

    def field(self, setting: float) -> float:
        """Metres that the shorter side of the image spans at the focused distance."""
        side = min(self.width, self.height)
        if self.telecentric:
            return side / self.pixels_per_unit(setting)
        return side * setting / self.pixels_per_unit(setting)


def optics(spec: CameraSpec, image_size: tuple[int, int]) -> Optics:
    """InputError when the image has more pixels than the sensor."""
    width, height = image_size
    chip = spec.sensor
    if width > chip.width or height > chip.height:
        raise InputError(
            f"an image of {width} x {height} px from camera '{spec.name}' ({chip.width} x {chip.height} px)",
            "an image no larger than the sensor",
            "lower the image size or choose another camera",
        )
    binned = min(chip.width / width, chip.height / height) if spec.readout == "bin" else 1.0
    return Optics(spec, width, height, binned * chip.pixel_size_um * 1e-6, binned)


def build(optic: Optics, setting: float, pose: np.ndarray, focus_m: float, draw: Draw) -> tuple[Camera, Sensor]:
    """The concrete camera at `pose` (4, 4). focus_m: from the eye to the plane of sharp focus."""
    spec = optic.spec
    f_number = draw("camera.f_number", spec.f_number)
    if isinstance(spec.lens, TelecentricLens):
        # image-side cone 1 / (2 N) is the object-side cone times 1 / magnification; the disk it cuts at focus_m
        aperture = focus_m * setting / f_number
    else:
        aperture = spec.lens.focal_mm * MM / f_number
    camera = Camera(
        projection=spec.lens.kind,
        width=optic.width,
        height=optic.height,
        pixels_per_unit=optic.pixels_per_unit(setting),
        world_from_camera=as_matrix(pose),
        aperture_m=aperture,
        focus_m=focus_m,
    )
    gain = 10 ** (draw("camera.gain_db", spec.gain_db) / 20)
    chip = spec.sensor
    sensor = Sensor(
        exposure=spec.exposure,
        metered_level=draw("camera.metered_level", spec.metered_level),
        gain_per_radiance=spec.gain_per_radiance * gain,
        full_well_e=chip.full_well_e * optic.binned**2 / gain,
        read_noise_e=chip.read_noise_e * optic.binned,
        bits=chip.bits,
        monochrome=chip.monochrome,
    )
    return camera, sensor


def fill_of(local: np.ndarray, optic: Optics, setting: float, distance_m: float) -> float:
    """The larger share of the frame's width or height that points (n, 3) need about the image centre.

    local: camera axes, origin where the axis meets the inspected surface. Infinite when a point is behind the camera.
    """
    scale = optic.pixels_per_unit(setting)
    if optic.telecentric:
        pixels = np.abs(local[:, :2]) * scale
    else:
        z = local[:, 2] + distance_m
        if z.min() <= 1e-4:
            return np.inf
        pixels = np.abs(local[:, :2]) / z[:, None] * scale
    return float((2 * pixels.max(0) / (optic.width, optic.height)).max())


def fit_part(local: np.ndarray, optic: Optics, fill: float) -> float:
    """The setting at which the part fills `fill` of the frame, as near as the lens's range allows.

    InputError when the part is larger than the frame, or smaller than a twentieth of it, at every setting.
    """

    def at(setting: float) -> float:
        return fill_of(local, optic, setting, setting)

    near, far = optic.limits if not optic.telecentric else optic.limits[::-1]  # large view last
    name = optic.spec.name
    if at(far) > 1.0:
        raise InputError(
            f"the part needs {at(far):.2f} times the widest view of camera '{name}'",
            "a part that fits into the frame",
            "choose a wider lens or a longer working distance; where it reads single pixels, ask for more of them",
        )
    if at(near) < 0.05:
        raise InputError(
            f"the part fills only {at(near):.1%} of the closest view of camera '{name}'",
            "at least 5 %",
            "choose a camera with more magnification, or check the part's unit",
        )
    if at(far) >= fill:
        return far
    if at(near) <= fill:
        return near
    for _ in range(60):
        middle = np.sqrt(near * far)
        near, far = (middle, far) if at(middle) > fill else (near, middle)
    return float(np.sqrt(near * far))
