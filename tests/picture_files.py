"""Files as cameras and labelling tools write them and Pillow cannot: TIFF of one strip, deep PNG."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np


def write_tiff(
    path: Path, values: np.ndarray, photometric: int, orientation: int = 1, extra: int | None = None, order: str = "<"
) -> Path:
    """values (h, w) or (h, w, c), uint8 or uint16. extra: of ExtraSamples. order: "<" little-endian, ">" big."""
    h, w = values.shape[:2]
    channels = 1 if values.ndim == 2 else values.shape[2]
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    bits = [values.dtype.itemsize * 8] * channels
    tags = {256: [w], 257: [h], 258: bits, 259: [1], 262: [photometric], 273: [0], 274: [orientation],
            277: [channels], 278: [h], 279: [len(data)], 284: [1]}  # fmt: skip
    if extra is not None:
        tags[338] = [extra]
    after = 8 + 2 + 12 * len(tags) + 4
    more = struct.pack(f"{order}{channels}H", *bits) if channels > 2 else b""
    tags[273] = [after + len(more)]
    entries = b""
    for tag, found in sorted(tags.items()):
        wide = tag in (273, 279)
        value = struct.pack(order + ("I" if wide else f"{len(found)}H"), *found)
        if len(value) > 4:
            value = struct.pack(order + "I", after)
        entries += struct.pack(order + "HHI", tag, 4 if wide else 3, len(found)) + value.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, len(tags))
    path.write_bytes(head + entries + b"\0" * 4 + more + data)
    return path


def deep_png(path: Path, values: np.ndarray, clear: tuple[int, ...]) -> Path:
    """16 bits; one colour transparent."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, 0 if values.ndim == 2 else 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = [(b"IHDR", head), (b"tRNS", struct.pack(f">{len(clear)}H", *clear)), (b"IDAT", zlib.compress(rows))]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*c) for c in [*chunks, (b"IEND", b"")]))
    return path
