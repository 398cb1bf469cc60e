"""A cross-bilateral filter for pictures of few draws: each pixel a mean of near ones with like normal and depth.

Light is filtered without albedo, which is multiplied back afterwards, so texture stays sharp: what Hasselgren et al.,
Shape, Light, and Material Decomposition, 2022, call demodulated. The filter is linear in the light, and its weights
carry no gradient.
"""

from __future__ import annotations

import torch


def denoised(
    light: torch.Tensor,
    normals: torch.Tensor,
    depth: torch.Tensor,
    covered: torch.Tensor,
    sigma_px: float,
    normal_power: float = 64.0,
    depth_share: float = 0.02,
) -> torch.Tensor:
    """light (h, w, k), normals (h, w, 3) unit, depth (h, w), covered (h, w) bool -> (h, w, k), 0 where not covered.

    sigma_px: width of the filter; 0 gives the light back. normal_power: of the cosine between two normals. depth_share:
    relative difference of depth that weighs a neighbour down to 1 / e, beyond what its distance in pixels explains.
    """
    if sigma_px <= 0:
        return light * covered[..., None]
    reach = max(1, int(2.5 * sigma_px + 0.5))
    with torch.no_grad():
        slope = _slope(depth, covered)
    total = torch.zeros_like(light)
    weight = torch.zeros_like(depth)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            there = [_shifted(t, down, right) for t in (light, normals, depth[..., None], covered[..., None].float())]
            with torch.no_grad():
                near = torch.exp(torch.tensor(-(down**2 + right**2) / (2 * sigma_px**2)))
                like = (normals * there[1]).sum(-1).clamp(min=0) ** normal_power
                expected = slope * (abs(down) + abs(right)) + depth_share * depth + 1e-9
                step = torch.exp(-(depth - there[2][..., 0]).abs() / expected)
                share = near * like * step * there[3][..., 0] * covered
            total = total + share[..., None] * there[0]
            weight = weight + share
    return total / weight.clamp(min=1e-8)[..., None]


def _shifted(image: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """The image (h, w, k) moved so that a pixel holds its neighbour `down` rows below and `right` columns on; 0 where
    there is none."""
    h, w, _ = image.shape
    padded = torch.nn.functional.pad(image, (0, 0, abs(right), abs(right), abs(down), abs(down)))
    top, left = abs(down) + down, abs(right) + right
    return padded[top : top + h, left : left + w]


def _slope(depth: torch.Tensor, covered: torch.Tensor) -> torch.Tensor:
    """(h, w) least change of depth to a covered neighbour on either side, the greater of both axes."""
    found = []
    for down, right in ((1, 0), (0, 1)):
        sides = []
        for sign in (1, -1):
            there = _shifted(depth[..., None], sign * down, sign * right)[..., 0]
            known = _shifted(covered[..., None].float(), sign * down, sign * right)[..., 0] > 0
            sides.append(torch.where(known, (there - depth).abs(), torch.full_like(depth, torch.inf)))
        least = torch.minimum(*sides)
        found.append(torch.where(torch.isfinite(least), least, torch.zeros_like(least)))
    return torch.maximum(*found)
