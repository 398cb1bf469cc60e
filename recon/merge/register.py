"""Where one seating of the part stands in the frame of another, or a sentence why that cannot be told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from core.errors import InputError
from recon.merge.coherence import Pose, coherence, refined, residuals
from recon.merge.looks import likeness, shared
from recon.merge.markers import Marker, Ties
from recon.merge.seating import Seating
from recon.merge.support import apart, search
from recon.merge.symmetry import symmetric_ways

GROUP_RAD = np.deg2rad(25.0)
"""Starts nearer than this are one: parts of up to twelve like sides have ways further apart."""
TRIED, KEPT = 24, 16
THIN = 4
WORTH = 1.5, 1.0
"""Poses half refined that miss by more than the best one's so many times, and so many pixels more, are not followed."""
SAME_RAD, SAME_SHARE = np.deg2rad(2.0), 0.01
LIMIT_PX, LIMIT_SHARE = 1.0, 0.006
"""Outlines of a right pose miss each other by less, in pixels of the masks or over the part's diagonal, if masks are
good."""
SURE = 3.0
"""Standard errors by which one pose must fit better than another, view by view, to be told from it."""
ALIKE_PX, ALIKE_RATIO = 0.02, 1.15
CLEAR_PX, CLEAR_VIEWS = 0.5, 4
"""A detail that few views show decides too: rays that miss by so much more, in so many more views than less."""
ALIKE_SHAPE = 0.96
LIKE, LIKELIER, CLEARER = 0.3, 0.15, 4.0
"""Hues decide for a pose where they are at least so like, and likelier than in the next pose by so much, or where what
they lack of being the same is so many times less than there: a part whose sides differ little in colour."""
SAME_HUES = 0.9
"""So like, and by LIKELIER likelier than all poses that fit alike, colours outweigh what tells the outlines apart."""


@dataclass(frozen=True, eq=False)
class Standing:
    """A pose with its misses per ray, and their rms in pixels."""

    pose: Pose
    misses: np.ndarray
    rms_px: float


@dataclass(frozen=True, eq=False)
class Registration:
    """pose: other seating from first. turns: poses that the outlines cannot tell apart, this one included; 1 where
    markers tell. markers: that the pose rests on. strayed: markers that contradict it."""

    pose: Pose
    rms_px: float
    p95_px: float
    next_px: float | None
    turns: int
    chosen_by: Literal["outlines", "colour", "markers", "nothing"]
    likeness: float | None
    turn_rad: tuple[float, ...]
    markers: int = 0
    strayed: tuple[Marker, ...] = ()


def register(
    first: Seating,
    other: Seating,
    name: str,
    *,
    scaled: bool = False,
    ties: Ties | None = None,
    strayed: tuple[Marker, ...] = (),
    up: np.ndarray | None = None,
) -> Registration:
    """The pose that the markers on the part say, where outlines bear them out; else the one under which the outlines of
    both hold together best, and colour decides between those that do alike.

    InputError where no pose does, or where several do, colour cannot decide, and they would give different shapes.
    scaled: the two have units of their own. strayed: all markers that both show, told if they do not decide. up: (3,)
    the table's axis in the room, where its light stood still.
    """
    if ties is not None:
        told = _by_markers(first, other, ties, scaled)
        if told.rms_px <= limit_px(first) and ties.held(told.pose, other.pixel):
            return told
    found = standings(first, other, scaled)
    _refuse_misfit(found[0], first, name)
    near = [s for s in found if _near(s, found[0]) and s.rms_px <= limit_px(first)]
    looks = [shared(first, other, s.pose) for s in near]
    every_hue = [likeness(*both) for both in looks]
    paint = [float("nan") if up is None else likeness(*both, up) for both in looks]
    kept = not_contradicted([not told_apart(found[0], s, first, other) for s in near], every_hue, paint)
    alike, hues = [near[i] for i in kept], [every_hue[i] for i in kept]
    chosen, by = choose(hues, [paint[i] for i in kept])
    if by == "nothing":
        left = [_left(first, other, s.pose) for s in alike]
        refuse_ambiguous(alike, left, name)
        chosen = _least(left)
    best = alike[chosen]
    rest = [s.rms_px for s in found if all(s is not a for a in alike)]
    turns = tuple(apart(best.pose.rotation, s.pose.rotation) for s in alike if s is not best)
    like = hues[chosen]
    return Registration(
        best.pose, best.rms_px, float(np.percentile(best.misses, 95)), min(rest, default=None), len(alike), by,
        None if np.isnan(like) else like, turns, strayed=strayed,
    )  # fmt: skip


def likelier_elsewhere(
    first: Seating, other: Seating, still: Pose, up: np.ndarray | None, scaled: bool = False
) -> bool:
    """Whether the colours of both are clearly more alike under another pose that the outlines cannot tell from `still`.

    up: (3,) the table's axis in the room, where its light stood still: a tint of that light tells no pose from another.
    """

    def hue(pose: Pose) -> float:
        return likeness(*shared(first, other, pose), up)

    own = hue(still)
    if not own < 1 - LIKELIER:
        return False
    held = _standing(first, other, still, exact=True)
    rivals = [s.pose for s in standings(first, other, scaled) if not told_apart(held, s, first, other)]
    return any(hue(p) >= max(LIKE, own + LIKELIER) for p in rivals)


def _by_markers(first: Seating, other: Seating, ties: Ties, scaled: bool) -> Registration:
    """Markers and outlines together, near what the markers alone say."""

    def also(pose: Pose) -> np.ndarray:
        return ties.misses(pose, other.pixel)

    rough = refined(first, other, ties.pose, scaled=scaled, also=also)
    pose = refined(first, other, rough, scaled=scaled, exact=True, rounds=6, also=also)
    best, like = _standing(first, other, pose, exact=True), likeness(*shared(first, other, pose))
    return Registration(
        pose, best.rms_px, float(np.percentile(best.misses, 95)), None, 1, "markers", None if np.isnan(like) else like,
        (), len(ties.markers), ties.strayed,
    )  # fmt: skip


def standings(first: Seating, other: Seating, scaled: bool = False) -> list[Standing]:
    """Different poses, best first. The best start of each group is refined a little and only then judged: how far it
    still is from its pose says more of a start's misses than whether that pose is right."""
    starts = search(first, other, scaled=scaled)
    poses = [Pose(r, t, float(s)) for r, t, s in zip(starts.rotations, starts.shifts, starts.scales, strict=True)]
    if not poses:
        raise InputError(
            "two sessions without a direction that both show", "cameras that see the part's sides", "add a ring"
        )
    few = replace(first, rays=first.rays.every(THIN)), replace(other, rays=other.rays.every(THIN))
    soft = np.array([coherence(first, other, p).soft_px for p in poses])
    groups: list[Pose] = []
    for i in np.argsort(soft, kind="stable"):
        if all(apart(poses[i].rotation, g.rotation) > GROUP_RAD for g in groups):
            groups.append(poses[i])
    half = [_standing(first, other, refined(*few, g, scaled=scaled, rounds=3)) for g in groups[:TRIED]]
    half = _worth(half, first)
    rough = _different([_standing(first, other, refined(first, other, h.pose, scaled=scaled)) for h in half], first)
    turned = [t for t in symmetric_ways(first, other, rough[0].pose, GROUP_RAD) if not _known(t, rough)]
    half = [_standing(first, other, refined(*few, t, scaled=scaled, rounds=3)) for t in turned]
    half = _worth([rough[0], *half], first)
    rough += [_standing(first, other, refined(first, other, h.pose, scaled=scaled)) for h in half if h is not rough[0]]
    exact = [
        refined(first, other, r.pose, scaled=scaled, exact=True, rounds=6) if _near(r, rough[0]) else r.pose
        for r in rough
    ]
    return _different([_standing(first, other, p, exact=True) for p in exact], first)


def _worth(found: list[Standing], first: Seating) -> list[Standing]:
    """What is worth refining further."""
    most = WORTH[0] * min(s.rms_px for s in found) + WORTH[1]
    return _different([s for s in found if s.rms_px <= most], first)[:KEPT]


def _near(one: Standing, best: Standing) -> bool:
    return one.rms_px <= 2 * best.rms_px + 0.25


def _known(pose: Pose, found: list[Standing]) -> bool:
    return any(apart(pose.rotation, f.pose.rotation) < GROUP_RAD / 2 for f in found)


def _standing(first: Seating, other: Seating, pose: Pose, exact: bool = False) -> Standing:
    misses = residuals(first, other, pose, exact)
    return Standing(pose, misses, float(np.sqrt(np.mean(misses**2))))


def _different(found: list[Standing], first: Seating) -> list[Standing]:
    """Ascending by rms, each pose once."""
    kept: list[Standing] = []
    for one in sorted(found, key=lambda s: s.rms_px):
        if not any(_same(one.pose, k.pose, first) for k in kept):
            kept.append(one)
    return kept


def _same(a: Pose, b: Pose, first: Seating) -> bool:
    off = np.linalg.norm(a.onward(first.centre) - b.onward(first.centre)) / a.scale
    return apart(a.rotation, b.rotation) < SAME_RAD and bool(off < 2 * SAME_SHARE * first.radius)


def told_apart(best: Standing, one: Standing, first: Seating, other: Seating) -> bool:
    """True where `one` fits worse than chance allows: paired over views, as neighbouring rays are not independent."""
    if one is best:
        return False
    if one.rms_px <= ALIKE_RATIO * best.rms_px + ALIKE_PX:
        return False
    if one.rms_px > 3 * best.rms_px + 0.3:
        return True
    worse = np.minimum(one.misses, 3) ** 2 - np.minimum(best.misses, 3) ** 2
    view = np.concatenate([first.rays.view, other.rays.view + len(first.views)])
    count = np.bincount(view)
    mean = np.bincount(view, worse)[count > 0] / count[count > 0]
    error = mean.std(ddof=1) / np.sqrt(len(mean))
    more = len(np.unique(view[one.misses > best.misses + CLEAR_PX]))
    less = len(np.unique(view[best.misses > one.misses + CLEAR_PX]))
    return bool(mean.mean() > SURE * error) or more >= CLEAR_VIEWS * max(less, 1)


def not_contradicted(alike: list[bool], hues: list[float], paint: list[float]) -> list[int]:
    """Of poses that fit nearly, which may be right: those that fit alike, and one that the outlines tell from them and
    the colours from all of them. Masks that are rough in the same views under every pose can look like evidence."""
    kept = [i for i, a in enumerate(alike) if a]
    told = [i for i, a in enumerate(alike) if not a and hues[i] >= SAME_HUES and paint[i] >= LIKE]
    if told and all(hues[i] <= max(hues[k] for k in told) - LIKELIER for i in kept):
        kept.append(max(told, key=lambda k: hues[k]))
    return kept


def choose(hues: list[float], paint: list[float]) -> tuple[int, Literal["outlines", "colour", "nothing"]]:
    """Of poses that fit alike, best first, one and what told it. hues: likeness under each. paint: the same less what a
    tinted light does, which must bear a small lead out; NaN where not known."""
    if len(hues) == 1:
        return 0, "outlines"
    known = np.nan_to_num(np.array(hues), nan=-1.0)
    best, then = np.argsort(-known, kind="stable")[:2]
    clearer = 1 - known[best] <= (1 - known[then]) / CLEARER and paint[best] >= LIKE
    if known[best] >= LIKE and (known[best] >= known[then] + LIKELIER or clearer):
        return int(best), "colour"
    return 0, "nothing"


def limit_px(first: Seating) -> float:
    """What the outlines of a right pose miss each other by at most."""
    return max(LIMIT_PX, LIMIT_SHARE * 2 * first.radius / first.pixel)


def _refuse_misfit(best: Standing, first: Seating, name: str) -> None:
    limit = limit_px(first)
    if best.rms_px > limit:
        raise InputError(
            f"session {name} cannot be registered: in the best pose its outlines miss the other session's by "
            f"{best.rms_px:.1f} px",
            f"one rigid part, at most {limit:.1f} px",
            "check that it is the same part and its masks, or load one session alone",
        )


def refuse_ambiguous(alike: list[Standing], left: list[np.ndarray], name: str) -> None:
    """Poses of which one leaves a part of what another leaves do not contradict each other: the first one's hull bulges
    where no camera looked, and turned over it is cut back there."""
    least = min(shared_shape(a, b) for a in left for b in left)
    if least < ALIKE_SHAPE:
        angle = max(apart(alike[0].pose.rotation, s.pose.rotation) for s in alike[1:])
        raise InputError(
            f"session {name} cannot be registered: its outlines fit in {len(alike)} ways, up to "
            f"{np.degrees(angle):.0f} degrees apart, which give different shapes (they share {100 * least:.0f} %)",
            "outlines or colours that fit in one way",
            "photograph a third session with the part on its side, or put a coloured sticker or a printed marker on it",
        )


def _least(left: list[np.ndarray]) -> int:
    """The pose that leaves clearly less than the best-fitting one, else that one."""
    sizes = np.array([np.count_nonzero(one) for one in left])
    return int(sizes.argmin()) if sizes.min() < ALIKE_SHAPE * sizes[0] else 0


def _left(first: Seating, other: Seating, pose: Pose) -> np.ndarray:
    """Bool per sample inside the first hull: it is inside the other as well."""
    points = first.lower + first.spacing * np.argwhere(first.field > 0)
    return other.depth(pose.onward(points)) > 0


def shared_shape(one: np.ndarray, two: np.ndarray) -> float:
    """What two shapes have in common, over the smaller of them."""
    smaller = min(np.count_nonzero(one), np.count_nonzero(two))
    return float(np.count_nonzero(one & two)) / max(smaller, 1)
