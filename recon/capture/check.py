"""Captures that cannot be used, refused in one sentence before any work is spent on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.errors import InputError
from recon.capture.assemble import assemble
from recon.capture.conventions import CONTRADICT, MOST_VIEWS, fitting, hull_iou
from recon.capture.masks import FEWEST
from recon.capture.model import Capture, View
from recon.capture.pixels import read_pixels, same_pixels, thumbprint
from recon.capture.source import FARTHEST, FOCAL_OVER_SIDE, Shot, Source
from recon.capture.unfit import UnfitCapture

SMALL = 256
BLACK = 1e-3
"""Linear, of 1: sRGB's 3 of 255."""
WIDEST_M = 50.0
"""Between cameras and their middle: wider than any cell, and than millimetres about a part of 10 cm are as metres."""


def check_source(source: Source) -> Source:
    """The source without repeated photographs. InputError for too few views, impossible intrinsics or poses."""
    _few(len(source.shots), source)
    for shot in source.shots:
        _intrinsics(shot)
        _pose(shot)
    _handed(source)
    _metres(source)
    _names(source.shots)
    return _repeated(source)


def _few(count: int, source: Source) -> None:
    if count < FEWEST:
        raise InputError(
            f"{source.path} has {count} view{'s' * (count != 1)}",
            f"at least {FEWEST}, better 24 or more on two rings",
            "take more photographs, 10 to 15 degrees apart",
        )


def _intrinsics(shot: Shot) -> None:
    k = shot.intrinsics
    if not np.isfinite(k).all() or not np.isfinite(shot.distortion).all():
        raise InputError(f"{shot.name}: its intrinsics hold NaN or infinity", "finite numbers", "calibrate it again")
    height, width = shot.size
    low, high = (f * max(shot.size) for f in FOCAL_OVER_SIDE)
    if not (low < k[0, 0] < high and low < k[1, 1] < high):
        raise InputError(
            f"{shot.name}: focal length {k[0, 0]:.4g} x {k[1, 1]:.4g} px for an image of {width}x{height}",
            f"between {low:.0f} and {high:.0f} px",
            "give it in pixels of the stored image",
        )
    if not 0.5 < k[0, 0] / k[1, 1] < 2:
        raise InputError(
            f"{shot.name}: focal lengths {k[0, 0]:.4g} and {k[1, 1]:.4g} px",
            "pixels that are about square",
            "check width and height in the pose file",
        )
    if not (-0.5 * width < k[0, 2] < 1.5 * width and -0.5 * height < k[1, 2] < 1.5 * height):
        raise InputError(
            f"{shot.name}: principal point ({k[0, 2]:.4g}, {k[1, 2]:.4g}) px for an image of {width}x{height}",
            "a point in or near the image",
            "give it in pixels of the stored image",
        )


def _pose(shot: Shot) -> None:
    pose = shot.camera_from_part
    if not np.isfinite(pose).all():
        raise InputError(f"{shot.name}: its pose holds NaN or infinity", "a finite pose", "export the poses again")
    if np.abs(pose[:3, 3]).max() > FARTHEST:
        raise InputError(
            f"{shot.name}: its camera is {np.abs(pose[:3, 3]).max():.3g} units away", f"at most {FARTHEST:g}",
            "export the poses again, in metres",
        )  # fmt: skip
    rotation = pose[:3, :3]
    off = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
    if off > 1e-2:
        raise InputError(
            f"{shot.name}: the rotation of its pose is off by {off:.2g} from orthonormal",
            "a rotation without scale or shear",
            "export the poses again",
        )


def _metres(source: Source) -> None:
    """InputError for millimetres that are said to be metres: all sizes of defects would be a thousandth."""
    if not source.metric:
        return
    eyes = np.linalg.inv(np.array([s.camera_from_part for s in source.shots]))[:, :3, 3]
    apart = float(np.median(np.linalg.norm(eyes - np.median(eyes, axis=0), axis=1)))
    if apart > WIDEST_M:
        raise InputError(
            f"{source.path} says that its poses are metric, and cameras stand {apart:.3g} m from the middle of them",
            f"metres, at most {WIDEST_M:g}", "divide the positions by 1000 if they are millimetres",
        )  # fmt: skip


def _handed(source: Source) -> None:
    """InputError for left-handed poses. Where all are, the masks tell whether the cameras' axes are mirrored, or the
    world's: then it says what to negate."""
    left = [s for s in source.shots if np.linalg.det(s.camera_from_part[:3, :3]) < 0]
    if not left:
        return
    do = "export them again: some are right-handed and some are not"
    if len(left) == len(source.shots):
        chosen = left[:: -(-len(left) // MOST_VIEWS)]
        fit = fitting(assemble(replace(source, shots=tuple(chosen)), max_side=SMALL).views, source.kind)
        do = fit.advice if fit is not None and fit.iou > CONTRADICT else "export them again, in one convention"
    raise InputError(f"{left[0].name}: its pose is left-handed (determinant -1)", "right-handed poses", do)


def _names(shots: Sequence[Shot]) -> None:
    names = [s.name for s in shots]
    twice = sorted({n for n in names if names.count(n) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise InputError(f"{twice[0]} occurs more than once", "every frame once", "remove the second pose")


def _repeated(source: Source) -> Source:
    """The same photograph twice: left out where its pose is the same too, else refused."""
    doubles = _doubles(source.shots)
    for first, *rest in doubles:
        for other in rest:
            if np.abs(first.camera_from_part - other.camera_from_part).max() > 1e-6 * max(
                1.0, float(np.abs(first.camera_from_part).max())
            ):
                _refuse_blank(first)
                raise InputError(
                    f"{first.name} and {other.name} are the same photograph with two poses",
                    "one pose a photograph",
                    "remove the wrong one",
                )
    if not doubles:
        return source
    dropped = {id(s) for g in doubles for s in g[1:]}
    kept = tuple(s for s in source.shots if id(s) not in dropped)
    _few(len(kept), source)
    note = f"left out as copies: {', '.join(s.name for g in doubles for s in g[1:])}"
    return replace(source, shots=kept, notes=(*source.notes, note))


def _doubles(shots: Sequence[Shot]) -> list[list[Shot]]:
    """Groups of two and more with the same pixels."""
    alike: dict[str, list[Shot]] = defaultdict(list)
    for shot in shots:
        alike[thumbprint(shot.image)].append(shot)
    groups: list[list[Shot]] = []
    for candidates in alike.values():
        found: list[list[Shot]] = []
        for shot in candidates:
            same = next((g for g in found if same_pixels(g[0].image, shot.image)), None)
            if same is None:
                found.append([shot])
            else:
                same.append(shot)
        groups += [g for g in found if len(g) > 1]
    return groups


def _refuse_blank(shot: Shot) -> None:
    """InputError for a photograph of one value throughout: many are alike then, whatever their poses."""
    pixels = read_pixels(shot.image)
    if pixels.min() == pixels.max():
        raise InputError(
            f"{shot.name} shows nothing: all its pixels are {pixels.max():g}"
            f"{', black' * (not pixels.max())}, as in other photographs",
            "photographs of the part",
            "export them again, or check the exposure",
        )


def check_poses(capture: Capture) -> None:
    """UnfitCapture where masks and poses contradict each other; it names a convention that would fit, if one does."""
    blank = [v.name for v in capture.views if not 1e-4 < float(v.mask.mean()) < 0.98]
    if len(blank) == len(capture.views):
        raise UnfitCapture("all masks are empty or full", "masks of the part, white on black", "check the mask files")
    _seen(capture.views)
    _white_on_black(capture.views)
    found = hull_iou(capture.views)
    if found >= CONTRADICT:
        return
    fit = fitting(capture.views, capture.pose_file)
    given = f"the masks contradict the poses (the hull meets them with an overlap of {found:.2f})"
    if not found:
        given = "the masks have nothing in common: no point lies inside all of them"
    if fit is not None and fit.iou > max(found + 0.1, CONTRADICT):
        raise UnfitCapture(given, "one still part seen by right poses", fit.advice)
    raise UnfitCapture(
        given,
        "one still part seen by right poses",
        "no other convention fits: check that there is a part in the photographs, that it did not move, and that each "
        "pose belongs to its photograph",
    )


def _seen(views: Sequence[View]) -> None:
    brightest = max(float(v.image.max()) for v in views)
    if brightest < BLACK:
        raise UnfitCapture(
            f"all photographs are black: their brightest value is {brightest:.2g} of 1, linear",
            "photographs that show the part",
            "check the files, or expose longer",
        )


def _white_on_black(views: Sequence[View]) -> None:
    """UnfitCapture for masks that are mostly too dark to count as white, or black on white."""
    dim = [v for v in views if 0 < float(v.mask.max()) < 0.5]
    if 2 * len(dim) > len(views):
        value = max(float(v.mask.max()) for v in dim)
        raise UnfitCapture(
            f"{len(dim)} of {len(views)} masks have no white: their brightest value is {255 * value:.0f} of 255",
            "255 on the part, 0 elsewhere",
            "scale or threshold the mask files",
        )
    bordered = [v for v in views if float(v.mask.mean()) < 0.98 and _border(v.mask) > 0.75]
    if 2 * len(bordered) > len(views):
        raise UnfitCapture(
            f"{len(bordered)} of {len(views)} masks are white along the photographs' border: they seem to be inverted",
            "masks of the part, white on black",
            "invert the mask files, or step back until the background shows all round the part",
        )


def _border(mask: np.ndarray) -> float:
    """Mean along the four sides."""
    return float(np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean())
