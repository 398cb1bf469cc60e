"""Industrial finishes: bulk optics, a coat, and micro-structure in millimetres."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from core.models import FileModel

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Unsigned = Annotated[float, Field(ge=0.0)]
RGB = tuple[float, float, float]


class Surface(FileModel):
    """Bulk optics of one layer, linear RGB, as in a metallic-roughness principled model.

    roughness, anisotropy: of what is finer than every layer of the structure. anisotropy: 0 none, towards 1 the
    highlight is drawn out across the lay. film_weight: a clear dielectric on top (dye-filled oxide, oil, lacquer).
    """

    albedo: RGB
    metallic: Share
    roughness: Share
    ior: float = Field(1.5, ge=1.0, le=4.0)
    specular: float = 0.5
    anisotropy: Share = 0.0
    film_weight: Share = 0.0
    film_roughness: Share = 0.03
    film_ior: float = Field(1.5, ge=1.0, le=4.0)


class Grain(FileModel):
    """Relief without direction. height_um: rms. size_mm: dominant wavelength of the coarsest octave, each further
    one half as long and `fall` times as high. form: noise, bumps (packed sand grains, orange peel), dimples (shot).
    """

    kind: Literal["grain"]
    size_mm: Positive
    height_um: Unsigned
    octaves: int = Field(1, ge=1, le=6)
    fall: Share = 0.5
    form: Literal["noise", "bumps", "dimples"] = "noise"


class Pits(FileModel):
    """Sparse round holes (or nibs, depth below 0): where balls about sites in the solid, `cover` of one a cubic
    spacing_mm, meet the surface. size_mm: greatest diameter. tone: factor on the albedo inside."""

    kind: Literal["pits"]
    spacing_mm: Positive
    size_mm: Positive
    depth_um: float
    cover: Share = 0.3
    tone: Unsigned = 1.0


class Feed(FileModel):
    """Cusps left by a tool that advances by feed_mm a tooth or a turn: concentric or helical about an axis, arcs of a
    face mill on planes (arc_radius_mm; 0: straight), in lanes of pass_mm.

    cusp_um: peak to valley. runout: relative scatter of the cusps. teeth: of the cutter; their setting repeats
    (0: no repeat). recut: strength of the arcs of the trailing edge.
    """

    kind: Literal["feed"]
    feed_mm: Positive
    cusp_um: Unsigned
    runout: Share = 0.25
    arc_radius_mm: Unsigned = 0.0
    pass_mm: Positive = 40.0
    teeth: int = Field(0, ge=0, le=32)
    recut: Share = 0.0


class Lines(FileModel):
    """Random lines along the lay (grinding, brushing, tearing). height_um: rms. width_mm: dominant wavelength across
    the lay of the coarsest octave. length_mm: along it."""

    kind: Literal["lines"]
    width_mm: Positive
    length_mm: Positive
    height_um: Unsigned
    octaves: int = Field(1, ge=1, le=6)
    fall: Share = 0.5


class Scratches(FileModel):
    """Sparse fine scratches: along the lay (directions 0) or in so many random directions."""

    kind: Literal["scratches"]
    width_mm: Positive
    length_mm: Positive
    depth_um: Unsigned
    cover: Share = 0.03
    directions: int = Field(0, ge=0, le=6)


class Mottle(FileModel):
    """Slow change of roughness and tone, rms relative to the bulk. stretch: this much longer along the lay."""

    kind: Literal["mottle"]
    size_mm: Positive
    roughness: Unsigned = 0.0
    tone: Unsigned = 0.0
    octaves: int = Field(2, ge=1, le=6)
    stretch: float = Field(1.0, ge=1.0)
    tint: RGB | None = None
    tint_cover: Share = 0.0


class Spangle(FileModel):
    """Crystals of hot-dip zinc: each with its own brightness, gloss and direction of fine dendrites."""

    kind: Literal["spangle"]
    size_mm: Positive
    tone: Unsigned
    roughness: Unsigned
    dendrite_mm: Positive
    dendrite_um: Unsigned


Structure = Annotated[
    Grain | Pits | Feed | Lines | Scratches | Mottle | Spangle,
    Field(discriminator="kind"),
]
"""One layer of micro-structure, built by `render.blender.finishes`."""

Lay = Literal["none", "straight", "turned", "milled"]


class Material(FileModel):
    """A finish. substrate: what a scratch or peel through a coat exposes (None: the material is solid through).

    coat_um: thickness of paint, oxide or zinc. lay: which direction the tool marks run, for `parts.lay`.
    captured: albedo, roughness and metallic are the part's own (corner attributes `captured_albedo`,
    `captured_gloss`), as a reconstruction found them.
    """

    name: str
    version: int
    text: str
    process: str
    surface: Surface
    substrate: Surface | None = None
    coat_um: Unsigned = 0.0
    lay: Lay = "none"
    captured: bool = False
    structure: tuple[Structure, ...] = ()
