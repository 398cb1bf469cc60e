"""One row of `recon_accuracy.py`: one capture reconstructed one way, in a process of its own, and judged."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from peak import peak_mb

from core.camera import Camera, as_matrix
from core.seeds import child
from recon.by_rays import Drawn
from recon.capture import load
from recon.capture.model import Capture, View
from recon.metrics import compare_shapes, decibel, pooled_psnr, squared_error
from recon.nearest import Surface

METHODS = ("hull", "ours", "no_shadows", "fixed_light")
EDGE = 0.5


@dataclass(frozen=True, eq=False)
class Found:
    """A method's answer. pictures: (n, 3) linear colour of every vertex in each view of the capture."""

    vertices: np.ndarray
    faces: np.ndarray
    albedo: np.ndarray
    roughness: np.ndarray
    metallic: np.ndarray
    colours: list[np.ndarray]
    seconds: float
    memory_mb: float


def main() -> None:
    ask = json.loads(sys.argv[1])
    capture = load(Path(ask["capture"]), max_side=ask["size"])
    found = METHOD[ask["method"]](capture, ask)
    row: dict[str, Any] = {"seconds": found.seconds, "memory_mb": found.memory_mb, "vertices": len(found.vertices)}
    row |= held_out(capture, found)
    truth = Path(ask["capture"]) / "truth"
    if truth.is_dir():
        row |= shape(capture, found, truth, ask["seed"])
        row |= albedo(capture, found, truth)
        if ask["environments"]:
            row |= relit(found, ask)
    Path(ask["out"]).write_text(json.dumps(row, indent=1), encoding="utf-8")


def hull_colours(capture: Capture, ask: dict[str, Any]) -> Found:
    """The baseline: the visual hull, every vertex in the mean colour of the training photographs that see it."""
    from recon.fit import preset
    from recon.hull import visual_hull

    start = time.monotonic()
    vertices, faces = visual_hull(capture, preset(ask["preset"]).hull_resolution)
    colour = mean_colour(capture.training, vertices, faces)
    spent, memory = time.monotonic() - start, peak_mb()
    n = len(vertices)
    return Found(vertices, faces, colour, np.ones(n), np.zeros(n), [colour] * len(capture.views), spent, memory)


def fitted(capture: Capture, ask: dict[str, Any]) -> Found:
    from recon.fit import preset
    from recon.solve import solve

    changes = {"no_shadows": {"shadows": False}, "fixed_light": {"turning_light": False}}.get(ask["method"], {})
    settings = replace(preset(ask["preset"]), **changes).with_minutes(ask["minutes"])
    start = time.monotonic()
    result = solve(capture, settings, seed=ask["seed"], device=ask.get("device", "cpu"))
    spent, memory = time.monotonic() - start, peak_mb()
    colours = [s.exposure * (result.albedo * s.diffuse + s.specular) for s in result.shadings]
    n = len(result.vertices)
    return Found(
        result.vertices, result.faces, result.albedo, np.broadcast_to(result.roughness, n),
        np.broadcast_to(result.metallic, n), colours, spent, memory,
    )  # fmt: skip


METHOD = {"hull": hull_colours, "ours": fitted, "no_shadows": fitted, "fixed_light": fitted}


def mean_colour(views: tuple[View, ...], vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(n, 3) linear, by the cosine; a vertex that no view sees takes its nearest seen neighbour's."""
    from scipy.spatial import KDTree

    from flawsmith.relight import vertex_normals

    surface, normals = Surface(vertices, faces), vertex_normals(vertices, faces)
    total, weight = np.zeros((len(vertices), 3)), np.zeros(len(vertices))
    start = vertices + 2e-3 * surface.diagonal * normals
    for view in views:
        way = view.centre - vertices
        cosine = (way * normals).sum(1) / np.linalg.norm(way, axis=1)
        asked = np.flatnonzero(cosine > 0.2)
        asked = asked[surface.free(start[asked], np.broadcast_to(view.centre, (len(asked), 3)))]
        pixels = view.project(vertices[asked])[0]
        at = np.clip(np.floor(pixels).astype(int), 0, np.array(view.size[::-1]) - 1)
        total[asked] += view.image[at[:, 1], at[:, 0]] * cosine[asked, None]
        weight[asked] += cosine[asked]
    seen = weight > 0
    colour = total / np.maximum(weight, 1e-12)[:, None]
    near = KDTree(vertices[seen]).query(vertices)[1]
    return np.where(seen[:, None], colour, colour[seen][near])


def held_out(capture: Capture, found: Found) -> dict[str, float]:
    """Decibels over the part's pixels and over the whole picture, both with a black background."""
    drawn = Drawn(found.vertices, found.faces)
    part, whole = [], []
    for number, view in enumerate(capture.views):
        if not view.held_out:
            continue
        image = drawn.coloured(view, found.colours[number])
        part.append(squared_error(image, view.image, view.mask > EDGE))
        whole.append(squared_error(image, view.image * view.mask[..., None]))
    means = [float(np.mean([decibel(s) for s in squared])) for squared in (part, whole)]
    return {"psnr": means[0], "whole_psnr": means[1]}


def shape(capture: Capture, found: Found, truth: Path, seed: int) -> dict[str, float]:
    mesh: Any = trimesh.load(truth / "part.ply", process=False)
    true, ours = (np.array(mesh.vertices), np.array(mesh.faces)), (found.vertices, found.faces)
    every = compare_shapes(ours, true, child(seed, "all"))
    seen = compare_shapes(ours, true, child(seed, "seen"), capture.training)
    row = {f"all_{k}": v for k, v in asdict(every).items()}
    return row | {f"seen_{k}": v for k, v in asdict(seen).items()}


def albedo(capture: Capture, found: Found, truth: Path) -> dict[str, float]:
    """Against the bulk colour of the finish; nothing where the part has its own images."""
    material = json.loads((truth / "truth.json").read_text(encoding="utf-8"))["material"]
    if material["captured"]:
        return {}
    drawn = Drawn(found.vertices, found.faces)
    views = [v for v in capture.views if v.held_out]
    pictures = [drawn.coloured(v, found.albedo) for v in views]
    masks = [(v.mask > 0.99) & (p.sum(-1) > 0) for v, p in zip(views, pictures, strict=True)]
    true = [np.broadcast_to(np.array(material["surface"]["albedo"]), p.shape) for p in pictures]
    return {
        "albedo_psnr": pooled_psnr(pictures, true, masks),
        "albedo_scaled_psnr": pooled_psnr(pictures, true, masks, scaled=True),
    }


def relit(found: Found, ask: dict[str, Any]) -> dict[str, float]:
    """Decibels under light that the capture never had, Cycles against Cycles, mean over the environments."""
    from flawsmith.relight import coloured, photographs, surrounding
    from render.client import Renderer

    truth = json.loads((Path(ask["capture"]) / "truth" / "truth.json").read_text(encoding="utf-8"))
    focal = json.loads((Path(ask["capture"]) / "transforms.json").read_text(encoding="utf-8"))
    cameras, poses = relit_views(truth, focal)
    subject = coloured(found.vertices, found.faces, found.albedo, found.roughness, found.metallic)
    raw, scaled = [], []
    with Renderer("cpu") as renderer:
        for environment, known in zip(ask["environments"], ask["relit"], strict=True):
            true = np.load(known)
            taken = photographs(renderer, subject, cameras, poses, (surrounding(Path(environment)),), seed=1)
            gain = float(true["gain"])
            ours, real = [t.radiance * gain for t in taken], list(true["radiance"] * gain)
            raw.append(pooled_psnr(ours, real, list(true["part"])))
            scaled.append(pooled_psnr(ours, real, list(true["part"]), scaled=True))
    return {"relit_psnr": float(np.mean(raw)), "relit_scaled_psnr": float(np.mean(scaled))}


def relit_views(truth: dict, transforms: dict, every: int = 8) -> tuple[list[Camera], list[np.ndarray]]:
    """Cameras in the room and poses world_from_part of the views that are held out."""
    cameras, poses = [], []
    for frame in truth["frames"][every - 1 :: every]:
        width, height, focal = (transforms[k] for k in ("w", "h", "fl_x"))
        pose = as_matrix(np.array(frame["room_from_camera"]))
        size = {"width": width, "height": height, "pixels_per_unit": focal}
        cameras.append(Camera(projection="perspective", world_from_camera=pose, **size))
        turn = trimesh.transformations.rotation_matrix(np.radians(frame["table_deg"]), [0, 0, 1])
        poses.append(np.asarray(turn) @ np.array(truth["sessions"][0]["room_from_part"]))
    return cameras, poses


if __name__ == "__main__":
    main()
