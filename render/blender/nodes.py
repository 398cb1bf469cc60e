"""A thin hand for building shader trees: one call a node, sockets in, socket out."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

Value = Any  # a NodeSocket to link, or a constant to set


def node(
    tree: bpy.types.NodeTree, kind: str, inputs: dict[Any, Value] | None = None, **settings: Any
) -> bpy.types.Node:
    """A new node with properties set, and inputs (by name or index) linked or given as constants."""
    made = tree.nodes.new(kind)
    for key, value in settings.items():
        setattr(made, key, value)
    for key, value in (inputs or {}).items():
        put(tree, made.inputs[key], value)
    return made


def put(tree: bpy.types.NodeTree, socket: bpy.types.NodeSocket, value: Value) -> None:
    if isinstance(value, bpy.types.NodeSocket):
        tree.links.new(value, socket)
    elif hasattr(socket.default_value, "__len__") and not isinstance(value, str):
        width = len(socket.default_value)
        socket.default_value = [*value, 1.0][:width] if len(value) < width else list(value)[:width]
    else:
        socket.default_value = value


def math(tree: bpy.types.NodeTree, operation: str, *values: Value, clamp: bool = False) -> bpy.types.NodeSocket:
    return node(tree, "ShaderNodeMath", dict(enumerate(values)), operation=operation, use_clamp=clamp).outputs[0]


def mix(tree: bpy.types.NodeTree, factor: Value, a: Value, b: Value) -> bpy.types.NodeSocket:
    """a + factor (b - a) for numbers, factor clamped to [0, 1]."""
    return node(tree, "ShaderNodeMix", {0: factor, 2: a, 3: b}, data_type="FLOAT").outputs[0]


def mix_colour(tree: bpy.types.NodeTree, factor: Value, a: Value, b: Value) -> bpy.types.NodeSocket:
    return node(tree, "ShaderNodeMix", {0: factor, 6: a, 7: b}, data_type="RGBA").outputs[2]


def attribute(tree: bpy.types.NodeTree, name: str) -> bpy.types.Node:
    return node(tree, "ShaderNodeAttribute", attribute_name=name)


def value(tree: bpy.types.NodeTree, name: str, start: float) -> bpy.types.Node:
    """A named Value node that can be set between renders (persistent data picks it up)."""
    made = node(tree, "ShaderNodeValue", name=name, label=name)
    made.outputs[0].default_value = start
    return made


def picture(name: str, pixels: np.ndarray) -> bpy.types.Image:
    """A float image of data from (h, w, 4) float32, row 0 at v = 0; all four channels as they are."""
    height, width, _ = pixels.shape
    image = bpy.data.images.new(name, width, height, alpha=True, float_buffer=True, is_data=True)
    image.alpha_mode = "CHANNEL_PACKED"
    image.use_half_precision = False
    image.pixels.foreach_set(np.ascontiguousarray(pixels, np.float32).ravel())
    image.pack()
    return image
