"""The CAD kernel (Open CASCADE, through cascadio) in a child process with a time limit."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from core.errors import InputError

WORKER = Path(__file__).with_name("kernel_worker.py")
ANGLE_RAD = 0.2
"""Greatest angle between neighbouring facets of a curved face; small radii would be coarse by the tolerance alone."""


def tessellate(path: Path, kind: Literal["step", "iges"], tolerance: float, timeout_s: float = 300.0) -> bytes:
    """GLB bytes of a STEP or IGES file; `tolerance` is the greatest chord error in the kernel's unit (mm).

    InputError when the kernel finds no shape, crashes or needs longer than `timeout_s`.
    """
    with tempfile.TemporaryDirectory(prefix="flawsmith-") as folder:
        target = Path(folder) / "part.glb"
        command = [sys.executable, str(WORKER), kind, str(path.resolve()), str(target), str(tolerance), str(ANGLE_RAD)]
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=timeout_s, stdin=subprocess.DEVNULL, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise InputError(
                f"{path.name} is not tessellated after {timeout_s:.0f} s",
                "a part that the CAD kernel can mesh",
                "raise tolerance_mm, or export fewer bodies",
            ) from error
        if done.returncode == 0:
            return target.read_bytes()
    if done.returncode < 0:
        raise InputError(
            f"the CAD kernel crashed on {path.name} (signal {-done.returncode})",
            f"a sound {kind.upper()} file",
            "export it again, as STEP AP214 or AP242",
        )
    if done.returncode == 3:
        raise InputError(
            f"{path.name} holds no surface that the CAD kernel can read",
            f"a {kind.upper()} file with solids or faces",
            "export solids, not sketches, points or curves",
        )
    reason = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
    raise InputError(f"the CAD kernel failed on {path.name} ({reason[0][:120]})", "a sound file", "export it again")
