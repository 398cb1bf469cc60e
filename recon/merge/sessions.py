"""Several sessions of one part as one capture: one frame, and each view's own rotation to the room's light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.spatial.transform import Rotation

from core.errors import InputError
from recon.capture.masks import FEWEST, cross_check
from recon.capture.model import Capture, Session, View
from recon.merge.camera import Moved, moved
from recon.merge.coherence import Pose, coherence
from recon.merge.looks import shared
from recon.merge.markers import Marker, Ties, landmarks, ties
from recon.merge.register import Registration, likelier_elsewhere, limit_px, register
from recon.merge.report import Joined, MergeReport
from recon.merge.room import RoomCheck, check_room
from recon.merge.seating import Seating, seating


def merge_sessions(capture: Capture, *, registered: bool | None = None) -> tuple[Capture, MergeReport | None]:
    """The capture with all sessions in the first one's frame, and how they were brought there; itself and None where
    there is one session, or where all are in one frame already.

    registered: whether the poses are in one frame; None: found out from the outlines. InputError where a session
    cannot be registered, or in several ways that differ.
    """
    numbers = sorted({v.session for v in capture.views})
    if len(numbers) < 2 or registered:
        return capture, None
    apart = {n: [v for v in capture.views if v.session == n] for n in numbers}
    first, *others = numbers
    joined = seating(apart[first])
    lone = {n: seating(apart[n]) for n in others}
    marked, known = {n: landmarks(apart[n]) for n in others}, landmarks(apart[first])
    scaled = not capture.metric

    def tie(n: int) -> Ties | None:
        return ties(known, marked[n], lone[n].pixel, scaled)

    up = _up(apart[first][0], capture.sessions[first]) if capture.light == "room" else None
    if registered is None and all(_one_frame(joined, lone[n], tie(n), up, scaled) for n in others):
        return capture, None
    sessions, done, told = list(capture.sessions), {first: apart[first]}, []
    for n in others:
        shared_marks = tuple(sorted(set(known) & set(marked[n])))
        found, joined, lone[n] = _registered(joined, lone[n], sessions[n].name, capture, tie(n), shared_marks, up)
        known = {m: found.pose.back(corners) for m, corners in marked[n].items()} | known
        here = [brought(v, found.pose) for v in apart[n]]
        sessions[n] = brought_session(sessions[n], found.pose)
        camera = _nearest_standing(done, sessions, here, n)
        room = _room(joined, lone[n], found.pose, apart[first][0], sessions[first]) if capture.light == "room" else None
        if room is not None and room.turned:
            here = [_turned(v, room.turn_rad, _up(apart[first][0], sessions[first])) for v in here]
        told.append(_record(sessions[n].name, found, _notes(sessions[n].name, found, camera, room, capture)))
        done[n] = here
        joined = seating([v for views in done.values() for v in views])
    report = MergeReport(reference=sessions[first].name, joined=tuple(told))
    place = {n: iter(views) for n, views in done.items()}
    views = tuple(next(place[v.session]) for v in capture.views)
    return replace(capture, views=views, sessions=tuple(sessions), notes=(*capture.notes, *report.notes)), report


def _registered(
    first: Seating,
    other: Seating,
    name: str,
    capture: Capture,
    tie: Ties | None,
    both_show: tuple[Marker, ...],
    up: np.ndarray | None,
) -> tuple[Registration, Seating, Seating]:
    """The registration and what it was found from: if that fails, without masks that their own session contradicts."""
    found = partial(register, name=name, scaled=not capture.metric, ties=tie, strayed=both_show, up=up)
    try:
        return found(first, other), first, other
    except InputError:
        trusted = [_trusted(one, capture) for one in (first, other)]
        if all(len(t) == len(one.views) for t, one in zip(trusted, (first, other), strict=True)):
            raise
    first, other = (seating(t) for t in trusted)
    return found(first, other), first, other


def _trusted(one: Seating, capture: Capture) -> list[View]:
    """Its views without those whose masks contradict the others; all where too few would be left."""
    if len(one.views) < FEWEST:
        return list(one.views)
    bad = {s.index for s in cross_check(capture.with_views(one.views)).suspects}
    kept = [v for i, v in enumerate(one.views) if i not in bad]
    return kept if len(kept) >= FEWEST else list(one.views)


def brought(view: View, pose: Pose) -> View:
    """The view in the frame and unit from which `pose` leads to its own."""
    old = view.camera_from_part
    matrix = np.eye(4)
    matrix[:3, :3] = old[:3, :3] @ pose.rotation
    matrix[:3, 3] = (old[:3, :3] @ pose.shift + old[:3, 3]) / pose.scale
    return replace(view, camera_from_part=matrix, room_from_part=view.room_from_part @ pose.rotation)


def brought_session(session: Session, pose: Pose) -> Session:
    if session.axis is None or session.axis_point is None:
        return session
    return Session(session.name, pose.back(np.asarray(session.axis_point)), pose.rotation.T @ session.axis)


def _one_frame(first: Seating, other: Seating, tie: Ties | None, up: np.ndarray | None, scaled: bool) -> bool:
    """The poses as they are hold both seatings' outlines together, and their markers or, where the outlines would fit
    in other ways too, their colours."""
    still = Pose(np.eye(3), np.zeros(3))
    if tie is not None and not tie.held(still, other.pixel):
        return False
    gap = np.linalg.norm(first.centre - other.centre)
    if gap > first.radius + other.radius:
        return False
    if coherence(first, other, still, exact=True).rms_px > limit_px(first):
        return False
    return tie is not None or not likelier_elsewhere(first, other, still, up, scaled)


def _nearest_standing(
    done: Mapping[int, Sequence[View]], sessions: Sequence[Session], here: Sequence[View], n: int
) -> Moved | None:
    """How the camera of session n stood to the table, against the earlier session where it stood most alike."""
    found = [moved(views, sessions[k], here, sessions[n]) for k, views in done.items()]
    known = [m for m in found if m is not None]
    return min(known, key=lambda m: m.measure, default=None)


def _up(view: View, session: Session) -> np.ndarray:
    """(3,) the table's axis in the room."""
    axis = np.array([0.0, 0.0, 1.0]) if session.axis is None else session.axis
    return view.room_from_part @ axis


def _room(first: Seating, other: Seating, pose: Pose, view: View, session: Session) -> RoomCheck | None:
    return check_room(*shared(first, other, pose), _up(view, session))


def _turned(view: View, angle: float, up: np.ndarray) -> View:
    return replace(view, room_from_part=Rotation.from_rotvec(angle * up).as_matrix() @ view.room_from_part)


def _notes(
    name: str, found: Registration, camera: Moved | None, room: RoomCheck | None, capture: Capture
) -> tuple[str, ...]:
    """What a person should know of how a session was joined."""
    by = "its outlines" if not found.markers else f"{_counted(found.markers)} on the part and its outlines"
    said = [f"session {name}: registered by {by} to {found.rms_px:.2f} px"]
    if found.strayed:
        numbers = ", ".join(f"{number} of {dictionary}" for dictionary, number in found.strayed)
        why = "come off, or not on the part"
        said.append(f"session {name}: left aside, as the part does not stand where they say ({why}): markers {numbers}")
    if found.turns > 1:
        ways = f"session {name}: its outlines fit in {found.turns} ways that give the same shape"
        end = "chosen by colour" if found.chosen_by == "colour" else "one was taken, as nothing tells them apart"
        said.append(f"{ways}; {end}")
    if capture.light == "part":
        said.append(f"session {name}: how its light stood to the other session's is taken from the poses' own axes")
        return tuple(said)
    if camera is not None and not camera.still:
        said.append(f"session {name}: the camera was moved between the sessions ({camera.words()})")
    if room is not None and room.turned:
        angle = f"{np.degrees(room.turn_rad):+.0f} degrees"
        said.append(f"session {name}: camera or lamps went round the table by about {angle}; its light was turned back")
    elif room is not None and room.changed:
        said.append(f"session {name}: its light is not the other session's at any angle: lamps were moved or switched")
    return tuple(said)


def _counted(markers: int) -> str:
    return "one marker" if markers == 1 else f"{markers} markers"


def _record(name: str, found: Registration, notes: tuple[str, ...]) -> Joined:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = found.pose.scale * found.pose.rotation, found.pose.shift
    rows = tuple(tuple(float(v) for v in row) for row in matrix)
    return Joined(
        session=name, session_from_part=rows, scale=found.pose.scale, outlines_px=found.rms_px, p95_px=found.p95_px,
        next_px=found.next_px, turns=found.turns, chosen_by=found.chosen_by, likeness=found.likeness,
        markers=found.markers, notes=notes,
    )  # fmt: skip
