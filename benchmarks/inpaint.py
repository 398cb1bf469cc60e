"""Painters on real photographs and rendered crops: what they change, how real it looks, what it is good for, its cost.

    python benchmarks/inpaint.py [--data FOLDER] [--pairs FILES] [--count N] [--random N] [--seeds N] [--steps N]
        [--parts paint,use,cost] [--rows NAMES] [--against ROW] [--tiny [WEIGHTS]] [--taught STEPS]
        [--sd15 LEARNED BASE] [--quick] [--sheet FILE]

FOLDER is a few-shot set as `flawsmith train-inpaint` takes it; the default is the magnetic tiles of the real input data
(Huang et al. 2018). FILES are shards of tools/make_pairs.py. --taught: `tiny` taught the given examples of each ground
for STEPS steps. Rows whose weights are not here are left out and named.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

from inpaint_data import WORDS, Ground, Task, photographs, random_case, rendered  # noqa: E402
from inpaint_realism import FIGURES, Realism, crops, realism  # noqa: E402
from inpaint_rows import LEARNED, TAUGHT, painters  # noqa: E402
from inpaint_stats import draws_of, interval  # noqa: E402
from inpaint_use import Shot, Trial, compared, figures, shot, small_defects, trial  # noqa: E402
from peak import peak_mb  # noqa: E402

from core.errors import FlawsmithError, RenderError  # noqa: E402
from core.seeds import child, child_seed  # noqa: E402
from defects.generative.augment import Example  # noqa: E402
from defects.generative.examples import read_examples  # noqa: E402
from defects.generative.paint import paint_photo  # noqa: E402
from defects.generative.painter import GOOD, Painter  # noqa: E402
from defects.generative.seam import seam_visibility  # noqa: E402
from defects.generative.tiny.backend import TinyPainter  # noqa: E402
from defects.generative.tiny.heal import grown, healed  # noqa: E402
from defects.generative.tiny.pairs import HOLD_OUT  # noqa: E402
from defects.generative.tiny.teach import RIM_PX  # noqa: E402
from defects.generative.tiny.train import WEIGHTS  # noqa: E402
from flawsmith.versions import commit  # noqa: E402

DRAWS = 1000
LEAST = 12
"""Painted images that a row needs to be judged by a classifier or to teach with."""


class Made(NamedTuple):
    """What one painter painted on one ground: (task, image, label) each, and what was measured on the way."""

    shown: list[tuple[Task, np.ndarray, np.ndarray]]
    outside: int
    overlaps: list[float]
    seams: list[float]
    seconds: list[float]
    quiet: int


def damage_of(painter: Painter, task: Task) -> str:
    return next(d for d in (task.damage, WORDS.get(task.damage, "")) if d in painter.types)


def painted(painter: Painter, tasks: Sequence[Task], seed: int) -> Made:
    """Every task once, one try each."""
    made = Made([], 0, [], [], [], 0)
    outside, quiet = 0, 0
    for k, task in enumerate(tasks):
        started = time.process_time()
        try:
            done = paint_photo(
                task.image, task.mask, damage_of(painter, task), painter, child_seed(seed, k), part=task.part,
                mm_per_px=task.mm_per_px, tries=1,
            )  # fmt: skip
        except RenderError:
            quiet += 1
            continue
        finally:
            made.seconds.append(time.process_time() - started)
        outside += int((done.image != task.image).any(axis=2)[~task.mask].sum())
        made.overlaps.append(float(done.facts["label_iou"]))
        made.seams.append(seam_visibility(done.image, task.mask, task.image))
        made.shown.append((task, done.image, done.label))
    return made._replace(outside=outside, quiet=quiet)


def changed_outside(painter: Painter, images: Sequence[np.ndarray], count: int, seed: int) -> tuple[int, int]:
    """Pixels changed outside the mask over `count` random masks and images, and how many of them showed a change."""
    outside = shown = 0
    types = [t for t in painter.types if t != GOOD]
    for k in range(count):
        rng = child(seed, "random", k)
        image, mask = random_case(images, rng)
        before = image.copy()
        try:
            done = paint_photo(image, mask, types[int(rng.integers(len(types)))], painter, k, tries=1)
        except RenderError:
            done = None  # nothing visible: no image is given out, and the photograph must still be what it was
        outside += int((image != before).sum())
        if done is not None:
            shown += 1
            outside += int((done.image != before).any(axis=2)[~mask].sum())
    return outside, shown


def peak_of(row: str) -> float:
    """Greatest resident memory of a fresh process that loads the painter and paints one photograph."""
    command = [sys.executable, __file__, *sys.argv[1:], "--memory", row]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def memory(row: str, asked: argparse.Namespace) -> float:
    """MB of this process after it has loaded `row` and painted a plain photograph of 512 pixels."""
    rng = child(0, "plain")
    image = np.clip(rng.normal(120, 5, (512, 512, 3)), 0, 255).astype(np.uint8)
    mask = np.zeros((512, 512), bool)
    mask[240:260, 200:300] = True
    spot = Example(image, mask, np.ones_like(mask), "scratch")
    ground = Ground("plain", (spot,), (Task(image, mask, "scratch", 0),), ())
    if row == TAUGHT:
        painter: Painter = TinyPainter(asked.keep / "photographs" / WEIGHTS, steps=asked.sampling)
    else:
        asked.taught, asked.rows = None, ""
        painter = painters(ground, asked)[0][row]()
    damage = next(t for t in ("scratch", "pit", *painter.types) if t in painter.types and t != GOOD)
    with contextlib.suppress(RenderError):
        paint_photo(image, mask, damage, painter, 0, tries=1)
    return peak_mb()


def seams_of_real(ground: Ground, seed: int) -> list[float]:
    """Of the real damage itself: against its clean twin where it was rendered, else against healed surface."""
    shown = [(t.truth, t.mask, t.image) for t in ground.tasks if t.truth is not None]
    if not shown:
        donors = [g.astype(np.float32) / 255 for g in ground.good[:32]]
        for k, r in enumerate(ground.real):
            wide = grown(r.mask, RIM_PX)  # a step that healing leaves must not lie on the rim
            before = healed(r.image.astype(np.float32) / 255, wide, np.ones_like(wide), donors, child(seed, "heal", k))
            shown.append((r.image, r.mask, np.rint(255 * before).astype(np.uint8)))
    return [seam_visibility(*three) for three in shown]


def table_of(
    ground: Ground, made: Mapping[str, Made], real: Mapping[str, Realism], against: str, seams: Sequence[float]
) -> str:
    heads = ["painter", "px outside", "label IoU", "no-op", "seam"]
    for name in FIGURES:
        heads += [name, f"over {against}"]
    lines = [f"### {ground.name}: {len(ground.tasks)} masks", "", f"| {' | '.join([*heads, 'CPU s'])} |"]
    lines.append("| --- " * (len(heads) + 1) + "|")
    for name, m in made.items():
        cells = [
            str(m.outside), f"{np.mean(m.overlaps):.2f}" if m.overlaps else "-", f"{m.quiet / len(ground.tasks):.0%}",
            f"{np.median(m.seams):.2f}" if m.seams else "-", *_realism_cells(real.get(name)),
            f"{np.median(m.seconds):.2f}",
        ]  # fmt: skip
        lines.append(f"| {name} | {' | '.join(cells)} |")
    real_ones = ["", "", "", f"{np.median(seams):.2f}", *[""] * (2 * len(FIGURES) + 1)]
    return "\n".join([*lines, f"| what they are to look like | {' | '.join(real_ones)} |"])


def _realism_cells(found: Realism | None) -> list[str]:
    """Each figure, and its gap to the row it is held against, with the interval."""
    cells = []
    for k in range(len(FIGURES)):
        known = found is not None and np.isfinite(found.values[k])
        cells.append(f"{found.values[k]:.2f}" if found and known else "-")
        gap = found.over[k] if found and known and found.over else None
        wide = gap is not None and bool(np.isfinite(gap[1]))  # rare types are not in every half of the groups
        cells.append(("{:+.2f} ({:+.2f} to {:+.2f})" if wide else "{:+.2f}").format(*gap) if gap else "")
    return cells


def judged(ground: Ground, done: Mapping[str, Made], steps: int, seed: int, against: str) -> dict[str, Realism]:
    """Realism of every row with enough images."""
    rows = {n: m.shown for n, m in done.items() if len(m.shown) >= LEAST}
    if not rows or len(ground.real) < LEAST:
        return {}
    real = crops([(r.image, r.mask, r.group, r.damage) for r in ground.real])
    made = {n: crops([(i, t.mask, t.group, t.damage) for t, i, _ in shown]) for n, shown in rows.items()}
    return realism(real, made, steps, child_seed(seed, "realism"), against)


def used(ground: Ground, made: Mapping[str, Made], steps: int, seeds: int, seed: int) -> Iterator[str]:
    """The table of use, line by line as it comes: each row's figures with their interval, and its gain over the Perlin
    blend."""
    sets: dict[str, list[Shot]] = {
        n: [shot(image, label) for _, image, label in m.shown] for n, m in made.items() if len(m.shown) >= LEAST
    }
    for n in LEARNED:
        if n in sets and "overlay" in sets:
            sets[f"{n} + overlay"] = sets[n][::2] + sets["overlay"][1::2]
    sets["given real defects"] = [shot(e.image, e.mask) for e in ground.given]
    sets = {n: kept for n, s in sets.items() if (kept := [x for x in s if x.mask.any()])}
    test = [shot(r.image, r.mask) for r in ground.real]
    tiles = np.unique([r.group for r in ground.real], return_inverse=True)[1]
    good, quiet = ([shot(i, np.zeros(i.shape[:2], bool)) for i in images] for images in (ground.good, ground.quiet))
    small = sum(len(small_defects(s.mask)) for s in test)
    yield (
        f"### use: {len(test)} photographs of {tiles.max() + 1} tiles, {small} small defects on them; {seeds} seeds, "
        f"{steps} steps each\n"
    )
    yield "| taught on | pixel AP | IoU | small found | AP gain over perlin | IoU gain | small gain |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    draws = draws_of(int(tiles.max()) + 1, DRAWS, child(seed, "bootstrap"))
    trials: dict[str, list[Trial]] = {}
    for name, shots in sets.items():
        mine = [trial(shots, good, test, tiles, quiet[::2], steps, child_seed(seed, s)) for s in range(seeds)]
        trials[name] = mine
        own = [f"{v[0]:.3f} ({interval(v[1:])[0]:.3f} to {interval(v[1:])[1]:.3f})" for v in figures(mine, draws)]
        gain = ["", "", ""]
        if name != "perlin" and "perlin" in trials:
            found = compared(mine, trials["perlin"], DRAWS, child(seed, "paired"))
            gain = [f"{d:+.3f} ({low:+.3f} to {high:+.3f})" for d, low, high in found]
        yield f"| {name} | {' | '.join([*own, *gain])} |"


def main() -> int:
    asked = _asked()
    if asked.memory:
        print(memory(asked.memory, asked))
        return 0
    started = time.process_time()
    try:
        grounds = [photographs(read_examples(asked.data), asked.count, asked.seed)]
        if asked.pairs:
            grounds.append(rendered(asked.pairs, asked.count))
        loaded = [painters(g, asked) for g in grounds]
    except FlawsmithError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{datetime.date.today()}, {platform.processor() or platform.machine()}, commit {commit()[:10]}, "
          f"seed {asked.seed}\n")  # fmt: skip
    sheets, made = [], {}
    for number, (ground, (rows, _)) in enumerate(zip(grounds, loaded, strict=True)):
        if "paint" not in asked.parts and (number or "use" not in asked.parts):
            continue
        done = {name: painted(load(), ground.tasks, asked.seed) for name, load in rows.items()}
        made = made or done
        sheets += [m.shown[:6] for m in done.values()]
        if "paint" in asked.parts:
            real = judged(ground, done, asked.judge_steps, asked.seed, asked.against)
            print(
                table_of(ground, done, real, asked.against, seams_of_real(ground, asked.seed)), end="\n\n", flush=True
            )
    if "use" in asked.parts:
        for line in used(grounds[0], made, asked.steps, asked.seeds, asked.seed):
            print(line, flush=True)
        print()
    if "cost" in asked.parts:
        print_cost(loaded[0][0], grounds[0], asked)
    for line in loaded[0][1]:
        print(f"\nleft out: {line}")
    if "tiny" in loaded[0][0] and (seen := [p.name for p in asked.pairs if int(p.stem[-5:]) % HOLD_OUT]):
        print(f"\nnot held out from tiny's training: {', '.join(seen)}")
    print(f"\n{(time.process_time() - started) / 60:.1f} CPU minutes")
    if asked.sheet and sheets:
        cv2.imwrite(str(asked.sheet), sheet(sheets))
    return 0


def print_cost(rows: Mapping[str, Callable[[], Painter]], ground: Ground, asked: argparse.Namespace) -> None:
    """Pixels changed outside random masks, and memory. `tiny` samples in two steps from here on: what it paints in few
    is pasted in as what it paints in many."""
    asked.sampling = 2
    print("### cost and exactness\n\n| painter | random masks | shown | px outside | peak MB |")
    print("| --- | --- | --- | --- | --- |")
    for name, load in rows.items():
        count = max(1, asked.random // 10) if name == "sd15" else asked.random
        outside, shown = changed_outside(load(), ground.good, count, asked.seed)
        print(f"| {name} | {count} | {shown} | {outside} | {peak_of(name):.0f} |", flush=True)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    data = Path(os.environ.get("FLAWSMITH_REAL_DATA") or ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=data / "photos" / "magnetic_tile")
    parser.add_argument("--pairs", type=Path, nargs="+", default=[], help="shards, held out from tiny's training")
    parser.add_argument("--count", type=int, default=150, help="masks a ground")
    parser.add_argument("--random", type=int, default=1000, help="random masks; a tenth for sd15")
    parser.add_argument("--seeds", type=int, default=5, help="of the segmenter")
    parser.add_argument("--steps", type=int, default=200, help="of each segmenter")
    parser.add_argument("--judge-steps", type=int, default=300, help="of each classifier")
    rows = ("perlin", "copy-paste", "overlay", "opencv", *LEARNED)
    parser.add_argument(
        "--against", choices=rows, default="copy-paste", help="whom the others' realism is compared with"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tiny", type=Path, nargs="?", const=Path(), help="the embedded model too, or these weights")
    parser.add_argument("--taught", type=int, metavar="STEPS", help="tiny taught the given examples too")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "flawsmith-taught", help="where")
    parser.add_argument("--sd15", nargs=2, metavar=("LEARNED", "BASE"), help="Stable Diffusion 1.5 too")
    parser.add_argument("--parts", default="paint,use,cost", help="which tables")
    parser.add_argument("--rows", default="", help="which painters, separated by commas; default: all that are here")
    parser.add_argument("--quick", action="store_true", help="a few of everything: the figures mean nothing")
    parser.add_argument("--sheet", type=Path, help="write before, mask and after of a few to this PNG")
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    asked.tiny = asked.tiny if asked.tiny is None or asked.tiny.name else ""
    asked.sampling = 2 if asked.quick else None
    if asked.quick:
        asked.count, asked.random, asked.seeds, asked.steps, asked.judge_steps = 16, 4, 2, 3, 3
    return asked


def sheet(rows: Sequence[Sequence[tuple[Task, np.ndarray, np.ndarray]]], side: int = 150) -> np.ndarray:
    """One row a painter and ground: before, mask, after."""
    lines = []
    for shown in rows:
        cells = []
        for task, after, _ in shown:
            red = task.image.copy()
            red[task.mask] = (230, 40, 40)
            cells += [cv2.resize(i, (side, side), interpolation=cv2.INTER_AREA) for i in (task.image, red, after)]
        cells += [np.full((side, side, 3), 255, np.uint8)] * (18 - len(cells))
        lines.append(np.concatenate(cells, axis=1))
    return np.concatenate(lines)[..., ::-1]


if __name__ == "__main__":
    sys.exit(main())
