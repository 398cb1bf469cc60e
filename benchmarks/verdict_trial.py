"""Twelve good captures and fourteen spoiled ones through the whole of `flawsmith reconstruct`: is any spoiled one
accepted silently, is any good one refused?

    python benchmarks/verdict_trial.py --cache FOLDER --out FOLDER [--preset quick|draft|standard] [--only good,blurred]

Captures are simulated as `flawsmith simulate-capture` does, and kept in the cache; one that `recon_accuracy.py` made
there (256 px, 36 photographs) is taken instead. The spoiled ones are good ones that `verdict_spoilers.py` spoils.
Finished rows are kept too: delete them to measure again. "Silently" means accepted without a reason that names what was
spoiled; notes that good captures get as well do not count.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import verdict_spoilers as spoil
from recon_subjects import ROOT
from verdict_subjects import GOOD, MIRROR, OTHER_LAMP, SHIPPED, capture_of

from core.errors import InputError
from core.seeds import child


@dataclass(frozen=True)
class Case:
    """names: a spoiled capture is told from a good one by a reason with one of these subjects, or an error at load with
    one of these words. folder: makes the capture and gives its place; None where its part is absent."""

    name: str
    spoiled: str
    names: tuple[str, ...]
    folder: Callable[[], Path | None]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cache", type=Path, required=True, help="simulated captures")
    options.add_argument("--out", type=Path, required=True, help="spoiled captures, rows, verdict_trial.md")
    options.add_argument("--data", type=Path, default=None, help="folder of real data")
    options.add_argument("--preset", default="quick", help="quick, or one of flawsmith reconstruct")
    options.add_argument("--only", default="", help="good, spoiled, or names separated by commas")
    chosen = options.parse_args()
    chosen.data = chosen.data or Path(os.environ.get("FLAWSMITH_REAL_DATA") or ROOT.parent / "shared" / "data")
    chosen.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for case in (*good_cases(chosen), *spoiled_cases(chosen)):
        kind = "spoiled" if case.spoiled else "good"
        if chosen.only and not {case.name, kind} & set(chosen.only.split(",")):
            continue
        row = finished(case, chosen)
        if row is not None:
            rows.append(row)
            print(f"{row['name']}: {row['outcome']}; {'right' if row['right'] else 'WRONG'}", flush=True)
    text = report(rows, chosen.preset)
    (chosen.out / "verdict_trial.md").write_text(text, encoding="utf-8")
    print(text)


def good_cases(chosen: argparse.Namespace) -> Iterator[Case]:
    for wanted in GOOD:
        yield Case(wanted.name, "", (), lambda wanted=wanted: capture_of(wanted, chosen.data, chosen.cache))
    yield Case("shipped_housing", "", (), lambda: SHIPPED)


def spoiled_cases(chosen: argparse.Namespace) -> Iterator[Case]:
    by_name = {w.name: w for w in GOOD}

    def from_good(name: str, change: Callable[[spoil.Files], spoil.Files]) -> Callable[[], Path | None]:
        def make() -> Path | None:
            source = capture_of(by_name[name], chosen.data, chosen.cache)
            if source is None:
                return None
            return spoil.write_files(change(spoil.read_files(source)), chosen.out / "spoiled" / change.__name__)

        return make

    def other_lamp() -> spoil.Files:
        housing = capture_of(by_name["housing_powder"], chosen.data, chosen.cache)
        assert housing is not None
        size, views, samples = (int(n) for n in housing.name.split("_")[-3:])
        rings = (15.0, 45.0) if size == 256 else OTHER_LAMP.rings
        same = replace(OTHER_LAMP, side=size, views=views, samples=samples, rings=rings)
        folder = capture_of(same, chosen.data, chosen.cache)
        assert folder is not None
        return spoil.read_files(folder)

    def noisy_poses(files: spoil.Files) -> spoil.Files:
        return spoil.noisy_poses(files, child(1, "poses"))

    def empty_plate(files: spoil.Files) -> spoil.Files:
        return spoil.empty_plate(files, child(2, "plate"))

    def bare_plate(files: spoil.Files) -> spoil.Files:
        return spoil.bare_plate(files, child(2, "plate"))

    def lamp_moved(files: spoil.Files) -> spoil.Files:
        return spoil.lamp_moved(files, other_lamp())

    def lamp_moved_early(files: spoil.Files) -> spoil.Files:
        return spoil.lamp_moved(files, other_lamp(), 0.3)

    mirror = "one ring of a featureless mirror-smooth flange"
    yield Case("mirror", mirror, ("appearance",), lambda: capture_of(MIRROR, chosen.data, chosen.cache))
    for name, how, said, change in (
        ("spot_primer", "masks eroded 5 px", ("masks",), spoil.eroded),
        ("padlock_own", "masks dilated 5 px", ("masks",), spoil.dilated),
        ("ftc06_primer", "masks shifted by (4, -6) px", ("masks",), spoil.shifted),
        ("featuretype_powder", "masks of the next frame", ("masks",), spoil.of_other_frames),
        ("shaft_primer", "2 degrees of pose noise", ("poses",), noisy_poses),
        ("wingnut_powder", "half ring", ("no view within",), spoil.half_ring),
        ("housing_powder", "lamp moved half way", ("light",), lamp_moved),
        ("housing_powder", "lamp moved after 3 of 10", ("light",), lamp_moved_early),
        ("padlock_own", "blurred, sigma 2.5 px", ("sharpness",), spoil.blurred),
        ("spot_own", "poses in OpenCV axes", ("flipped (OpenGL against OpenCV)",), spoil.wrong_convention),
        ("housing_powder", "part turned 5 degrees half way", ("poses",), spoil.part_moved),
        ("wingnut_on_paper", "empty plate, no masks", ("there is a part",), empty_plate),
        ("housing_powder", "empty plate, masks of an earlier capture", ("masks",), bare_plate),
    ):
        yield Case(change.__name__, f"{name}: {how}", said, from_good(name, change))


def finished(case: Case, chosen: argparse.Namespace) -> dict[str, Any] | None:
    """The row, from the folder of finished ones or run now; None where the part is absent."""
    done = chosen.out / "rows" / chosen.preset / f"{case.name}.json"
    if done.is_file():
        row = json.loads(done.read_text(encoding="utf-8"))
        return row | {"right": right(case, row)}
    folder = case.folder()
    if folder is None:
        print(f"{case.name} left out: its part is not here", file=sys.stderr)
        return None
    began = time.process_time()
    row = {"name": case.name, "spoiled": case.spoiled, **outcome(folder, chosen.preset)}
    row["cpu_s"] = time.process_time() - began
    done.parent.mkdir(parents=True, exist_ok=True)
    done.write_text(json.dumps(row, indent=1), encoding="utf-8")
    return row | {"right": right(case, row)}


def outcome(folder: Path, preset_name: str) -> dict[str, Any]:
    """What `flawsmith reconstruct` would say, without writing anything."""
    from flawsmith.reconstruction import fitted_and_judged
    from recon import capture as captures

    try:
        capture = captures.load(folder, max_side=1024, checked=False)
        *_, verdict = fitted_and_judged(capture, settings_of(preset_name), seed=1)
    except InputError as error:
        return {"outcome": f"error ({type(error).__name__})", "said": str(error), "reasons": [], "measures": {}}
    return {
        "outcome": verdict.outcome,
        "said": verdict.sentence(),
        **verdict.model_dump(include={"reasons", "measures"}),
    }


def settings_of(name: str):
    """Settings of a preset; quick: enough for a verdict, not for a part."""
    from recon.fit import preset
    from recon.fit.settings import Stage

    if name != "quick":
        return preset(name)
    stages = (Stage(80, 0.06, 110, 3e-2, 0.5, still=45), Stage(96, 0.045, 60, 2e-2, 0.2, outlier_limit=20.0))
    return replace(preset("draft"), name="quick", stages=stages, hull_resolution=72)


def right(case: Case, row: dict[str, Any]) -> bool:
    """A good capture is not refused; a spoiled one is refused, or its reasons name what is spoiled."""
    if not case.spoiled:
        return row["outcome"].startswith("accepted")
    if row["outcome"].startswith("error"):
        return any(word in row["said"] for word in case.names)
    return bool({r["subject"] for r in row["reasons"]} & set(case.names))


def report(rows: list[dict[str, Any]], preset_name: str) -> str:
    lines = [
        f"Preset {preset_name}.", "", "| capture | spoiled how | outcome | reasons | right? | CPU s |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in rows:
        said = "; ".join(r["said"] for r in row["reasons"]) or (row["said"] if "error" in row["outcome"] else "-")
        right = "yes" if row["right"] else "NO"
        cells = [row["name"], row["spoiled"] or "-", row["outcome"], said, right, f"{row['cpu_s']:.0f}"]
        lines.append("| " + " | ".join(c.replace("|", "/") for c in cells) + " |")
    for title, group in (
        ("good", [r for r in rows if not r["spoiled"]]),
        ("spoiled", [r for r in rows if r["spoiled"]]),
    ):
        lines += ["", f"{title}: {sum(r['right'] for r in group)} of {len(group)} right"]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
