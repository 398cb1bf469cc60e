"""What a file holds by its first bytes, whatever its name says."""

from __future__ import annotations

from pathlib import Path

_STARTS = {
    b"glTF": "gltf",
    b"ply\n": "ply",
    b"ply\r": "ply",
    b"ISO-10303-21": "step",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"%PDF": "a PDF document",
    b"BLENDER": "a Blender file",
    b"Kaydara FBX": "FBX",
    b"<": "markup (HTML or XML)",
}


def sniffed(path: Path) -> str | None:
    """What the content is beyond doubt ("step", "iges", "gltf", "ply", or words); None when it does not show.

    STL and OBJ have no mark of their own; they are never returned.
    """
    with path.open("rb") as stream:
        head = stream.read(512)
    for start, kind in _STARTS.items():
        if head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").startswith(start):
            return kind
    lines = head.splitlines()
    if lines and len(lines[0]) >= 73 and lines[0][72:73] == b"S":
        return "iges"
    if head.lstrip()[:1] == b"{" and b'"' in head:
        return "gltf"
    return None
