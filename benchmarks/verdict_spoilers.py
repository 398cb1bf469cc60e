"""What goes wrong with captures on a shop floor, each as one pure function on the files of a good one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np


@dataclass(frozen=True, eq=False)
class Files:
    """A capture as it lies on the disk. transforms: transforms.json. images, masks: 8 bit, one a frame, in its order;
    masks None where the capture comes without."""

    transforms: dict[str, Any]
    images: tuple[np.ndarray, ...]
    masks: tuple[np.ndarray, ...] | None

    @property
    def poses(self) -> np.ndarray:
        """(n, 4, 4) camera-to-part, OpenGL axes."""
        return np.array([f["transform_matrix"] for f in self.transforms["frames"]])

    def posed(self, poses: np.ndarray) -> Files:
        frames = [f | {"transform_matrix": p.tolist()} for f, p in zip(self.transforms["frames"], poses, strict=True)]
        return replace(self, transforms=self.transforms | {"frames": frames})

    def masked(self, spoil: Callable[[np.ndarray], np.ndarray]) -> Files:
        assert self.masks is not None
        return replace(self, masks=tuple(spoil(m) for m in self.masks))

    def kept(self, numbers: Sequence[int]) -> Files:
        frames = [self.transforms["frames"][i] for i in numbers]
        masks = None if self.masks is None else tuple(self.masks[i] for i in numbers)
        return Files(self.transforms | {"frames": frames}, tuple(self.images[i] for i in numbers), masks)


def read_files(folder: Path) -> Files:
    transforms = json.loads((folder / "transforms.json").read_text(encoding="utf-8"))
    frames = transforms["frames"]
    images = tuple(_read(folder / f["file_path"], cv2.IMREAD_COLOR) for f in frames)
    return Files(transforms, images, tuple(_read(folder / f["mask_path"], cv2.IMREAD_GRAYSCALE) for f in frames))


def _read(path: Path, how: int) -> np.ndarray:
    found = cv2.imread(str(path), how)
    if found is None:
        raise FileNotFoundError(path)
    return found


def write_files(files: Files, folder: Path) -> Path:
    """A new folder, which replaces one that is there."""
    shutil.rmtree(folder, ignore_errors=True)
    frames = []
    for number, frame in enumerate(files.transforms["frames"]):
        frames.append({k: v for k, v in frame.items() if files.masks is not None or k != "mask_path"})
        stack = [(frame["file_path"], files.images[number])]
        stack += [] if files.masks is None else [(frame["mask_path"], files.masks[number])]
        for name, picture in stack:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), picture)
    text = json.dumps(files.transforms | {"frames": frames})
    (folder / "transforms.json").write_text(text, encoding="utf-8")
    return folder


def eroded(files: Files, px: int = 5) -> Files:
    """A threshold set too high, or a matting tool that clears its rim: every mask loses the part's border."""
    return files.masked(lambda m: cv2.erode(m, _disc(px)))


def dilated(files: Files, px: int = 5) -> Files:
    """A threshold set too low, or halo and reflex light taken for the part."""
    return files.masked(lambda m: cv2.dilate(m, _disc(px)))


def shifted(files: Files, px: tuple[int, int] = (4, -6)) -> Files:
    """Masks drawn on a cropped or differently rectified copy of the photographs. px: (x, y)."""
    return files.masked(lambda m: np.roll(m, px, (1, 0)))


def of_other_frames(files: Files) -> Files:
    """File numbers slipped by one: each photograph has the mask of the next. Their hull is as good as ever, only turned
    by one step of the table."""
    assert files.masks is not None
    sessions = _rings(files)
    masks = list(files.masks)
    for ring in sessions:
        for here, there in zip(ring, np.roll(ring, -1), strict=True):
            masks[here] = files.masks[there]
    return replace(files, masks=tuple(masks))


def _rings(files: Files) -> list[list[int]]:
    """Frames of one camera height over the table."""
    (session, *_) = files.transforms.get("flawsmith", {}).get("sessions") or [{}]
    height = np.round(files.poses[:, :3, 3] @ np.array(session.get("axis", [0.0, 0.0, 1.0])), 4)
    return [list(np.flatnonzero(height == h)) for h in np.unique(height)]


def noisy_poses(files: Files, rng: np.random.Generator, deg: float = 2.0) -> Files:
    """Poses from few or blurred markers: each turned at random about the part's middle, `deg` rms on every axis."""
    poses = files.poses
    middle = _middle(poses)
    return files.posed(np.stack([_about(middle, rng.normal(0, np.deg2rad(deg), 3)) @ p for p in poses]))


def half_ring(files: Files) -> Files:
    """The part stands before a wall, or the table stalled: nobody saw its back."""
    return files.kept([i for ring in _rings(files) for i in ring[: len(ring) // 2]])


def lamp_moved(files: Files, other: Files, when: float = 0.5) -> Files:
    """Someone reached for the lamp, or the lamp was in the way when the camera was raised: from the share `when` of the
    photographs on, the part stands under `other`'s light."""
    first = round(when * len(files.images))
    return replace(files, images=(*files.images[:first], *other.images[first:]))


def blurred(files: Files, sigma_px: float = 2.5) -> Files:
    """Out of focus: a wide aperture, or the lens touched after it was set. Masks come from elsewhere and are sharp."""
    return replace(files, images=tuple(cv2.GaussianBlur(i, (0, 0), sigma_px) for i in files.images))


def wrong_convention(files: Files) -> Files:
    """Poses of OpenCV cameras written into a file that is read as OpenGL."""
    return files.posed(files.poses @ np.diag([1.0, -1, -1, 1]))


def part_moved(files: Files, turn_deg: float = 5.0, slip: float = 0.02) -> Files:
    """The part was knocked half way through: turned and slid by `slip` of the cameras' mean distance / 5."""
    poses = files.poses
    middle = _middle(poses)
    knock = _about(middle, np.deg2rad([0, 0, turn_deg]))
    knock[:2, 3] += slip * np.linalg.norm(poses[:, :3, 3] - middle, axis=1).mean() / 5
    late = np.arange(len(poses)) >= len(poses) // 2
    return files.posed(np.stack([knock @ p if moved else p for p, moved in zip(poses, late, strict=True)]))


def empty_plate(files: Files, rng: np.random.Generator) -> Files:
    """The part was never put on the table, and the cell went on: no masks, the backdrop where the part had been."""
    return replace(bare_plate(files, rng), masks=None)


def bare_plate(files: Files, rng: np.random.Generator) -> Files:
    """The part was never put on the table, and masks of an earlier capture lie beside the photographs."""
    assert files.masks is not None
    images = []
    for image, mask in zip(files.images, files.masks, strict=True):
        hole = cv2.dilate((mask > 0).astype(np.uint8), _disc(4))
        bare = cv2.inpaint(image, hole, 3, cv2.INPAINT_TELEA).astype(float)
        images.append(np.clip(bare + hole[..., None] * rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8))
    return replace(files, images=tuple(images))


def _middle(poses: np.ndarray) -> np.ndarray:
    """(3,) nearest to all lines of sight."""
    eyes, ways = poses[:, :3, 3], -poses[:, :3, 2]
    across = np.eye(3) - ways[:, :, None] * ways[:, None, :]
    return np.linalg.lstsq(across.sum(0), np.einsum("nij,nj->i", across, eyes), rcond=None)[0]


def _about(point: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """(4, 4) rotation about `point` by a vector of axis and angle."""
    pose = np.eye(4)
    pose[:3, :3] = cv2.Rodrigues(np.asarray(vector, float))[0]
    pose[:3, 3] = point - pose[:3, :3] @ point
    return pose


def _disc(px: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * px + 1, 2 * px + 1))
