"""Runs the CAD kernel alone in a process: STEP or IGES in, GLB out. Standard library and cascadio only.

    python kernel_worker.py step|iges INPUT OUTPUT TOLERANCE ANGLE_RAD

The kernel is native code that strangers' files can crash; whatever happens here, the caller lives on.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path


def main(kind: str, source: str, target: str, tolerance: str, angle: str) -> int:
    """0 when `target` was written, 3 when the kernel found nothing to write."""
    limit = int(0.75 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # cascadio imports trimesh to register a reader that is not needed here, half of the start-up time
    sys.modules["trimesh"] = None  # type: ignore[assignment]
    import cascadio

    data = cascadio.load(
        Path(source).read_bytes(),
        file_type=kind,  # type: ignore[arg-type]
        tol_linear=float(tolerance),
        tol_angular=float(angle),
        use_parallel=False,
        include_brep=True,
    )
    if not data:
        return 3
    Path(target).write_bytes(data)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
