"""What works on this machine: one line a check, and what to do where something does not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from core.errors import FlawsmithError

State = Literal["ok", "warn", "fail"]
PACKAGES = (
    "numpy", "scipy", "opencv-python-headless", "OpenImageIO", "trimesh", "cascadio", "manifold3d", "embreex",
    "pycocotools", "pydantic", "typer", "rich",
)  # fmt: skip
LEAST_GIB = 2.0
PROBE = """
import json, bpy
found = ["CPU"]
preferences = bpy.context.preferences.addons["cycles"].preferences
for kind in ("OPTIX", "CUDA", "HIP", "METAL", "ONEAPI"):
    try:
        preferences.compute_device_type = kind
    except TypeError:
        continue
    preferences.refresh_devices()
    found += [f"{kind}: {d.name}" for d in preferences.devices if d.type == kind]
print("FLAWSMITH" + json.dumps({"blender": bpy.app.version_string, "devices": found}))
"""


@dataclass(frozen=True)
class Check:
    """name: what was looked at. found: what is there. do: what to do about it, "" when nothing."""

    name: str
    state: State
    found: str
    do: str = ""


def examine(folder: Path) -> Iterator[Check]:
    """Every check in turn. folder: where datasets are going to be written."""
    checks: tuple[Callable[[], Iterator[Check]], ...] = (
        _python, _packages, _system, _blender, lambda: _disk(folder), _library, _parts, _real_data,
    )  # fmt: skip
    for check in checks:
        yield from check()


def _python() -> Iterator[Check]:
    found = sys.version.split()[0]
    good = sys.version_info[:2] == (3, 11)
    yield Check("Python", "ok" if good else "fail", found, "" if good else "install Python 3.11: bpy 4.5 has no other")


def _packages() -> Iterator[Check]:
    there, missing = [], []
    for name in PACKAGES:
        try:
            there.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    yield Check("Packages", "ok", ", ".join(there))
    if missing:
        yield Check("Packages", "fail", f"missing: {', '.join(missing)}", "pip install flawsmith again")


def _system() -> Iterator[Check]:
    tool = Path(__file__).resolve().parent.parent / "tools" / "check_system.py"
    if not tool.is_file():
        return
    done = subprocess.run([sys.executable, str(tool)], capture_output=True, text=True, check=False)
    last = (done.stderr or done.stdout).strip().splitlines()[-1:]
    yield Check(
        "System libraries",
        "ok" if done.returncode == 0 else "fail",
        "all there" if done.returncode == 0 else "some are missing",
        "" if done.returncode == 0 else "".join(last),
    )


def _blender() -> Iterator[Check]:
    """In a child process: a bpy that cannot be loaded takes its process down with it."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        yield Check("Blender", "fail", "bpy did not load within 120 s", "try `python -c 'import bpy'`")
        return
    answers = [line for line in done.stdout.splitlines() if line.startswith("FLAWSMITH")]
    if not answers:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        yield Check("Blender", "fail", reason, "pip install bpy==4.5.15, and see System libraries")
        return
    found = json.loads(answers[-1].removeprefix("FLAWSMITH"))
    yield Check("Blender", "ok", found["blender"])
    yield Check("Devices", "ok", f"{'; '.join(found['devices'])} ({os.cpu_count()} threads)")


def _disk(folder: Path) -> Iterator[Check]:
    there = next(p for p in (folder.resolve(), *folder.resolve().parents) if p.exists())
    free = shutil.disk_usage(there).free / 2**30
    if not os.access(there, os.W_OK):
        yield Check("Output folder", "fail", f"{there} is not writable", "run in a folder of your own, or give --out")
    elif free < LEAST_GIB:
        yield Check(
            "Output folder", "warn", f"{free:.1f} GiB free", "an image with all labels takes 2 to 4 MB at 512 px"
        )
    else:
        yield Check("Output folder", "ok", f"{free:.0f} GiB free in {there}")


def _library() -> Iterator[Check]:
    from flawsmith.listing import FOLDERS, entries

    for folder in FOLDERS:
        try:
            found = entries(folder)
        except FlawsmithError as error:
            yield Check(f"Library: {folder}", "fail", error.given, error.do)
            continue
        state: State = "ok" if found else "fail"
        yield Check(f"Library: {folder}", state, f"{len(found)} valid", "" if found else "install again")


def _parts() -> Iterator[Check]:
    """A real import of the smallest solid, so that the CAD kernel and the mesh tools are known to work."""
    import tempfile

    import trimesh

    from parts import load

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cube.stl"
        trimesh.creation.box((10, 10, 10)).export(path)
        try:
            volume = load(path, unit="mm").mesh.volume
        except FlawsmithError as error:
            yield Check("Part import", "fail", str(error), "report this as a bug")
            return
    good = abs(volume * 1e6 - 1.0) < 1e-6
    yield Check("Part import", "ok" if good else "fail", f"a 10 mm cube measures {volume * 1e6:.3f} cm3")


def _real_data() -> Iterator[Check]:
    """Only the tests on strangers' files need it."""
    given = os.environ.get("FLAWSMITH_REAL_DATA")
    if given is None:
        yield Check("Real data", "ok", "FLAWSMITH_REAL_DATA is not set; only some tests use it")
    elif Path(given, "cad").is_dir():
        yield Check("Real data", "ok", given)
    else:
        yield Check("Real data", "warn", f"{given} holds no folder cad", "correct FLAWSMITH_REAL_DATA")
