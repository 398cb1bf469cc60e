"""One view of the current estimate, and how far it is from the photograph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from recon.fit.problem import Target
from recon.fit.unknowns import Unknowns
from recon.hashgrid import HashGrid
from recon.keylights import KeyLights
from recon.raster.protocol import Fragments, Rasterizer, Topology
from recon.shading import Optics, diffuse_light, keyed_light, specular_light
from recon.workers import averaged

SATURATED = 0.99


@dataclass(frozen=True, eq=False)
class Estimate:
    """vertices, normals (n, 3), unit frame. unshadowed: per session (n, coarse cells). blurred: (fine, 3) light under
    the gloss lobe. keys: the brightest cells, None where all light is soft and far. bounced: per view, (n, 3)
    irradiance over pi that comes by way of the part itself; None where that is left out. paint: albedo pixel by pixel,
    of which the unknowns' is what lies at the vertices; None where it is that, interpolated."""

    vertices: torch.Tensor
    normals: torch.Tensor
    unknowns: Unknowns
    unshadowed: list[torch.Tensor]
    blurred: torch.Tensor
    keys: KeyLights | None = None
    bounced: Mapping[int, torch.Tensor] | None = None
    paint: HashGrid | None = None

    @property
    def fitted(self) -> tuple[torch.Tensor, ...]:
        """What gradients are asked of."""
        paint = () if self.paint is None else self.paint.raw
        return self.vertices, self.normals, self.blurred, *self.unknowns.raw, *paint

    def over(self, fitted: Sequence[torch.Tensor]) -> Estimate:
        """The same with other tensors in place of `fitted`."""
        vertices, normals, blurred, *rest = fitted
        count = len(self.unknowns.raw)
        paint = None if self.paint is None else self.paint.over(rest[count:])
        unknowns = self.unknowns.over(rest[:count])
        return replace(self, vertices=vertices, normals=normals, blurred=blurred, unknowns=unknowns, paint=paint)


def direct(
    estimate: Estimate, target: Target, chosen: torch.Tensor | slice, points: torch.Tensor, normals: torch.Tensor
) -> torch.Tensor:
    """(k, 3) irradiance over pi of the sky and the lamps at the chosen vertices, whose points and normals are given."""
    table = estimate.unshadowed[target.session][chosen]
    radiance, near = estimate.unknowns.radiance, estimate.unknowns.nearness
    if estimate.keys is None:
        return diffuse_light(normals, table, target.standing, radiance)
    key = estimate.keys.of(target.number, chosen)
    return keyed_light(points, normals, table, target.standing, radiance, near, key)


def lit(estimate: Estimate, target: Target, chosen: torch.Tensor | slice) -> tuple[torch.Tensor, torch.Tensor]:
    """Diffuse and specular light (k, 3) at the chosen vertices, without the photograph's gain."""
    points, normals = estimate.vertices[chosen], estimate.normals[chosen]
    table = estimate.unshadowed[target.session][chosen]
    whole = estimate.unknowns.optics()
    optics = Optics(whole.albedo[chosen], whole.roughness[chosen], whole.metallic[chosen])
    diffuse = direct(estimate, target, chosen, points, normals)
    if estimate.bounced is not None:
        diffuse = diffuse + estimate.bounced[target.number][chosen]
    near = None if estimate.keys is None else estimate.unknowns.nearness
    shine = specular_light(points, normals, table, optics, target.standing, estimate.blurred, near)
    return diffuse * (1 - optics.metallic), shine


def picture(
    estimate: Estimate, target: Target, topology: Topology, rasterizer: Rasterizer
) -> tuple[torch.Tensor, Fragments]:
    """(h, w, 4): linear radiance over black and alpha, antialiased."""
    positions = target.project(estimate.vertices)
    fragments = rasterizer.rasterize(positions, topology, target.size)
    faces = topology.faces[torch.unique(fragments.face[fragments.covered]).long()]
    chosen = torch.unique(faces).long()
    diffuse, specular = lit(estimate, target, chosen)
    gain = estimate.unknowns.gain(target.number)

    def drawn(parts: list[torch.Tensor]) -> torch.Tensor:
        rows = torch.cat(parts, 1)
        values = torch.zeros(len(estimate.vertices), rows.shape[1], device=positions.device)
        return rasterizer.interpolate(values.index_copy(0, chosen, rows), topology.faces, fragments)

    one = torch.ones_like(diffuse[:, :1])
    if estimate.paint is None:
        seen = drawn([(estimate.unknowns.albedo[chosen] * diffuse + specular) * gain, one])
    else:
        parts = drawn([diffuse * gain, specular * gain, one, estimate.vertices[chosen]])
        shown = fragments.covered
        albedo = torch.sigmoid(estimate.paint.logits(parts[..., 7:][shown]))
        inside = torch.cat([albedo * parts[..., :3][shown] + parts[..., 3:6][shown], parts[..., 6:7][shown]], 1)
        seen = parts.new_zeros(*shown.shape, 4).index_put((shown,), inside)
    return rasterizer.antialias(seen, positions, topology, fragments), fragments


def srgb(linear: torch.Tensor) -> torch.Tensor:
    """IEC 61966-2-1, carried on above 1."""
    x = linear.clamp(min=0)
    return torch.where(x <= 0.0031308, 12.92 * x, 1.055 * x.clamp(min=1e-4) ** (1 / 2.4) - 0.055)


def colour_error(seen: torch.Tensor, target: Target) -> torch.Tensor:
    """(h, w, 3) sRGB difference; none where the photograph is saturated and the estimate brighter still."""
    error = srgb(seen[..., :3]) - target.photograph
    return torch.where((target.photograph >= SATURATED) & (error > 0), torch.zeros_like(error), error)


def losses(seen: torch.Tensor, target: Target) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean over the part's pixels of the colour error (smooth L1) and of the squared mask error."""
    count = target.mask.sum().clamp(min=1)
    colour, mask = pixel_errors(seen, target)
    return colour.sum() / count, mask.sum() / count


def pixel_errors(seen: torch.Tensor, target: Target) -> tuple[torch.Tensor, torch.Tensor]:
    """(h, w): the colour error (smooth L1, mean of the channels), and the squared mask error."""
    error = colour_error(seen, target).abs()
    smooth = torch.where(error < 0.05, 10 * error**2, error - 0.025)
    return smooth.sum(-1) / 3, ((seen[..., 3:] - target.mask) ** 2)[..., 0]


def met(
    estimate: Estimate, views: Sequence[Target], topology: Topology, rasterizer: Rasterizer, mask_weight: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The views' mean loss (), differentiable, and its colour and mask term (2,), which are not."""

    def one(view: Target, fitted: Sequence[torch.Tensor]) -> torch.Tensor:
        seen, _ = picture(estimate.over(fitted), view, topology, rasterizer)
        return torch.stack(losses(seen, view))

    return averaged(one, views, estimate.fitted, (1.0, mask_weight))
