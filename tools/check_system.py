"""Are the shared libraries here that the wheels load but do not carry? Names the package for each that is not.

Standard library only: it runs before anything is installed. Exit code 1 when something is missing.
"""

from __future__ import annotations

import ctypes
import shutil
import sys

LIBRARIES = {
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXrender.so.1": "libxrender1",
    "libXt.so.6": "libxt6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libGL.so.1": "libgl1",
    "libOpenGL.so.0": "libopengl0",
    "libEGL.so.1": "libegl1",
    "libgomp.so.1": "libgomp1",
    "libudev.so.1": "libudev1",
    "libuuid.so.1": "libuuid1",
    "libz.so.1": "zlib1g",
    "libstdc++.so.6": "libstdc++6",
}
"""Library -> Debian package: what bpy 4.5, Open3D 0.19 and OpenImageIO 3.0 link against outside their own wheels."""


def missing() -> dict[str, str]:
    """Libraries that the dynamic loader does not find, with the package that has each."""
    found = {}
    for library, package in LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            found[library] = package
    return found


def main() -> int:
    if not sys.platform.startswith("linux"):
        return 0
    lacking = missing()
    for library, package in lacking.items():
        print(f"missing: {library} (package {package})", file=sys.stderr)
    if lacking:
        install = "apt-get install -y --no-install-recommends" if shutil.which("apt-get") else "install the packages of"
        print(f"Blender cannot start without them. As root: {install} {' '.join(lacking.values())}", file=sys.stderr)
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
