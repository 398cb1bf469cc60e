"""Pictures of a reconstruction beside the photographs it was made from, and how far they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch

from core.colour import srgb_from_linear
from recon.bake import Maps
from recon.capture.model import Capture, View
from recon.raster.protocol import Fragments, Topology
from recon.raster.warp_backend import WarpRasterizer
from recon.relit import gain
from recon.result import Reconstruction
from recon.shading import vertex_normals
from recon.sights import linear_in_albedo
from recon.tangents import Fans, bent, smooth_normals, tangents

FINE = 2
"""Samples per pixel and axis."""
TIMES = 4
"""Factor on the differences that are shown."""
SHOWN_PX = 256


@dataclass(frozen=True, eq=False)
class Strip:
    """One view, sRGB (h, w, 3) float32 before black.

    photo: the part alone. render: the fit's own picture, with its maps; of a normal map what soft light makes of it.
    plain: with its vertices' albedo instead. normals: the normal map's where there is one; camera frame,
    x right, y up, z to the camera, -1 at 0 and 1 at 1. albedo: of the maps. confidence, mask, alpha: (h, w); mask of
    the photograph, alpha of the mesh.
    """

    name: str
    held_out: bool
    photo: np.ndarray
    render: np.ndarray
    plain: np.ndarray
    normals: np.ndarray
    albedo: np.ndarray
    confidence: np.ndarray
    mask: np.ndarray
    alpha: np.ndarray

    @property
    def difference(self) -> np.ndarray:
        """Absolute, not enlarged."""
        return np.abs(self.render - self.photo)

    @property
    def psnr_db(self) -> float:
        """Over the photograph's mask, sRGB."""
        return psnr_db(self.render, self.photo, self.mask)


def psnr_db(first: np.ndarray, second: np.ndarray, mask: np.ndarray) -> float:
    """Of two sRGB pictures (h, w, 3) over the pixels that are more than half part."""
    squared = ((first - second) ** 2)[mask > 0.5]
    return float(-10 * np.log10(max(float(squared.mean()), 1e-12))) if squared.size else float("nan")


def chosen_views(capture: Capture, most: int = 8) -> list[int]:
    """Numbers of views spread evenly over the capture, a quarter of them held out where there are any."""
    held = [i for i, v in enumerate(capture.views) if v.held_out]
    shown = [i for i, v in enumerate(capture.views) if not v.held_out]
    apart = min(len(held), max(1, most // 4)) if held else 0
    return sorted(_spread(held, apart) + _spread(shown, min(most - apart, len(shown))))


def _spread(numbers: Sequence[int], count: int) -> list[int]:
    return [numbers[int((k + 0.5) * len(numbers) / count)] for k in range(count)]


@torch.no_grad()
def strip(capture: Capture, found: Reconstruction, maps: Maps, number: int) -> Strip:
    """The pictures of one view at its photograph's size."""
    view, shading = capture.views[number], found.shadings[number]
    layers = _layers(found, maps, view, found.camera_from_part[number], number)
    alpha, albedo = layers["alpha"], layers["albedo"]
    pictures = [
        srgb_from_linear(_pooled(shading.exposure * (colour * layers["factor"] + layers["rest"]) * alpha))
        for colour in (albedo, layers["fitted"])
    ]
    normals = layers["normals"] * [1.0, -1.0, -1.0]
    normals = normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    return Strip(
        name=view.name,
        held_out=view.held_out,
        photo=srgb_from_linear(view.image * view.mask[..., None]),
        render=pictures[0],
        plain=pictures[1],
        normals=_pooled((normals + 1) / 2 * alpha).astype(np.float32),
        albedo=srgb_from_linear(_pooled(albedo * alpha)),
        confidence=_pooled(layers["confidence"] * alpha)[..., 0].astype(np.float32),
        mask=view.mask,
        alpha=_pooled(alpha)[..., 0].astype(np.float32),
    )


def _layers(found: Reconstruction, maps: Maps, view: View, pose: np.ndarray, number: int) -> dict[str, np.ndarray]:
    """Pictures (FINE h, FINE w, k) of what the mesh carries, by name."""
    rasterizer, topology = WarpRasterizer(), Topology.of(found.faces, len(found.vertices))
    pixels = np.diag([FINE, FINE, 1.0]) @ view.intrinsics @ pose[:3]
    positions = torch.tensor(found.vertices @ pixels[:, :3].T + pixels[:, 3], dtype=torch.float32)
    seen = rasterizer.rasterize(positions, topology, (FINE * view.size[0], FINE * view.size[1]))
    points, faces = torch.tensor(found.vertices, dtype=torch.float32), torch.as_tensor(found.faces).long()
    factor, rest = linear_in_albedo(found, found.shadings[number])
    columns: dict[str, Any] = {
        "alpha": np.ones((len(points), 1)),
        "fitted": found.albedo,
        "factor": factor,
        "rest": rest,
        "normals": vertex_normals(points, faces).numpy() @ pose[:3, :3].T,
    }
    values = torch.tensor(np.column_stack(list(columns.values())), dtype=torch.float32)
    flat = rasterizer.interpolate(values, topology.faces, seen).numpy()
    out, at = {}, 0
    for name, column in columns.items():
        out[name] = flat[..., at : at + column.shape[1]]
        at += column.shape[1]
    uv = torch.tensor(maps.atlas.uv.reshape(-1, 2), dtype=torch.float32)
    own = torch.arange(len(uv), dtype=torch.int32).reshape(-1, 3)
    image = torch.tensor(np.dstack([maps.albedo, maps.confidence]))
    looked = rasterizer.texture(image, rasterizer.interpolate(uv, own, seen)).numpy()
    out |= {"albedo": looked[..., :3] * out["alpha"], "confidence": looked[..., 3:] * out["alpha"]}
    if maps.normal is not None:
        smooth, turned, metallic = _bent(found, maps, seen)
        room = [n @ view.room_from_part.T for n in (smooth, turned)]
        out["factor"] = out["factor"] * (1 + (1 - metallic) * (gain(found.environment, *room) - 1))
        out["normals"] = turned @ pose[:3, :3].T * out["alpha"]
    return out


def _bent(found: Reconstruction, maps: Maps, seen: Fragments) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Smooth normals (h, w, 3) in the part's frame, those of the normal map, and its metallic (h, w, 1)."""
    fans, points = Fans.of(found.faces, maps.atlas.uv), torch.tensor(found.vertices, dtype=torch.float32)
    normals, rasterizer = smooth_normals(points, fans.faces), WarpRasterizer()
    smooth = rasterizer.interpolate(normals, fans.faces.int(), seen)
    along = rasterizer.interpolate(torch.cat([fans.uv, tangents(fans, points, normals)], 1), fans.fan, seen)
    assert maps.normal is not None
    image = torch.tensor(np.dstack([maps.normal, maps.metallic]))
    looked = rasterizer.texture(image, along[..., :2]).reshape(-1, 4)
    side = fans.side[seen.face.long().clamp(min=0)].reshape(-1, 1)
    relief = looked[:, :2] / looked[:, 2:3].clamp(min=1e-3)
    turned = bent(smooth.reshape(-1, 3), along[..., 2:].reshape(-1, 3), side, relief).reshape(smooth.shape)
    metallic = looked[:, 3:].reshape(*smooth.shape[:2], 1)
    return torch.nn.functional.normalize(smooth, dim=2).numpy(), turned.numpy(), metallic.numpy()


def _pooled(image: np.ndarray) -> np.ndarray:
    h, w, k = image.shape
    return image.reshape(h // FINE, FINE, w // FINE, FINE, k).mean((1, 3))


def texture_measures(capture: Capture, found: Reconstruction, maps: Maps) -> dict[str, float]:
    """What the maps are worth: mean PSNR in sRGB over the masks, of the fit with its maps and with its vertices'
    colours, over the views that it never saw and over as many (or 4) that it did. Decibels; an empty set is left out.
    """
    held = [i for i, v in enumerate(capture.views) if v.held_out]
    shown = [i for i, v in enumerate(capture.views) if not v.held_out]
    shown = _spread(shown, min(len(shown), max(4, len(held))))
    out: dict[str, float] = {}
    for what, numbers in (("training", shown), ("held_out", held)):
        strips = [strip(capture, found, maps, i) for i in numbers]
        if strips:
            out[f"{what}_maps_db"] = float(np.mean([s.psnr_db for s in strips]))
            out[f"{what}_vertices_db"] = float(np.mean([psnr_db(s.plain, s.photo, s.mask) for s in strips]))
    return out


def panel(one: Strip, side: int = SHOWN_PX) -> list[tuple[str, np.ndarray]]:
    """What the report shows of a view: (name, (h, w, 3) uint8), cut to the part and at most `side` pixels."""
    grey = np.repeat(one.confidence[..., None], 3, axis=2)
    pictures = [
        ("photograph", one.photo),
        ("re-render", one.render),
        (f"difference x {TIMES}", np.clip(one.difference * TIMES, 0, 1)),
        ("normals", one.normals),
        ("albedo", one.albedo),
        ("confidence", grey),
    ]
    return [(name, shown(image, one, side)) for name, image in pictures]


def shown(image: np.ndarray, one: Strip, side: int = SHOWN_PX) -> np.ndarray:
    """A picture (h, w, 3) of the strip's view as uint8, cut to a square about the part, at most `side` px."""
    return _fitted(image[_box(np.maximum(one.mask, one.alpha) > 0.5)], side)


def _box(mask: np.ndarray, margin: float = 0.04) -> tuple[slice, slice]:
    """A square about the part; the whole picture where there is none."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return slice(None), slice(None)
    half = int(max(np.ptp(rows), np.ptp(columns)) / 2 * (1 + 2 * margin)) + 2
    out = []
    for found, length in ((rows, mask.shape[0]), (columns, mask.shape[1])):
        middle = (int(found[0]) + int(found[-1]) + 1) // 2
        out.append(slice(max(0, middle - half), min(length, middle + half)))
    return out[0], out[1]


def _fitted(image: np.ndarray, side: int) -> np.ndarray:
    scale = min(1.0, side / max(image.shape[:2]))
    eight = (np.clip(image, 0, 1) * 255).round().astype(np.uint8)
    if scale == 1.0:
        return eight
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(eight, size, interpolation=cv2.INTER_AREA))
