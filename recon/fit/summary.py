"""From the optimiser's state to a Reconstruction: back in the part's frame, with what every view says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from recon.capture.model import Capture
from recon.fit.optimise import LIFT, Fit, bounces_of, estimate_of, lamps_of, shadow_tables
from recon.fit.picture import Estimate, lit, picture, srgb
from recon.fit.problem import Target, UnitFrame
from recon.fit.settings import Settings
from recon.light import equirectangular, upright
from recon.raster.protocol import Rasterizer, Topology
from recon.result import Reconstruction, Shading
from recon.shading import vertex_normals
from recon.visibility import Occluder
from recon.workers import each

SEEN_COSINE = float(np.cos(np.deg2rad(75)))


@torch.no_grad()
def settled(fit: Fit, topology: Topology, views: Sequence[Target], settings: Settings) -> Estimate:
    """The fit as it stands, with new shadow tables, lamps and bounces for all the views."""
    lift = LIFT * settings.stages[-1].cell
    tables = shadow_tables(fit.vertices, topology.faces, views, lift, settings.shadows)
    lamps = settings.key_lights if settings.shadows else 0
    keys = lamps_of(fit.vertices, topology.faces, views, fit.unknowns, lift, lamps)
    estimate = estimate_of(fit.vertices, topology.faces, fit.unknowns, tables, keys)
    if settings.bounces and settings.shadows:
        estimate = replace(estimate, bounced=bounces_of(estimate, topology.faces, views, lift))
    return estimate


@torch.no_grad()
def summary(
    fit: Fit,
    capture: Capture,
    views: Sequence[Target],
    frame: UnitFrame,
    settings: Settings,
    rasterizer: Rasterizer,
    facts: Mapping[str, Any],
) -> Reconstruction:
    """views: every target of the capture, held-out ones too; their gain is found by least squares, not fitted."""
    topology = fit.topology()
    estimate = settled(fit, topology, views, settings)
    seen = sees(fit, views, LIFT * settings.stages[-1].cell)
    training = np.array([not v.held_out for v in capture.views])

    @torch.no_grad()
    def told(target: Target) -> tuple[dict[str, Any], Shading, np.ndarray | None]:
        view = capture.views[target.number]
        image, _ = picture(estimate, target, topology, rasterizer)
        gain = fit.unknowns.gain(target.number)
        if view.held_out:
            gain = gain * best_gain(image, target)
            image = torch.cat([image[..., :3] * (gain / fit.unknowns.gain(target.number)), image[..., 3:]], -1)
        said = {"view": view.name, "held_out": view.held_out, **measures(image, target)}
        diffuse, specular = lit(estimate, target, slice(None))
        bounced = None if estimate.bounced is None else estimate.bounced[target.number].cpu().numpy()
        shading = Shading(diffuse.cpu().numpy(), specular.cpu().numpy(), gain.cpu().numpy(), bounced)
        return said, shading, None if view.held_out else _at_vertices(image, target, fit.vertices)

    error = np.zeros(len(fit.vertices))
    said, shadings, residuals = zip(*each(told, views), strict=True)
    for target, residual in zip(views, residuals, strict=True):
        if residual is not None:
            error += seen[target.number] * residual
    count = (seen & training[:, None]).sum(0)
    up = capture.room_up
    near = equirectangular(fit.unknowns.nearness.cpu().numpy()[:, None], upright(up)).astype(np.float32)
    held = [m["psnr_db"] for m in said if m["held_out"]]
    return Reconstruction(
        vertices=frame.part(fit.vertices.cpu().numpy().astype(np.float64)),
        faces=np.asarray(fit.faces, np.int32),
        albedo=fit.unknowns.albedo.cpu().numpy(),
        roughness=np.full(len(fit.vertices), float(fit.unknowns.roughness), np.float32),
        metallic=np.full(len(fit.vertices), float(fit.unknowns.metallic), np.float32),
        environment=equirectangular(fit.unknowns.radiance.cpu().numpy(), upright(up)).astype(np.float32),
        nearness=near[..., 0] / frame.radius,
        camera_from_part=np.stack([v.camera_from_part for v in capture.views]),
        shadings=list(shadings),
        views_seen=count,
        residual=np.where(count > 0, error / np.maximum(count, 1), np.nan),
        history=fit.history,
        facts={**facts, "views": list(said), "held_out_psnr_db": float(np.mean(held)) if held else None},
    )


@torch.no_grad()
def sees(fit: Fit, views: Sequence[Target], lift: float) -> np.ndarray:
    """(v, n) bool: which views see which vertices, at less than 75 degrees. lift: off the surface, bounding radii."""
    faces = fit.topology().faces
    eyes = np.stack([t.standing.eye.cpu().numpy() for t in views])
    normals = vertex_normals(fit.vertices, faces.long())
    seen = Occluder(fit.vertices, faces).seen_from(fit.vertices, normals, eyes, lift, SEEN_COSINE)
    return seen.cpu().numpy() > 0


def best_gain(image: torch.Tensor, target: Target) -> torch.Tensor:
    """One factor for all channels, so that the estimate is as bright as the photograph over the mask."""
    photograph = torch.where(
        target.photograph <= 0.04045, target.photograph / 12.92, ((target.photograph + 0.055) / 1.055) ** 2.4
    )
    inside = (target.mask > 0.5).float()
    estimate = image[..., :3] * inside
    return ((estimate * photograph).sum() / (estimate**2).sum().clamp(min=1e-12)).clamp(0.5, 2.0)


def measures(image: torch.Tensor, target: Target) -> dict[str, float]:
    """psnr_db: sRGB over the mask's pixels. whole_db: over the whole picture. iou: of alpha and mask."""
    squared = (srgb(image[..., :3]).clamp(0, 1) - target.photograph) ** 2
    inside = target.mask[..., 0] > 0.5
    alpha = image[..., 3] > 0.5
    both, either = float((alpha & inside).sum()), float((alpha | inside).sum())
    return {
        "psnr_db": -10 * float(torch.log10(squared[inside].mean().clamp(min=1e-12))),
        "whole_db": -10 * float(torch.log10(squared.mean().clamp(min=1e-12))),
        "iou": both / max(either, 1.0),
    }


def _at_vertices(image: torch.Tensor, target: Target, vertices: torch.Tensor) -> np.ndarray:
    """(n,) mean absolute sRGB error of the picture at each vertex' pixel."""
    error = (srgb(image[..., :3]).clamp(0, 1) - target.photograph).abs().mean(-1)
    position = target.project(vertices)
    size = torch.tensor(target.size[::-1], device=vertices.device)
    grid = position[:, :2] / position[:, 2:] / size * 2 - 1
    found = torch.nn.functional.grid_sample(error[None, None], grid[None, None], align_corners=False)
    return found[0, 0, 0].cpu().numpy()
