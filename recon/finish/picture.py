"""One view as the last pass sees it: every pixel is shaded by itself, with light and material drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from recon.finish.relief import half_of
from recon.finish.state import State
from recon.fit.problem import Target
from recon.montecarlo.denoise import denoised
from recon.montecarlo.environment import Environment
from recon.montecarlo.estimator import Points, Radiance, shade
from recon.raster.protocol import Rasterizer
from recon.shading import Optics
from recon.tangents import bent, smooth_normals, tangents
from recon.visibility import Occluder

LEAST_COSINE = 0.05
"""Smooth normals near an outline may look away from the camera; they are bent until they look this far towards it."""


@dataclass(frozen=True, eq=False)
class Scene:
    """The state at one step. environment, vertices, normals, looks (s, s, 5) and reliefs
    (2, s, s, 2) of the state carry gradients; tangents (one a fan) do not, and occluder stands still."""

    state: State
    vertices: torch.Tensor
    normals: torch.Tensor
    tangents: torch.Tensor
    looks: torch.Tensor
    reliefs: torch.Tensor
    environment: Environment
    occluder: Occluder
    lift: float

    @staticmethod
    def of(state: State, occluder: Occluder, lift: float, relief: torch.Tensor | None = None) -> Scene:
        """relief: (s, s, 2) for all views, in place of what each half of them has fitted."""
        vertices = state.vertices
        normals = smooth_normals(vertices, state.fans.faces)
        along = tangents(state.fans, vertices.detach(), normals.detach())
        reliefs = state.reliefs if relief is None else relief.expand(2, *relief.shape)
        return Scene(state, vertices, normals, along, state.looks, reliefs, state.environment, occluder, lift)


@dataclass(frozen=True, eq=False)
class Stand:
    """How a view's part stands. room_from_part: (3, 3). bounced: (n, 3) irradiance over pi by way of the part."""

    room_from_part: torch.Tensor
    bounced: torch.Tensor


def picture(
    scene: Scene,
    target: Target,
    stand: Stand,
    rasterizer: Rasterizer,
    drawn: torch.Generator,
    draws: int,
    sigma_px: float,
) -> torch.Tensor:
    """(h, w, 4): linear radiance over black and alpha, antialiased. draws: of the light a pixel, and as many of the
    material."""
    state = scene.state
    positions = target.project(scene.vertices)
    fragments = rasterizer.rasterize(positions, state.topology, target.size)
    columns = torch.cat([scene.vertices, scene.normals, stand.bounced], 1)
    layers = rasterizer.interpolate(columns, state.topology.faces, fragments)
    mapped = rasterizer.interpolate(torch.cat([state.fans.uv, scene.tangents], 1), state.fans.fan, fragments)
    image = torch.cat([scene.looks, scene.reliefs[half_of(target.number)]], -1)
    texels = rasterizer.texture(image, mapped[..., :2])
    albedo, covered = texels[..., :3], fragments.covered
    flat, along, looks = layers[covered], mapped[covered][:, 2:], texels[covered]
    normals = bent(flat[:, 3:6], along, state.fans.side[fragments.face[covered].long()][:, None], looks[:, 5:])
    at = Points(
        flat[:, :3], facing(normals, target.standing.eye - flat[:, :3]), target.standing.eye,
        stand.room_from_part, target.standing.pivot,
    )  # fmt: skip
    numbers = even_draws(len(flat), draws, drawn)
    optics = Optics(looks[:, :3], looks[:, 3:4].clamp(min=0.01), looks[:, 4:5])
    light = shade(at, optics, scene.environment, numbers, scene.occluder, lift=scene.lift)
    light = Radiance(light.diffuse + flat[:, 6:9] * (1 - optics.metallic), light.mirrored)
    spread = torch.zeros(*covered.shape, 6, device=flat.device)
    spread = spread.masked_scatter(covered[..., None], torch.cat([light.diffuse, light.mirrored], 1))
    if sigma_px > 0:
        normals = torch.zeros_like(albedo).masked_scatter(covered[..., None], at.normals.detach())
        spread = denoised(spread, normals, fragments.depth.detach(), covered, sigma_px)
    seen = Radiance(spread[..., :3], spread[..., 3:]).times(albedo) * state.gain(target.number)
    seen = torch.cat([seen * covered[..., None], covered[..., None].to(seen.dtype)], -1)
    return rasterizer.antialias(seen, positions, state.topology, fragments)


def even_draws(points: int, draws: int, drawn: torch.Generator) -> torch.Tensor:
    """(points, draws, 5) in [0, 1): one Sobol sequence, shifted at random for each point (Cranley and Patterson,
    Randomization of Number Theoretic Methods for Multiple Integration, 1976), so that each point's draws lie evenly."""
    sequence = torch.quasirandom.SobolEngine(5).draw(draws).to(drawn.device)
    shift = torch.rand(points, 1, 5, generator=drawn, device=drawn.device)
    return (sequence + shift) % 1.0


def facing(normals: torch.Tensor, towards: torch.Tensor) -> torch.Tensor:
    """Unit normals (n, 3), turned towards the eye as far as they look away from it."""
    normals = torch.nn.functional.normalize(normals, dim=1)
    towards = torch.nn.functional.normalize(towards.detach(), dim=1)
    short = (LEAST_COSINE - (normals * towards).sum(1, keepdim=True)).clamp(min=0)
    return torch.nn.functional.normalize(normals + short * towards, dim=1)
