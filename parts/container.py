"""A glTF 2.0 file as JSON plus buffers: GLB chunks, data URIs and files beside it, nothing outside its folder."""

from __future__ import annotations

import base64
import binascii
import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from core.errors import InputError

COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
SUPPORTED = {
    "KHR_mesh_quantization",
    "KHR_texture_transform",
    "KHR_lights_punctual",
    "KHR_texture_basisu",
    "EXT_texture_webp",
}


@dataclass
class Container:
    """The JSON of a glTF file and its buffers. name: for messages. folder: where files beside it may lie."""

    name: str
    json: dict[str, Any]
    chunk: bytes | None
    folder: Path | None
    files: list[Path] = field(default_factory=list)
    _buffers: dict[int, bytes] = field(default_factory=dict)

    def items(self, key: str) -> list[dict[str, Any]]:
        """A top-level array of objects, empty when absent."""
        value = self.json.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise self.broken(f"'{key}' is not a list of objects")
        return value

    def item(self, key: str, index: Any) -> dict[str, Any]:
        values = self.items(key)
        if not isinstance(index, int) or not 0 <= index < len(values):
            raise self.broken(f"{key}[{index}] does not exist")
        return values[index]

    def broken(self, why: str) -> InputError:
        return InputError(f"{self.name} is not valid glTF ({why})", "a complete glTF 2.0 file", "export it again")

    def buffer(self, index: int) -> bytes:
        """The bytes of one buffer, read once."""
        if index not in self._buffers:
            entry = self.item("buffers", index)
            uri, length = entry.get("uri"), entry.get("byteLength", 0)
            if uri is None:
                if self.chunk is None or index != 0:
                    raise self.broken(f"buffer {index} has no data")
                data = self.chunk
            elif uri.startswith("data:"):
                data = self.inline(uri)
            else:
                data = self._beside(uri)
            if len(data) < length:
                raise self.broken(f"buffer {index} holds {len(data)} of {length} bytes")
            self._buffers[index] = data
        return self._buffers[index]

    def view(self, index: Any) -> bytes:
        """The bytes of one bufferView, as images are stored."""
        entry = self.item("bufferViews", index)
        start, length = entry.get("byteOffset", 0), entry.get("byteLength", 0)
        data = self.buffer(entry.get("buffer", -1))
        if not 0 <= start <= start + length <= len(data):
            raise self.broken(f"bufferViews[{index}] reaches beyond its buffer")
        return data[start : start + length]

    def inline(self, uri: str) -> bytes:
        """The bytes of a data URI."""
        head, _, body = uri.partition(",")
        if not head.endswith(";base64"):
            raise self.broken("a data URI is not base64")
        try:
            return base64.b64decode(body, validate=True)
        except binascii.Error as error:
            raise self.broken(f"a data URI is damaged: {error}") from error

    def _beside(self, uri: str) -> bytes:
        path = beside(self.folder, unquote(uri), self.name)
        if not path.is_file():
            raise InputError(
                f"{self.name} needs '{uri}', which is missing", "its buffer file beside it", "add that file"
            )
        self.files.append(path)
        return path.read_bytes()

    def accessor(self, index: Any) -> np.ndarray:
        """(count, width) values of one accessor; normalised integers become floats. Sparse values are filled in."""
        entry = self.item("accessors", index)
        kind, width, count = entry.get("componentType"), WIDTHS.get(entry.get("type", "")), entry.get("count", -1)
        if kind not in COMPONENTS or width is None or not isinstance(count, int) or count < 0:
            raise self.broken(f"accessors[{index}] is malformed")
        dtype = np.dtype(COMPONENTS[kind])
        if "bufferView" in entry:
            values = self._view(entry["bufferView"], entry.get("byteOffset", 0), dtype, width, count)
        else:
            values = np.zeros((count, width), dtype)
        sparse = entry.get("sparse")
        if sparse is not None:
            values = self._filled(values, sparse, dtype, width)
        if entry.get("normalized") and dtype.kind in "iu":
            values = np.maximum(values.astype(np.float64) / np.iinfo(dtype).max, -1.0)
        return values

    def _filled(self, values: np.ndarray, sparse: dict[str, Any], dtype: np.dtype, width: int) -> np.ndarray:
        places, new, count = sparse.get("indices", {}), sparse.get("values", {}), sparse.get("count", 0)
        if places.get("componentType") not in COMPONENTS:
            raise self.broken("sparse indices are malformed")
        integer = np.dtype(COMPONENTS[places["componentType"]])
        rows = self._view(places.get("bufferView"), places.get("byteOffset", 0), integer, 1, count)[:, 0]
        if len(rows) and rows.max() >= len(values):
            raise self.broken("a sparse index is out of range")
        values = values.copy()
        values[rows] = self._view(new.get("bufferView"), new.get("byteOffset", 0), dtype, width, count)
        return values

    def _view(self, index: Any, offset: int, dtype: np.dtype, width: int, count: int) -> np.ndarray:
        view = self.item("bufferViews", index)
        data, size = self.buffer(view.get("buffer", -1)), dtype.itemsize * width
        stride = view.get("byteStride", size) or size
        start = view.get("byteOffset", 0) + offset
        need = stride * (count - 1) + size if count else 0
        end = view.get("byteOffset", 0) + view.get("byteLength", 0)
        if start < 0 or stride < size or start + need > min(end, len(data)):
            raise self.broken(f"bufferViews[{index}] reaches beyond its buffer")
        shape, strides = (count, width), (stride, dtype.itemsize)
        return np.ndarray(shape, dtype, data, start, strides).copy()


def beside(folder: Path | None, reference: str, name: str) -> Path:
    """The file that `reference` names, which must lie in `folder` or below. InputError otherwise."""
    refused = InputError(
        f"{name} refers to '{reference}'", "references to files in its own folder", "put the file beside it"
    )
    if folder is None or "\0" in reference or "://" in reference or ":" in reference[:2] or "\\\\" in reference:
        raise refused
    root = folder.resolve()
    path = (root / reference.replace("\\", "/")).resolve()
    if not path.is_relative_to(root) or path == root:
        raise refused
    return path


def open_gltf(data: bytes, name: str, folder: Path | None) -> Container:
    """Parse GLB or glTF bytes. InputError when damaged, of another version, or compressed by an extension."""
    text, chunk = data, None
    broken = Container(name, {}, None, None).broken
    if data[:4] == b"glTF":
        text, chunk = _chunks(data, broken)
    try:
        value = json.loads(text.decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise broken(f"its JSON cannot be read: {' '.join(str(error).split())[:80]}") from error
    if not isinstance(value, dict) or "asset" not in value:
        raise broken("it has no 'asset'")
    version = str(value["asset"].get("version", "")) if isinstance(value["asset"], dict) else ""
    if not version.startswith("2"):
        raise InputError(f"{name} is glTF version '{version}'", "glTF 2.0", "export it as glTF 2.0")
    required = value.get("extensionsRequired", [])
    foreign = [e for e in required if e not in SUPPORTED and not str(e).startswith("KHR_materials_")]
    if foreign:
        raise InputError(f"{name} needs the glTF extension {foreign[0]}", "plain glTF", "export it without compression")
    return Container(name, value, chunk, folder)


def _chunks(data: bytes, broken: Any) -> tuple[bytes, bytes | None]:
    if len(data) < 20:
        raise broken(f"only {len(data)} bytes")
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise broken(f"GLB version {version}")
    if length > len(data):
        raise broken(f"truncated: {len(data)} of {length} bytes")
    found: dict[int, bytes] = {}
    at = 12
    while at + 8 <= length:
        size, kind = struct.unpack_from("<II", data, at)
        if at + 8 + size > length:
            raise broken("a chunk reaches beyond the file")
        found.setdefault(kind, data[at + 8 : at + 8 + size])
        at += 8 + size
    if 0x4E4F534A not in found:
        raise broken("no JSON chunk")
    return found[0x4E4F534A], found.get(0x004E4942)
