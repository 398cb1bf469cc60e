"""What the formats of other tools share: which marks count, which images are set aside, links instead of copies."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from core.errors import DatasetError
from core.record import DefectRecord, ImageRecord
from core.seeds import child_seed


def labels_of(record: ImageRecord, acceptable: bool = False) -> tuple[DefectRecord, ...]:
    """The marks of one image that a detector should find; marks within limits only when asked for."""
    return tuple(d for d in record.labelled if acceptable or d.verdict == "defect")


def held_out(records: Sequence[ImageRecord], share: float, purpose: str) -> frozenset[int]:
    """Indices of the images set aside: `share` of the specimens, at least one of two or more.

    All views of a specimen fall on one side, so that nothing that is tested was trained on.
    """
    specimens = sorted({r.specimen for r in records}, key=lambda s: child_seed(0, purpose, s))
    number = min(max(round(share * len(specimens)), 1), len(specimens) - 1) if len(specimens) > 1 else 0
    aside = set(specimens[:number])
    return frozenset(r.index for r in records if r.specimen in aside)


class Linker:
    """Relative symbolic links; where the file system has none, hard links, else copies, and it says so in `notes`."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._ways = [_symlink, _hardlink, _copy]

    def __call__(self, target: Path, link: Path) -> None:
        """Make `link` show the existing file `target`."""
        link.parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                self._ways[0](target, link)
                return
            except (OSError, NotImplementedError) as error:
                if len(self._ways) == 1:
                    raise
                reason = getattr(error, "strerror", None) or str(error)
                self.notes.append(f"no {self._ways[0].__doc__} here ({reason}); {self._ways[1].__doc__} instead")
                del self._ways[0]


def _symlink(target: Path, link: Path) -> None:
    """symbolic links"""
    link.symlink_to(os.path.relpath(target, link.parent))


def _hardlink(target: Path, link: Path) -> None:
    """hard links"""
    link.hardlink_to(target)


def _copy(target: Path, link: Path) -> None:
    """copies"""
    shutil.copyfile(target, link)


@contextmanager
def fresh_folder(path: Path) -> Iterator[Path]:
    """Yield an empty sibling, as deep as `path`, that replaces it on success and vanishes on failure."""
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        yield part
        if path.exists():
            shutil.rmtree(path)
        part.rename(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DatasetError(
            f"{path} cannot be written ({reason})", "a writable folder", "make room or rights"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
