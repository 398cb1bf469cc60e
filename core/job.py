"""RenderJob: the only thing that crosses into Blender. JSON, with array files beside it; SI units, world frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from core.camera import Camera, Matrix
from core.material import RGB, Material
from core.models import FileModel
from core.texture import Wrap

Window = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, half open, y down."""


class Light(FileModel):
    """An emitter. Its local frame: emits along -z (Blender's convention), x and y span it.

    rect: size_m (x, y). disk: size_m[0] diameter. ring: size_m (outer, inner diameter). dome: a half sphere of
    diameter size_m[0] about the local +z with a camera hole of diameter size_m[1] at the pole, lit inside.
    environment: an equirectangular image named `image` (in the bpy wheel's studio lights, or an absolute path),
    turned by the pose about world z, times `radiance`. point: a sphere of diameter size_m[0].
    tunnel: a half cylinder of diameter size_m[0] about the local x, size_m[1] long, lit inside, with a camera slot
    0.12 diameters wide along its crown.
    tilt_rad: of a ring's band about its mean circle; 0 is flat (emits along -z), pi/2 emits towards the axis.
    segments: output of equal segments against `radiance` (0: dead), around a ring from local +x, or along x of a rect.
    polariser: crossed with the camera's; the lamp makes no specular highlight.
    radiance: W / (m2 sr), of the emitting surface, before tint. spread_rad: full cone of a rect or disk (pi: diffuse).
    """

    kind: Literal["rect", "disk", "ring", "dome", "tunnel", "environment", "point"]
    world_from_light: Matrix
    size_m: tuple[float, float] = (0.1, 0.1)
    radiance: float = 1.0
    tint: RGB = (1.0, 1.0, 1.0)
    spread_rad: float = 3.141592653589793
    tilt_rad: float = 0.0
    segments: tuple[float, ...] = ()
    image: str | None = None
    camera_visible: bool = False
    polariser: bool = False


class Backdrop(FileModel):
    """What the part lies on. Its frame: origin under the part, z up, the support plane at z = 0.

    kind "void" draws nothing. size_m: extent that must be covered about the origin. values: metres and radians as
    their names say, for render.blender.backdrops. posts: locating pins (x, y, radius, height), metres. image: of a
    printed "board", a grey picture that covers it, white as albedo, black as `ink`.
    """

    kind: Literal["void", "paper", "tray", "conveyor", "fixture", "board"]
    world_from_backdrop: Matrix
    size_m: float = 1.0
    albedo: RGB = (0.5, 0.5, 0.5)
    roughness: float = 0.6
    seed: int = 0
    values: Mapping[str, float] = {}
    posts: tuple[tuple[float, float, float, float], ...] = ()
    image: str | None = None


class Decal(FileModel):
    """One defect in the job. textures: an .npy of `Layers.textures()`. The chart is mesh attribute `chart_<id>`,
    already in texture coordinates. lay_keep etc. are inside the textures. window: label reach; see `windows`."""

    id: int
    textures: str | None


class TextureMaps(FileModel):
    """Image files (PNG) of one `core.texture.PbrMaps`: albedo in sRGB; gloss with roughness in green and metallic in
    blue, and normal, as plain numbers."""

    albedo: str | None = None
    gloss: str | None = None
    normal: str | None = None
    normal_scale: float = 1.0
    wrap: Wrap = "repeat"


class RenderJob(FileModel):
    """One frame and all of its labels.

    clean, defected: .npz of one mesh (`render.meshfile`); the same path when no shape changes.
    windows: per defect id, the pixels in which its label can lie (projected zone, padded). twin_windows: where the
    clean twin is pasted, already merged and disjoint; each is rendered `twin_margin` px wider.
    seed: of Cycles, the same for image and twin. coverage_grid: sub-pixel centres per axis for coverage.
    maps: of a captured material, by the mesh's face attribute "texture".
    export_scenery: also write every other occluder's triangles (n, 3, 3), world frame, as scenery.npy.
    """

    name: str
    seed: int
    camera: Camera
    samples: int
    denoise: bool = True
    clean: str
    defected: str
    world_from_part: Matrix
    material: Material
    lay_seed: int = 0
    maps: tuple[TextureMaps, ...] = ()
    decals: tuple[Decal, ...] = ()
    defect_ids: tuple[int, ...] = ()
    lights: tuple[Light, ...]
    world_radiance: RGB = (0.0, 0.0, 0.0)
    backdrop: Backdrop
    windows: Mapping[int, Window] = {}
    twin: Literal["none", "windowed", "full"] = "windowed"
    twin_windows: tuple[Window, ...] = ()
    twin_margin: int = 32
    coverage_grid: int = 4
    amodal: bool = True
    max_bounces: int = 6
    export_scenery: bool = False
