"""GGX metallic-roughness: values, draws from the distribution of visible normals, and the density of a draw.

The microfacet model of Walter et al., Microfacet Models for Refraction through Rough Surfaces, 2007, with Smith's
height-correlated shadowing and Schlick's Fresnel term; visible normals after Heitz, Sampling the GGX Distribution of
Visible Normals, 2018. Directions are in the frame of the normal, z along it. The diffuse part is Lambert's, weighted
by what the surface does not mirror at normal incidence, as glTF 2.0 asks for metals.
"""

from __future__ import annotations

import math

import torch

from recon.shading import PLASTIC, Optics


def alpha_of(roughness: torch.Tensor) -> torch.Tensor:
    return roughness.clamp(min=0.03) ** 2


def _dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a * b).sum(-1, keepdim=True)


def _lambda(z: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """Smith's, for a direction with that cosine."""
    tangent = (1 - z**2).clamp(min=0) / (z**2).clamp(min=1e-12)
    return (torch.sqrt(1 + alpha**2 * tangent) - 1) / 2


def distribution(z: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """D of half vectors with that cosine."""
    bottom = z**2 * (alpha**2 - 1) + 1
    return alpha**2 / (math.pi * bottom**2)


def lobes(towards: torch.Tensor, light: torch.Tensor, optics: Optics) -> tuple[torch.Tensor, torch.Tensor]:
    """Diffuse without albedo (..., 1) and mirrored (..., 3), times the light's cosine; 0 below the horizon.

    towards, light: (..., 3) unit. optics: (..., 3) and (..., 1).
    """
    alpha = alpha_of(optics.roughness)
    to_eye, to_light = towards[..., 2:].clamp(min=1e-4), light[..., 2:]
    above = ((towards[..., 2:] > 0) & (to_light > 0)).to(alpha.dtype)
    lit = to_light.clamp(min=1e-4)
    half = towards + light
    half = half / half.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    grazing = (1 - _dot(half, light)).clamp(0, 1) ** 5
    at_normal = PLASTIC * (1 - optics.metallic) + optics.albedo * optics.metallic
    fresnel = at_normal + (1 - at_normal) * grazing
    shadowing = 1 / (1 + _lambda(to_eye, alpha) + _lambda(lit, alpha))
    mirrored = fresnel * distribution(half[..., 2:], alpha) * shadowing / (4 * to_eye)
    diffuse = (1 - optics.metallic) * lit / math.pi
    return diffuse * above, mirrored * above


def draw(towards: torch.Tensor, alpha: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """(..., 3) light directions mirrored at a visible normal; some lie below the horizon. uniform: (..., 2)."""
    stretched = torch.cat([towards[..., :2] * alpha, towards[..., 2:].clamp(min=1e-4)], -1)
    stretched = stretched / stretched.norm(dim=-1, keepdim=True)
    length = (stretched[..., 0] ** 2 + stretched[..., 1] ** 2).clamp(min=1e-14).sqrt()
    zero = torch.zeros_like(length)
    first = torch.stack([-stretched[..., 1] / length, stretched[..., 0] / length, zero], -1)
    along_x = torch.zeros_like(first)
    along_x[..., 0] = 1
    first = torch.where(length[..., None] < 1e-6, along_x, first)
    second = torch.linalg.cross(stretched, first)
    radius, angle = uniform[..., 0].sqrt(), 2 * math.pi * uniform[..., 1]
    a, b = radius * torch.cos(angle), radius * torch.sin(angle)
    tilt = 0.5 * (1 + stretched[..., 2])
    b = (1 - tilt) * (1 - a**2).clamp(min=0).sqrt() + tilt * b
    c = (1 - a**2 - b**2).clamp(min=0).sqrt()
    normal = a[..., None] * first + b[..., None] * second + c[..., None] * stretched
    half = torch.cat([normal[..., :2] * alpha, normal[..., 2:].clamp(min=1e-6)], -1)
    half = half / half.norm(dim=-1, keepdim=True)
    return 2 * _dot(towards, half) * half - towards


def density(towards: torch.Tensor, light: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """(..., 1) per steradian of `draw`."""
    half = towards + light
    half = half / half.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    to_eye = towards[..., 2:].clamp(min=1e-4)
    found = distribution(half[..., 2:], alpha) / (4 * to_eye * (1 + _lambda(to_eye, alpha)))
    return torch.where(half[..., 2:] > 0, found, torch.zeros_like(found))


def cosine_draw(uniform: torch.Tensor) -> torch.Tensor:
    """(..., 3) directions with density cosine / pi."""
    radius, angle = uniform[..., 0].sqrt(), 2 * math.pi * uniform[..., 1]
    z = (1 - uniform[..., 0]).clamp(min=0).sqrt()
    return torch.stack([radius * torch.cos(angle), radius * torch.sin(angle), z], -1)
