"""A fit put down between two stages and taken up again: the rest gives the same mesh as if nothing had happened."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch

from core.errors import InputError
from core.files import atomic_path, canonical_json, sha256_bytes
from recon.capture.model import Capture
from recon.descent import Tally
from recon.fit.optimise import Fit
from recon.fit.settings import Settings
from recon.fit.unknowns import Unknowns

FORMAT = 3
RAW = ("albedo_raw", "roughness_raw", "metallic_raw", "radiance_raw", "gains_raw", "nearness_raw")


def key_of(capture: Capture, settings: Settings, seed: int, start: np.ndarray, light: np.ndarray | None = None) -> str:
    """What a checkpoint belongs to: photographs as they are fitted, every setting but the time limit, the seed, the
    vertices that the fit began with, and a light that is known."""
    views = [[v.name, v.held_out, float(v.mask.sum()), float(v.image.sum())] for v in capture.views]
    stood = [np.concatenate([v.intrinsics.ravel(), v.room_from_part.ravel()]) for v in capture.views]
    timeless = asdict(replace(settings, minutes=None))
    what = [
        FORMAT,
        capture.sha256,
        capture.light,
        views,
        sha256_bytes(np.stack(stood).tobytes()),
        timeless,
        seed,
        sha256_bytes(start.tobytes()),
        torch.__version__,
    ]
    if light is not None:
        what.append(sha256_bytes(light.tobytes()))
    return sha256_bytes(canonical_json(what).encode())


def save(path: Path, fit: Fit, done: int, key: str, capture: Capture) -> None:
    """done: stages behind it. capture: with the poses of that moment. The file is whole or absent."""
    tensors = {name: getattr(fit.unknowns, name).detach().cpu().numpy() for name in RAW}
    facts = {
        "key": key,
        "done": done,
        "steps": fit.tally.steps,
        "skipped": fit.tally.skipped,
        "began_again": fit.began_again,
        "mean_albedo": fit.unknowns.mean_albedo,
        "history": fit.history,
    }
    poses = np.stack([v.camera_from_part for v in capture.views])
    with atomic_path(path) as part:
        np.savez(
            part, vertices=fit.vertices.cpu().numpy(), faces=fit.faces, poses=poses, facts=json.dumps(facts), **tensors
        )


def load(path: Path, key: str, device: str = "cpu") -> tuple[Fit, int, np.ndarray] | None:
    """The fit, how many of its stages are done, and the poses (views, 4, 4). None where there is no file, or it belongs
    to another fit.

    InputError when the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            facts = json.loads(str(stored["facts"]))
            if facts["key"] != key:
                return None
            raw = {name: torch.as_tensor(stored[name], device=device).requires_grad_() for name in RAW}
            unknowns = Unknowns(**raw, mean_albedo=float(facts["mean_albedo"]))
            vertices = torch.as_tensor(stored["vertices"], device=device)
            faces = np.asarray(stored["faces"], np.int32)
            fit = Fit(
                vertices, faces, unknowns, list(facts["history"]),
                Tally(int(facts["steps"]), int(facts["skipped"])), bool(facts["began_again"]),
            )  # fmt: skip
            return fit, int(facts["done"]), np.asarray(stored["poses"], float)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InputError(
            f"{path} is no whole checkpoint ({error})", "one that a fit wrote", "delete it to begin anew"
        ) from error
