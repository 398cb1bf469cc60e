"""Radiance of surface points by Monte Carlo: draws from the light and from the material, weighed against each other.

The estimator of Hasselgren et al., Shape, Light, and Material Decomposition from Images using Monte Carlo Rendering and
Denoising, 2022: n draws from the environment's distribution and n from the material's lobes, by the balance heuristic
(Veach, 1997), a shadow ray for each, direct light only. Draws and shadows carry no gradient; albedo, roughness,
metallic, environment and normals do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from recon import kernels
from recon.montecarlo import ggx
from recon.montecarlo.environment import Environment
from recon.shading import Optics
from recon.visibility import Occluder
from recon.warps import as_warp, wp

Strategy = Literal["both", "light", "material"]


@dataclass(frozen=True, eq=False)
class Points:
    """positions, normals (n, 3) unit, part frame. eye: (3,) or (n, 3) camera position. room_from_part: (3, 3): the
    light stands in the room, the part turns. middle: (3,) from where near lamps have their distance, part frame."""

    positions: torch.Tensor
    normals: torch.Tensor
    eye: torch.Tensor
    room_from_part: torch.Tensor
    middle: torch.Tensor | None = None

    @property
    def offset(self) -> torch.Tensor | None:
        """(n, 1, 3) room frame; None where all light is far."""
        if self.middle is None:
            return None
        return ((self.positions.detach() - self.middle) @ self.room_from_part.T)[:, None]


@dataclass(frozen=True, eq=False)
class Radiance:
    """diffuse: (n, 3) without albedo. mirrored: (n, 3). Radiance is albedo * diffuse + mirrored."""

    diffuse: torch.Tensor
    mirrored: torch.Tensor

    def times(self, albedo: torch.Tensor) -> torch.Tensor:
        return albedo * self.diffuse + self.mirrored


def shade(
    points: Points,
    optics: Optics,
    environment: Environment,
    draws: torch.Tensor,
    occluder: Occluder | None = None,
    shadow: float = 1.0,
    lift: float = 1e-3,
    strategy: Strategy = "both",
) -> Radiance:
    """draws: (n, k, 5) uniform numbers: two for the light, two for the material and one that chooses its lobe.

    shadow: 0 leaves shadows out and 1 puts them in full: fits ramp it up, while the shape is still wrong. lift: start
    of the shadow rays above the surface, in the positions' unit.
    """
    frame = tangent_frame(points.normals)
    towards = points.eye - points.positions
    towards = towards / towards.norm(dim=-1, keepdim=True)
    local_eye = (frame * towards[:, :, None]).sum(1)[:, None]
    wide = Optics(*(t[:, None] for t in (optics.albedo, optics.roughness, optics.metallic)))
    with torch.no_grad():
        alpha, share = ggx.alpha_of(wide.roughness), mirror_share(wide)
        drawn = []
        if strategy != "material":
            drawn.append(environment.draw(draws[..., :2], points.offset) @ points.room_from_part)
        if strategy != "light":
            own = torch.where(
                draws[..., 4:] < share,
                ggx.draw(local_eye, alpha, draws[..., 2:4]),
                ggx.cosine_draw(draws[..., 2:4]),
            )
            drawn.append((frame[:, None] * own[:, :, None, :]).sum(-1))
        rays = torch.cat(drawn, 1)
        room = rays @ points.room_from_part.T
        local = (frame[:, None] * rays[..., None]).sum(2)
        texel, apart = environment.met(room, points.offset)
        of_light = environment.density_at(texel, apart)[..., None]
        cosine = local[..., 2:].clamp(min=0) / torch.pi
        of_material = share * ggx.density(local_eye, local, alpha) + (1 - share) * cosine
        weight = {"both": of_light + of_material, "light": of_light, "material": of_material}[strategy]
        open_ = torch.ones_like(of_light)
        if occluder is not None and shadow > 0:
            seen = unblocked(occluder, points.positions, points.normals, rays, lift)
            open_ = 1 - shadow * (1 - seen[..., None])
        open_ = torch.where(weight > 1e-8, open_ / weight.clamp(min=1e-8), torch.zeros_like(open_))
    local = (frame[:, None] * rays[..., None]).sum(2)
    diffuse, mirrored = ggx.lobes(local_eye, local, wide)
    light = environment.radiance[texel] * open_ / draws.shape[1]
    return Radiance((diffuse * light).sum(1), (mirrored * light).sum(1))


def mirror_share(optics: Optics) -> torch.Tensor:
    """(..., 1) how often a draw is made from the mirrored lobe: half for a plastic, always for a metal, nearly."""
    return 0.5 + 0.45 * optics.metallic


def tangent_frame(normals: torch.Tensor) -> torch.Tensor:
    """(n, 3) -> (n, 3, 3), columns tangent, bitangent, normal; smooth but at -z (Duff et al., Building an Orthonormal
    Basis, Revisited, 2017)."""
    x, y, z = normals.unbind(-1)
    sign = torch.where(z >= 0, torch.ones_like(z), -torch.ones_like(z))
    a = -1 / (sign + z)
    b = x * y * a
    first = torch.stack([1 + sign * x * x * a, sign * b, -sign * x], -1)
    second = torch.stack([b, sign + y * y * a, -y], -1)
    return torch.stack([first, second, normals], -1)


def unblocked(
    occluder: Occluder, positions: torch.Tensor, normals: torch.Tensor, rays: torch.Tensor, lift: float
) -> torch.Tensor:
    """(n, k) float: 1 where a ray (n, k, 3) from above its point leaves the mesh."""
    start = (positions + lift * normals).detach()[:, None].expand_as(rays).reshape(-1, 3).contiguous()
    end = start + 2 * occluder.size * rays.detach().reshape(-1, 3)
    out = torch.zeros(len(start), dtype=torch.uint8, device=start.device)
    inputs = [occluder.mesh.id, as_warp(start, wp.vec3f), as_warp(end.contiguous(), wp.vec3f)]
    wp.launch(kernels.free, len(start), inputs, [as_warp(out)], device=occluder.device)
    return out.reshape(rays.shape[:2]).float()
