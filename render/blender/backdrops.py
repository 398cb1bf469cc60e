"""What the part lies on, as Blender meshes with procedural materials in true size. Frame: support plane z = 0, z up."""

from __future__ import annotations

import math

import bpy
import numpy as np
from mathutils import Matrix

from .props import Coat, mesh_object


def build(scene: bpy.types.Scene, backdrop: dict) -> list[bpy.types.Object]:
    """Objects for a dump of core.job.Backdrop, not yet linked; all are meshes, seen by the camera, and occlude."""
    made = KINDS[backdrop["kind"]](backdrop)
    for thing in made:
        thing.matrix_world = Matrix(backdrop["world_from_backdrop"]) @ thing.matrix_basis
    return made


def _void(backdrop: dict) -> list[bpy.types.Object]:
    return []


def _paper(backdrop: dict) -> list[bpy.types.Object]:
    """A sheet that lies flat, bends up behind the part with a round sweep and goes on upwards."""
    values = backdrop["values"]
    half = max(backdrop["size_m"], 1.6 * values["view_m"]) / 2
    radius = max(values["sweep_radius_m"], 0.5 * half)
    profile = [(-4 * half, 0.0), (-half, 0.0), (half, 0.0)]
    profile += [(half + radius * math.sin(a), radius * (1 - math.cos(a))) for a in np.linspace(0, math.pi / 2, 33)[1:]]
    profile.append((half + radius, radius + 6 * half))
    vertices = [(x, y, z) for y, z in profile for x in (-4 * half, 4 * half)]
    quads = [(2 * i, 2 * i + 1, 2 * i + 3, 2 * i + 2) for i in range(len(profile) - 1)]
    return [mesh_object("fs_paper", vertices, quads, _paper_coat(backdrop), smooth=True)]


def _paper_coat(backdrop: dict) -> bpy.types.Material:
    """Fibres in the height, faint clouds in the tone."""
    coat = Coat("fs_paper", backdrop["albedo"], backdrop["roughness"], backdrop["seed"])
    tone = coat.around(coat.noise(0.05, 3), 0.05)
    coat.set(Base_Color=coat.toned(tone), Specular_IOR_Level=0.2)
    return coat.set(Normal=coat.bump(coat.noise(0.0006, 2), 8e-6)).material


KINDS = {"void": _void, "paper": _paper}
