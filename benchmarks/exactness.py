"""Every kind of defect under every station: the shipped mask file against an independent ray caster.

    python benchmarks/exactness.py --out FOLDER [--size 144 --kinds dent,chip --stations dome]

One image a pair: drawn, rendered and written as `flawsmith run` does, tilted up to 65 degrees, on paper, fixture or
tray; the mask is read back from the file. A pixel is wrong when the caster (Open3D's Embree, on the exported scene)
disagrees beyond 0.005 px of an id edge; nearer ones are excused and counted. Finished pairs are kept in the folder.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from flawsmith.versions import commit  # noqa: E402
from render.client import Renderer  # noqa: E402
from tests.render.exactness import COATED, judge, narrowed, stock_of  # noqa: E402
from tests.render.test_exact import BY_KIND, STATIONS  # noqa: E402

EXCUSED = 0.02


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--size", type=int, default=144)
    options.add_argument("--kinds", default=",".join(sorted(BY_KIND)))
    options.add_argument("--stations", default=",".join(STATIONS))
    chosen = options.parse_args()
    kinds, stations = chosen.kinds.split(","), chosen.stations.split(",")
    if unknown := (set(kinds) - set(BY_KIND)) | (set(stations) - set(STATIONS)):
        options.error(f"unknown: {', '.join(sorted(unknown))}")
    chosen.out.mkdir(parents=True, exist_ok=True)
    rows = []
    with Renderer() as renderer:
        for kind in kinds:
            rows += measured(kind, stations, chosen, renderer)
    text = report(rows, chosen.size)
    (chosen.out / "exactness.md").write_text(text, encoding="utf-8")
    print(text)
    if any(r["wrong"] for r in rows):
        raise SystemExit(1)


def measured(kind: str, stations: list[str], chosen: argparse.Namespace, renderer: Renderer) -> list[dict[str, Any]]:
    """One row a station, from the folder where it is there."""
    rows, stock = [], None
    for station in stations:
        done = chosen.out / f"{kind}_{station}_{chosen.size}.json"
        if not done.is_file():
            stock = stock or stock_of(BY_KIND[kind], COATED.get(kind, "milled_steel"), STATIONS, chosen.size)
            index = STATIONS.index(station) * len(BY_KIND) + sorted(BY_KIND).index(kind)
            with tempfile.TemporaryDirectory() as folder:
                found = judge(narrowed(stock, STATIONS.index(station)), index, renderer, Path(folder)).agreement
            row = {"pixels": found.pixels, "boundary": found.boundary, "excused": found.excused, "wrong": found.wrong}
            done.write_text(json.dumps({"kind": kind, "station": station, **row}), encoding="utf-8")
            print(kind, station, row, file=sys.stderr, flush=True)
        rows.append(json.loads(done.read_text(encoding="utf-8")))
    return rows


def report(rows: list[dict[str, Any]], size: int) -> str:
    lines = [
        f"{date.today()}, commit {commit()[:11]}, {size}x{size}, one image a pair of kind and station.",
        "",
        "| kind | images | label px | boundary px | excused | worst share excused | wrong |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in dict.fromkeys(r["kind"] for r in rows):
        lines.append(_line(kind, [r for r in rows if r["kind"] == kind]))
    lines.append(_line("all", rows))
    over = [f"{r['kind']} under {r['station']}" for r in rows if r["excused"] > EXCUSED * r["boundary"]]
    lines += ["", f"Images with more than {EXCUSED:.0%} excused: {', '.join(over) or 'none'}."]
    return "\n".join(lines)


def _line(name: str, rows: list[dict[str, Any]]) -> str:
    total = {k: sum(r[k] for r in rows) for k in ("pixels", "boundary", "excused", "wrong")}
    worst = max(r["excused"] / max(r["boundary"], 1) for r in rows)
    return (
        f"| {name} | {len(rows)} | {total['pixels']} | {total['boundary']} | {total['excused']} | {worst:.2%} | "
        f"{total['wrong']} |"
    )


if __name__ == "__main__":
    main()
