"""How near reconstructions come to the truth, in one table: parts x {visual hull, ours, without shadows, fixed light}.

    python benchmarks/recon_accuracy.py --cache FOLDER --out FOLDER [--preset standard --minutes 10]
        [--only housing_powder,spot_primer] [--methods hull,ours] [--size 256 --views 36]

Captures are made as `flawsmith simulate-capture` makes them (by Cycles, not the fit's shader). They are kept in the
cache, and so are finished rows: the same call goes on where it stopped. Parts from the real data are left out where it
is absent (`--data`, or FLAWSMITH_REAL_DATA, or ../shared/data). Each row is measured in a process of its own.
Relighting renders truth and reconstruction with Cycles under two photographed surroundings.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from recon_measure import METHODS, relit_views
from recon_subjects import ENVIRONMENTS, MATT, REAL_CAPTURES, ROOT, SUBJECTS, Subject, capture_of, plan_of

COLUMNS = (
    ("seen %", "seen_percent", 3), ("seen mm", "seen_chamfer", 4), ("all %", "all_percent", 3),
    ("all mm", "all_chamfer", 4), ("F 0.5 %", "seen_f_score", 3), ("normal deg", "seen_normal_deg", 1),
    ("held-out dB", "psnr", 1), ("whole dB", "whole_psnr", 1), ("relit dB", "relit_psnr", 1),
    ("relit scaled dB", "relit_scaled_psnr", 1), ("albedo dB", "albedo_psnr", 1),
    ("albedo scaled dB", "albedo_scaled_psnr", 1), ("s", "seconds", 0), ("MB", "memory_mb", 0),
)  # fmt: skip
REAL_COLUMNS = (
    ("held-out dB", "psnr", 1), ("whole dB", "whole_psnr", 1), ("s", "seconds", 0), ("MB", "memory_mb", 0)
)  # fmt: skip
METER = 0.7


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cache", type=Path, required=True, help="captures and finished rows")
    options.add_argument("--out", type=Path, required=True, help="recon_accuracy.md and .json")
    options.add_argument("--data", type=Path, default=None, help="folder of real data")
    options.add_argument("--preset", default="standard")
    options.add_argument("--minutes", type=float, default=10.0)
    options.add_argument("--size", type=int, default=256)
    options.add_argument("--views", type=int, default=36, help="of all rings together")
    options.add_argument("--samples", type=int, default=16, help="of the captures, per pixel")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N, of the fits")
    options.add_argument("--only", default="", help="names, separated by commas")
    options.add_argument("--methods", default=",".join(METHODS))
    options.add_argument("--no-relight", action="store_true")
    options.add_argument("--no-real", action="store_true", help="leave out the real captures")
    chosen = options.parse_args()
    chosen.data = chosen.data or Path(os.environ.get("FLAWSMITH_REAL_DATA") or ROOT.parent / "shared" / "data")
    chosen.methods = chosen.methods.split(",")
    wrong = set(chosen.methods) - set(METHODS)
    if wrong or chosen.views < 12 or chosen.views % 2:
        options.error(f"methods are {', '.join(METHODS)}, and views an even number from 12")
    rows = [*simulated(chosen), *([] if chosen.no_real else real(chosen))]
    header = header_of(chosen)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "recon_accuracy.json").write_text(json.dumps({**header, "rows": rows}, indent=1), encoding="utf-8")
    text = report(header, rows)
    (chosen.out / "recon_accuracy.md").write_text(text, encoding="utf-8")
    print(text)


def wanted(chosen: argparse.Namespace, name: str) -> bool:
    return not chosen.only or name in chosen.only.split(",")


def simulated(chosen: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for subject in SUBJECTS:
        if not wanted(chosen, subject.name):
            continue
        if not subject.path(chosen.data).is_file():
            print(f"{subject.name} left out: no {subject.path(chosen.data).name}", file=sys.stderr)
            continue
        capture = capture_of(subject, chosen.data, chosen.cache, chosen.size, chosen.views, chosen.samples)
        images = [chosen.data / "hdri" / name for name in ENVIRONMENTS]
        images = [] if chosen.no_relight else [path for path in images if path.is_file()]
        known = [relit_truth(subject, chosen, capture, path) for path in images]
        for method in chosen.methods:
            rows.append({"part": subject.name, "kind": subject.kind, "method": method})
            rows[-1] |= measured(chosen, capture, subject.name, method, images, known)
    return rows


def real(chosen: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for name in REAL_CAPTURES:
        capture = chosen.data / "captures" / name
        if wanted(chosen, name) and capture.is_dir():
            for method in chosen.methods:
                rows.append({"part": name, "kind": "real", "method": method})
                rows[-1] |= measured(chosen, capture, name, method, [], [])
    return rows


def relit_truth(subject: Subject, chosen: argparse.Namespace, capture: Path, environment: Path) -> Path:
    """The truth under an unseen environment, and one gain for its pictures, kept beside the capture."""
    from core.colour import luminance
    from flawsmith.relight import photographs, surrounding
    from flawsmith.simulate import dressed
    from render.client import Renderer

    path = chosen.cache / f"{capture.name}_{environment.stem}.npz"
    if path.is_file():
        return path
    read = [json.loads((capture / n).read_text(encoding="utf-8")) for n in ("truth/truth.json", "transforms.json")]
    plan = plan_of(subject, chosen.size, chosen.views, chosen.samples)
    with Renderer("cpu") as renderer:
        lit = photographs(
            renderer, dressed(subject.path(chosen.data), plan), *relit_views(read[0], read[1]),
            (surrounding(environment),), seed=1,
        )  # fmt: skip
    radiance, part = np.stack([p.radiance for p in lit]), np.stack([p.part for p in lit])
    gain = METER / max(float(np.percentile(luminance(radiance)[part], 99)), 1e-9)
    np.savez_compressed(path, radiance=radiance.astype(np.float32), part=part, gain=gain)
    return path


def measured(
    chosen: argparse.Namespace, capture: Path, name: str, method: str, images: list[Path], known: list[Path]
) -> dict[str, Any]:
    """The row's figures, from the cache or from a child process; `error` with its last line where it failed."""
    from flawsmith.versions import commit

    budget = f"{chosen.preset}_{chosen.minutes:g}min_{chosen.size}_{chosen.views}_{chosen.seed}"
    budget += f"{'' if images else '_not_relit'}{'' if chosen.device == 'cpu' else '_' + chosen.device}"
    done = chosen.cache / "rows" / commit()[:10] / budget / f"{name}_{method}.json"
    if not done.is_file():
        done.parent.mkdir(parents=True, exist_ok=True)
        ask = {
            "capture": str(capture.resolve()), "method": method, "preset": chosen.preset, "minutes": chosen.minutes,
            "size": chosen.size, "seed": chosen.seed, "device": chosen.device, "out": str(done.resolve()),
            "environments": [str(p.resolve()) for p in images], "relit": [str(p.resolve()) for p in known],
        }  # fmt: skip
        print(f"{name}: {method}", file=sys.stderr, flush=True)
        script = str(Path(__file__).with_name("recon_measure.py"))
        ran = subprocess.run([sys.executable, script, json.dumps(ask)], capture_output=True, text=True, check=False)
        if ran.returncode:
            return {"error": ran.stderr.strip().splitlines()[-1] if ran.stderr.strip() else f"rc {ran.returncode}"}
    return json.loads(done.read_text(encoding="utf-8"))


def header_of(chosen: argparse.Namespace) -> dict[str, Any]:
    from flawsmith.versions import commit

    info = Path("/proc/cpuinfo")
    names = [x for x in info.read_text().splitlines() if x.startswith("model name")] if info.exists() else []
    machine = names[0].split(":", 1)[1].strip() if names else platform.processor()
    return {
        "date": str(date.today()),
        "device": f"{machine}, {os.cpu_count()} cores, fitted on {chosen.device}",
        "commit": commit()[:11],
        "preset": chosen.preset,
        "minutes": chosen.minutes,
        "picture": f"{chosen.size}x{chosen.size}, {chosen.views} views, rings at 15 and 45 degrees",
    }


def report(header: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    lines = [
        f"{header['date']}, {header['device']}, commit {header['commit']}, preset {header['preset']} within "
        f"{header['minutes']:g} min, {header['picture']}.",
        "",
    ]
    groups = (("Diffuse and painted parts", MATT), ("Metal and glossy parts", ("metal", "glossy")))
    for title, kinds in groups:
        group = [r for r in rows if r["kind"] in kinds]
        if group:
            lines += [f"### {title}", "", *table(group, COLUMNS), "", *verdicts(group), ""]
    group = [r for r in rows if r["kind"] == "real"]
    if group:
        lines += ["### Real captures (no truth of shape)", "", *table(group, REAL_COLUMNS), ""]
    return "\n".join(lines)


def table(rows: list[dict[str, Any]], columns: tuple[tuple[str, str, int], ...]) -> list[str]:
    heads = ["part", "method", *(c[0] for c in columns)]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in rows:
        cells = [_cell(row, key, places) for _, key, places in columns]
        if "error" in row:
            cells = [row["error"].replace("|", "/"), *[""] * (len(columns) - 1)]
        lines.append(f"| {row['part']} | {row['method']} | " + " | ".join(cells) + " |")
    return lines


def _cell(row: dict[str, Any], key: str, places: int) -> str:
    if key not in row:
        return "-"
    return f"{row[key] * (1e3 if key.endswith('_chamfer') else 1):.{places}f}"


def verdicts(rows: list[dict[str, Any]]) -> list[str]:
    """Means of every method, and ours against the hull and against its own cut-down versions."""
    by = {(r["part"], r["method"]): r for r in rows if "error" not in r}
    lines = []
    for method in dict.fromkeys(r["method"] for r in rows):
        own = [r for (_, m), r in by.items() if m == method]
        if own:
            means = {k: _mean(own, k) for k in ("seen_percent", "all_percent", "psnr", "relit_scaled_psnr")}
            lines.append(
                f"- {method}, mean of {len(own)}: seen {means['seen_percent']:.3f} %, "
                f"all {means['all_percent']:.3f} %, held-out {means['psnr']:.1f} dB, "
                f"scaled relighting {means['relit_scaled_psnr']:.1f} dB"
            )
    for other in ("hull", "no_shadows", "fixed_light"):
        pairs = [(by[p, "ours"], by[p, other]) for p, m in by if m == "ours" and (p, other) in by]
        if pairs:
            ratio = [a["seen_percent"] / b["seen_percent"] for a, b in pairs]
            gain = [a["psnr"] - b["psnr"] for a, b in pairs]
            lines.append(
                f"- ours against {other}: seen Chamfer x {np.mean(ratio):.2f} on the mean, at most half on "
                f"{sum(r <= 0.5 for r in ratio)} and worse on {sum(r > 1 for r in ratio)} of {len(pairs)}; held-out "
                f"{np.mean(gain):+.1f} dB"
            )
    return lines


def _mean(rows: list[dict[str, Any]], key: str) -> float:
    values = [r[key] for r in rows if key in r]
    return float(np.mean(values)) if values else float("nan")


if __name__ == "__main__":
    main()
