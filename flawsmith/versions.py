"""Which software made an image: asked of the installed packages and of git, without importing anything heavy."""

from __future__ import annotations

import platform
import shutil
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from core.record import Versions

LIBRARIES = (
    "numpy",
    "opencv-python-headless",
    "OpenImageIO",
    "trimesh",
    "cascadio",
    "manifold3d",
    "scipy",
    "torch",
    "warp-lang",
    "xatlas",
)


@cache
def versions() -> Versions:
    """Of this installation. A package that is not installed is left out."""
    found = {name: v for name in LIBRARIES if (v := _version(name))}
    return Versions(
        flawsmith=_version("flawsmith"),
        commit=commit(),
        blender=_version("bpy"),
        python=platform.python_version(),
        libraries=found,
    )


def commit() -> str:
    """The commit of the checkout this file lies in, "+" appended when tracked files differ; "" outside a checkout."""
    root = Path(__file__).resolve().parent.parent
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return ""
    head = _git(git, root, "rev-parse", "HEAD")
    dirty = _git(git, root, "status", "--porcelain", "--untracked-files=no")
    return "" if head is None else head.strip() + ("+" if dirty else "")


def _git(git: str, root: Path, *arguments: str) -> str | None:
    """What git prints; None when it refuses (no commit yet, or the checkout belongs to someone else)."""
    done = subprocess.run([git, "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
