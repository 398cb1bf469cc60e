"""Two sessions of a part that was put back at a random angle: registered as it stood, another way, or refused.

    python benchmarks/merge.py --out FOLDER [--poses 20 --rough --parts bracket,prism]

Parts: a bracket without symmetry, and a square prism and a hexagonal bar whose outlines fit in 8 and 12 ways, of which
the colours of their sides leave one. 8 views a session, 96x128 pixels. Right is the way in which it was put back, the
others are 60 degrees off or more; said is a way that was taken with the note that nothing tells them apart. Rough masks
are cut hard at outlines that wander by a pixel.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import trimesh  # noqa: E402
from scipy.ndimage import distance_transform_edt, gaussian_filter  # noqa: E402
from scipy.spatial.transform import Rotation  # noqa: E402

from core import seeds  # noqa: E402
from core.errors import InputError  # noqa: E402
from flawsmith.versions import commit  # noqa: E402
from recon.capture.model import Capture  # noqa: E402
from recon.capture.poses import rigid  # noqa: E402
from recon.merge import merge_sessions  # noqa: E402
from tests.recon.seatings import block, both, off, session  # noqa: E402

PARTS: dict[str, Callable[[], trimesh.Trimesh]] = {
    "bracket": block,
    "prism": lambda: trimesh.creation.box((0.02, 0.02, 0.012)),
    "bar": lambda: trimesh.creation.cylinder(0.01, 0.012, sections=6),
}
RIGHT_DEG = 15.0
WANDER_PX, OVER_PX = 1.0, 4.0
HEAD = """| part | right | another way, said | another way | refused | degrees off, median | most | CPU s, median |
|---|---|---|---|---|---|---|---|"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--poses", type=int, default=20)
    options.add_argument("--parts", default=",".join(PARTS))
    options.add_argument("--rough", action="store_true")
    chosen = options.parse_args()
    names = chosen.parts.split(",")
    if unknown := set(names) - set(PARTS):
        options.error(f"unknown: {', '.join(sorted(unknown))}")
    chosen.out.mkdir(parents=True, exist_ok=True)
    masks = "rough" if chosen.rough else "exact"
    lines = [
        f"{date.today()}, commit {commit()}, {chosen.poses} poses, masks {masks}",
        HEAD,
    ]
    for name in names:
        lines.append(row(name, chosen.poses, chosen.rough))
        print("\n".join(lines if len(lines) == 3 else lines[-1:]), flush=True)
    (chosen.out / f"merge_{masks}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def row(name: str, poses: int, rough: bool) -> str:
    mesh = PARTS[name]()
    paint = np.full((len(mesh.faces), 3), 0.4)
    for axis, colour in enumerate(([0.6, 0.1, 0.1], [0.1, 0.1, 0.6], [0.1, 0.5, 0.1])):
        paint[mesh.face_normals[:, axis] > 0.8] = colour
    right, said, wrong, refused, seconds = [], 0, 0, 0, []
    for number in range(poses):
        child = seeds.child(11, "pose", str(number))
        turn = Rotation.from_quat(child.normal(size=4)).as_matrix()
        pose = rigid(turn, child.uniform(-0.01, 0.01, 3))
        sessions = [session(mesh, m, str(i + 1), i, paint=paint) for i, m in enumerate((np.eye(4), pose))]
        if rough:
            sessions = [roughened(s, child) for s in sessions]
        began = time.process_time()
        try:
            _, report = merge_sessions(both(*sessions), registered=False)
            assert report is not None
            (joined,) = report.joined
            angle = off(np.array(joined.session_from_part), pose, mesh)[0]
            if angle < RIGHT_DEG:
                right.append(angle)
            elif joined.chosen_by == "nothing":
                said += 1
            else:
                wrong += 1
        except InputError:
            refused += 1
        seconds.append(time.process_time() - began)
    degrees = f"{np.median(right):.2f} | {max(right):.2f}" if right else "- | -"
    return f"| {name} | {len(right)} | {said} | {wrong} | {refused} | {degrees} | {np.median(seconds):.1f} |"


def roughened(capture: Capture, child: np.random.Generator) -> Capture:
    views = []
    for view in capture.views:
        wander = gaussian_filter(child.normal(size=view.size), OVER_PX)
        part = view.mask > 0.5
        inside = np.asarray(distance_transform_edt(part)) - np.asarray(distance_transform_edt(~part))
        views.append(replace(view, mask=(inside + WANDER_PX * wander / wander.std() > 0).astype(float)))
    return replace(capture, views=views)


if __name__ == "__main__":
    main()
