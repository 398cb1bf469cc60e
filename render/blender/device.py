"""Where Cycles computes: CPU unless a GPU is asked for and there."""

from __future__ import annotations

import bpy

KINDS = ("OPTIX", "CUDA", "HIP", "METAL")


def choose(wanted: str) -> str:
    """`cpu`, `auto` (the first GPU kind that has a device, else the CPU) or one kind by name. Returns what is used.

    ValueError when a named kind has no device: a silent fall-back would make a GPU job a hundred times slower.
    """
    if wanted.lower() == "cpu":
        return "CPU"
    kinds = KINDS if wanted.lower() == "auto" else (wanted.upper(),)
    preferences = bpy.context.preferences.addons["cycles"].preferences
    for kind in kinds:
        try:
            preferences.compute_device_type = kind
        except TypeError:
            continue
        preferences.refresh_devices()
        found = [d for d in preferences.devices if d.type == kind]
        if found:
            for device in preferences.devices:
                device.use = device.type == kind
            return kind
    if wanted.lower() != "auto":
        raise ValueError(f"device '{wanted}': expected one that Blender finds here; use --device cpu or auto")
    return "CPU"
