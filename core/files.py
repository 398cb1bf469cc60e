"""Files that are either whole or absent: temporary name, then rename; hashes that identify content."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from core.errors import InputError

PART = re.compile(r"\..+\.\d+\.part(\.[^.]*)?")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path` that replaces it on success and vanishes on failure.

    The suffix is kept, so that writers which choose a format by name still do.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        part.replace(path)
    except FileNotFoundError as error:
        if error.filename != str(part):
            raise
        raise PermissionError(errno.EACCES, "its folder takes no files", str(path)) from error  # such as /proc
    finally:
        part.unlink(missing_ok=True)


def usable_folder(folder: Path) -> Path:
    """The folder, absolute: it takes files, or can be made. Leaves nothing behind. InputError otherwise."""
    folder = folder.absolute()
    if folder == folder.parent:
        raise InputError(f"the folder {folder}", "a folder of its own", "choose another --out")
    made: list[Path] = []
    try:
        made = [p for p in (folder, *folder.parents) if not p.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{os.getpid()}.part"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written ({error.strerror})",
            "a folder that takes files, or can be made",
            "choose another --out",
        ) from error
    finally:
        for path in made:
            with suppress(OSError):  # never made, or someone else's by now
                path.rmdir()
    return folder


def sweep_parts(folder: Path) -> None:
    """Remove temporary files of `atomic_path` that a killed process left in a folder or below it."""
    for path in folder.rglob(".*.part*"):
        if PART.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    with atomic_path(path) as part:
        part.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no blanks: equal values give equal text. NaN and infinity are refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def sha256_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    return sha256_bytes(canonical_json(value).encode())


class _Loader(yaml.SafeLoader):
    """Safe, with the truth values of YAML 1.2: only true and false, so that the key `on` stays a word. A key that
    stands twice is an error: of two values, one would be lost without a word."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key in (k for k, _ in node.value if isinstance(k, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"the key '{key.value}' stands twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return node


_Loader.yaml_implicit_resolvers = {
    first: [(tag, r) for tag, r in known if tag != "tag:yaml.org,2002:bool"]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping with the safe loader; anything else is an InputError that names the file."""
    if not path.is_file():
        raise InputError(f"{path} does not exist", "a YAML file", "check the path")
    try:
        value = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # dates and numbers that are none
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path} is not YAML ({reason})", "plain YAML without tags and doubled keys", "fix that line"
        ) from error
    if value is None:
        raise InputError(f"{path} is empty", "a YAML mapping (key: value)", "see docs/")
    if not isinstance(value, dict):
        raise InputError(f"{path} holds a {type(value).__name__}", "a YAML mapping (key: value)", "see docs/")
    return value
