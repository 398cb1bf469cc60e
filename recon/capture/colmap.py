"""COLMAP models, text or binary, with their images and masks beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.errors import InputError
from recon.capture.poses import rigid
from recon.capture.source import Shot, Source, find_mask, image_size, inside, of_stored, pinhole

PLACES = ("", "sparse/0", "sparse", "colmap/sparse/0", "colmap/sparse", "dense/sparse")

# where in a camera's parameters OpenCV's coefficients stand (COLMAP, src/colmap/sensor/models.h)
_DISTORTION = {
    "SIMPLE_PINHOLE": (),
    "PINHOLE": (),
    "SIMPLE_RADIAL": (3,),
    "RADIAL": (3, 4),
    "OPENCV": (4, 5, 6, 7),
    "FULL_OPENCV": (4, 5, 6, 7, 8, 9, 10, 11),
    "OPENCV_FISHEYE": (4, 5, 6, 7),
}


def recognise(path: Path) -> Path | None:
    """The folder that holds cameras, images and points of a model."""
    if not path.is_dir():
        return None
    for place in PLACES:
        for suffix in (".bin", ".txt"):
            if all((path / place / f"{name}{suffix}").is_file() for name in ("cameras", "images")):
                return path / place
    return None


def read(folder: Path) -> Source:
    try:
        import pycolmap
    except ImportError as error:
        raise InputError("pycolmap is not installed", "pycolmap for COLMAP models", "pip install pycolmap") from error
    _refuse_cut(folder / "points3D.bin", _after_point)
    _refuse_cut(folder / "images.bin", _after_image)
    try:
        model = pycolmap.Reconstruction(str(folder))
        names = [i.name for i in model.images.values()]  # decoded here
        assert all(names), "an image without a name"
    except (ValueError, RuntimeError, IndexError, MemoryError, AssertionError) as error:
        raise InputError(
            f"{folder} is no COLMAP model ({error})", "cameras, images, points3D", "write it again"
        ) from error
    root = _root(folder)
    images = sorted((i for i in model.images.values() if i.has_pose), key=lambda i: i.name)
    if not images:
        raise InputError(f"{folder} has no image with a pose", "a model with registered images", "run the mapper again")
    lost = [i.name for i in model.images.values() if not i.has_pose]
    notes = (f"{len(lost)} images have no pose in the COLMAP model: {', '.join(sorted(lost)[:5])}",) if lost else ()
    shots = tuple(_shot(root, image) for image in images)
    return Source("colmap", folder, shots, False, "unknown: COLMAP models have no unit", notes=notes)


def _refuse_cut(path: Path, after: Callable[[bytes, int], int]) -> None:
    """InputError unless the records fill their file: pycolmap allocates what a cut or empty one seems to ask for.
    after: where the record that begins at a byte ends (COLMAP, src/colmap/scene/reconstruction_io.cc)."""
    if not path.is_file():
        return
    data = path.read_bytes()
    at, whole = 8, len(data) >= 8
    for _ in range(int.from_bytes(data[:8], "little") if whole else 0):
        at = after(data, at)
        if at > len(data):
            break
    if not whole or at != len(data):
        raise InputError(f"{path} is cut or damaged", "all that it counts", "copy it or write the model again")


def _after_point(data: bytes, at: int) -> int:
    """An id, three coordinates, a colour, an error (43 bytes), and a track's length and elements of 8 bytes each."""
    return at + 51 + 8 * int.from_bytes(data[at + 43 : at + 51], "little")


def _after_image(data: bytes, at: int) -> int:
    """An id, a pose and a camera (64 bytes), a name that ends with 0, and points with their count, 24 bytes each."""
    end = data.find(b"\0", at + 64)
    if end < 0:
        return len(data) + 1
    return end + 9 + 24 * int.from_bytes(data[end + 1 : end + 9], "little")


def _root(folder: Path) -> Path:
    for root in (folder, *list(folder.parents)[:3]):
        if (root / "images").is_dir():
            return root
    raise InputError(f"{folder} has no folder 'images' near it", "images/ beside sparse/", "copy the images there")


def _shot(root: Path, image: Any) -> Shot:
    camera = image.camera
    name = camera.model.name
    if name not in _DISTORTION:
        raise InputError(
            f"camera {camera.camera_id} has the model {name}",
            f"one of {', '.join(_DISTORTION)}",
            "undistort the model with `colmap image_undistorter`",
        )
    if not (camera.width > 0 and camera.height > 0):
        given = f"camera {camera.camera_id} of {image.name} has images of {camera.width}x{camera.height} pixels"
        raise InputError(given, "the size of the images", "correct it in cameras.txt or write the model again")
    path = inside(root / "images", image.name, f"image {image.image_id}")
    size = image_size(path)
    k = pinhole(camera.focal_length_x, camera.focal_length_y, camera.principal_point_x, camera.principal_point_y)
    k = of_stored(k, (camera.height, camera.width), size, image.name, f"camera {camera.camera_id}")
    values = tuple(float(camera.params[i]) for i in _DISTORTION[name])
    distortion = (*values, *(0.0,) * (4 - len(values))) if any(values) else ()
    pose = image.cam_from_world()
    return Shot(
        str(Path(image.name).with_suffix("")),
        path,
        find_mask(path, root),
        k,
        size,
        rigid(pose.rotation.matrix(), pose.translation),
        distortion,
        name.endswith("FISHEYE"),
    )
