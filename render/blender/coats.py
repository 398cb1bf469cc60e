"""Materials of the backdrops: paper, moulded plastic, belt fabric, extruded aluminium, ground steel, bench laminate."""

from __future__ import annotations

import math

import bpy

from . import nodes
from .props import Coat


def paper(backdrop: dict) -> bpy.types.Material:
    """Fibres in the height, faint clouds in the tone."""
    coat = _coat("fs_paper", backdrop)
    tone = coat.around(coat.noise(0.05, 3), 0.05)
    coat.set(Base_Color=coat.toned(tone), Specular_IOR_Level=0.2)
    return coat.set(Normal=coat.bump(coat.noise(0.0006, 2), 8e-6)).material


def printed(backdrop: dict) -> bpy.types.Material:
    """A picture in matt black on white, over the whole sheet."""
    coat = _coat("fs_board", backdrop)
    image = bpy.data.images.load(backdrop["image"], check_existing=False)
    image.colorspace_settings.name = "Non-Color"
    x, y, _ = coat.axes()
    over = 1 / backdrop["size_m"]
    place = nodes.node(
        coat.tree,
        "ShaderNodeCombineXYZ",
        {0: coat.math("MULTIPLY_ADD", x, over, 0.5), 1: coat.math("MULTIPLY_ADD", y, over, 0.5)},
    )
    picture = nodes.node(coat.tree, "ShaderNodeTexImage", {"Vector": place.outputs[0]}, image=image, extension="EXTEND")
    ink = [backdrop["values"]["ink"]] * 3
    coat.set(Base_Color=coat.mixed(picture.outputs["Color"], ink, coat.albedo), Specular_IOR_Level=0.2)
    return coat.material


def plastic(backdrop: dict) -> bpy.types.Material:
    """Moulded polypropylene: spark-eroded grain, shallow ribs in the floor, pale scuffs of what lay there before."""
    coat = _coat("fs_tray", backdrop)
    scuffs = _scuffs(coat)
    pale = [0.55 * c + 0.25 for c in coat.albedo]
    tone = coat.toned(coat.around(coat.noise(0.03, 3), 0.12))
    coat.set(Base_Color=coat.mixed(coat.math("MULTIPLY", scuffs, 0.35), tone, pale))
    coat.set(Roughness=coat.math("MULTIPLY_ADD", scuffs, 0.2, backdrop["roughness"]), Specular_IOR_Level=0.45)
    ribs = coat.bump(_ribs(coat, backdrop["values"]["rib_pitch_m"]), 6e-4)
    return coat.set(Normal=coat.bump(coat.noise(0.0005, 1), 1.5e-5, ribs)).material


def belt(backdrop: dict) -> bpy.types.Material:
    """PVC over fabric: a plain weave printed through, wear streaks along the travel, dust."""
    values = backdrop["values"]
    coat = _coat("fs_belt", backdrop)
    x, y, _ = coat.axes()
    pitch = values["weave_m"]
    weave = coat.math("MULTIPLY", _wave(coat, x, pitch), _wave(coat, y, pitch))
    height = coat.around(weave, 0.5, 0.5)
    streaks = coat.above(coat.noise(0.004, 3, (60.0, 1.0, 1.0)), 0.52, 0.72)
    dust = coat.above(coat.noise(0.002, 4), 0.6, 0.8)
    dirt = coat.math("MULTIPLY", coat.math("MULTIPLY_ADD", dust, 0.5, streaks), values["wear"], clamp=True)
    pale = [0.5 * c + 0.10 for c in coat.albedo]
    coat.set(Base_Color=coat.mixed(dirt, coat.toned(coat.around(coat.noise(0.08, 2), 0.2)), pale))
    coat.set(Roughness=coat.around(dirt, 0.2, backdrop["roughness"]), Specular_IOR_Level=0.35)
    return coat.set(Normal=coat.bump(coat.noise(0.0004, 1), 6e-6, coat.bump(height, 0.06 * pitch))).material


def extrusion(backdrop: dict) -> bpy.types.Material:
    """Anodised aluminium with die lines along x."""
    coat = Coat("fs_rails", (0.62, 0.63, 0.65), 0.36, backdrop["seed"], 1.0)
    lines = coat.noise(0.0006, 2, (400.0, 1.0, 1.0))
    coat.set(Roughness=coat.around(coat.noise(0.02, 3), 0.12, 0.36))
    return coat.set(Normal=coat.bump(lines, 2e-6)).material


def ground_steel(backdrop: dict, threaded: bool = False) -> bpy.types.Material:
    """Surface-ground steel: fine lines along x, a film of oil here and there, scratches, thread in the holes."""
    coat = _coat("fs_plate", backdrop, metallic=1.0)
    z = coat.axes()[2]
    lines = coat.noise(0.00025, 2, (160.0, 1.0, 1.0))
    stain = coat.above(coat.noise(0.016, 4), 0.56, 0.8)
    deep = coat.above(coat.math("MULTIPLY", z, -1.0), 0.0008, 0.0016)
    tone = coat.math("MULTIPLY", coat.around(coat.noise(0.06, 3), 0.12), coat.math("MULTIPLY_ADD", stain, -0.12, 1.0))
    coat.set(Base_Color=coat.toned(coat.math("MULTIPLY", tone, coat.math("MULTIPLY_ADD", deep, -0.45, 1.0))))
    rough = coat.around(coat.noise(0.012, 3), 0.10, backdrop["roughness"])
    coat.set(Roughness=coat.math("MULTIPLY_ADD", scratches_amount(coat), 0.12, rough))
    ridges = coat.bump(coat.math("MULTIPLY", _wave(coat, z, 0.001), deep), 2.5e-4) if threaded else None
    return coat.set(Normal=coat.bump(lines, 4e-6, ridges)).material


def scratches_amount(coat: Coat):
    """Thin sparse scratches in two directions, 0..1."""
    one = coat.above(coat.noise(0.0008, 1, (45.0, 1.0, 1.0)), 0.74, 0.8)
    two = coat.above(coat.noise(0.0008, 1, (1.0, 45.0, 1.0)), 0.76, 0.82)
    return coat.math("MAXIMUM", one, two)


def pin_steel(backdrop: dict) -> bpy.types.Material:
    """Hardened, ground dowel pins."""
    coat = Coat("fs_pins", (0.52, 0.52, 0.53), 0.22, backdrop["seed"], 1.0)
    return coat.set(Roughness=coat.around(coat.noise(0.002, 3), 0.12, 0.22)).material


def bench(backdrop: dict) -> bpy.types.Material:
    """Speckled grey laminate."""
    coat = Coat("fs_bench", (0.11, 0.112, 0.115), 0.55, backdrop["seed"])
    speckle = coat.around(coat.noise(0.0012, 2), 0.5)
    coat.set(Base_Color=coat.toned(coat.math("MULTIPLY", speckle, coat.around(coat.noise(0.12, 3), 0.25))))
    return coat.set(Normal=coat.bump(coat.noise(0.0008, 1), 1e-5)).material


def _coat(name: str, backdrop: dict, metallic: float = 0.0) -> Coat:
    return Coat(name, backdrop["albedo"], backdrop["roughness"], backdrop["seed"], metallic)


def _wave(coat: Coat, axis, pitch: float):
    """A sine of a coordinate, -1..1."""
    return coat.math("SINE", coat.math("MULTIPLY", axis, 2 * math.pi / pitch))


def _ribs(coat: Coat, pitch: float):
    """Soft ridges along y, one every `pitch`; 0..1."""
    x, _, _ = coat.axes()
    return coat.above(_wave(coat, x, pitch), -0.1, 0.95)


def _scuffs(coat: Coat):
    """Rubbed patches of fine streaks, 0..1."""
    patch = coat.above(coat.noise(0.02, 3), 0.45, 0.7)
    along = coat.above(coat.noise(0.0007, 3, (9.0, 1.0, 1.0)), 0.52, 0.8)
    across = coat.above(coat.noise(0.0007, 3, (1.0, 9.0, 1.0)), 0.55, 0.8)
    return coat.math("MULTIPLY", patch, coat.math("MAXIMUM", along, across))
