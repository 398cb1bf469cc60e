"""Is a dataset what it says it is? Reads nothing but the files on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import DatasetError
from core.files import sha256_file
from core.record import DatasetHeader, ImageRecord
from flawsmith.check_exports import export_faults
from flawsmith.check_labels import label_faults
from flawsmith.dataset import MANIFEST, intact, read_header, read_manifest, tally

FOLDERS = ("images", "images16", "clean", "masks", "parts", "coverage", "amodal", "depth", "normals")


@dataclass(frozen=True)
class Fault:
    """where: an image's name, or a file. what: one sentence."""

    where: str
    what: str


def check(dataset: Path, progress: Callable[[int, int], None] | None = None) -> list[Fault]:
    """Every fault found: header, manifest, hashes, masks, coverage, twins, geometry, exports. Empty: all is well.

    progress: called with images done and all. DatasetError when the folder holds no readable dataset at all.
    """
    header, records = read_header(dataset), read_manifest(dataset)
    faults = [Fault("dataset.json", w) for w in _header(dataset, header, records)]
    faults += [Fault(w, "is not in the manifest") for w in _strays(dataset, records)]
    whole = []
    for done, record in enumerate(records, 1):
        broken = [f.path for f in record.files.values() if not intact(dataset, f)]
        faults += [Fault(record.name, f"{p} is missing or changed") for p in broken]
        if not broken:
            whole.append(record)
            faults += [Fault(record.name, w) for w in _readable(dataset, header, record)]
        if progress is not None:
            progress(done, len(records))
    if len(whole) == len(records):
        faults += [Fault(where, what) for where, what in export_faults(dataset, header, records)]
    return faults


def _readable(dataset: Path, header: DatasetHeader, record: ImageRecord) -> list[str]:
    try:
        return label_faults(dataset, header, record)
    except DatasetError as error:
        return [str(error)]


def _header(dataset: Path, header: DatasetHeader, records: tuple[ImageRecord, ...]) -> list[str]:
    found = []
    if not header.complete:
        found.append("the run that makes it has not finished")
    elif sha256_file(dataset / MANIFEST) != header.manifest_sha256:
        found.append(f"{MANIFEST} is not the one that the run wrote")
    if header.complete and header.images != len(records):
        found.append(f"says {header.images} images, the manifest has {len(records)}")
    indices = [r.index for r in records]
    if len(set(indices)) != len(indices):
        found.append("the manifest has two lines for one image")
    if header.complete and indices != sorted(indices):
        found.append("the manifest is out of order")
    if any(r.recipe_sha256 != header.recipe_sha256 or r.root_seed != header.seed for r in records):
        found.append("some images come from another recipe or seed")
    verdicts, kinds, rejected = tally(records)
    if header.complete and header.counts != {"verdicts": verdicts, "kinds": kinds, "rejected": rejected}:
        found.append("its counts are not those of the manifest")
    return found


def _strays(dataset: Path, records: tuple[ImageRecord, ...]) -> list[str]:
    """Files in our folders that no record names: a loader that lists the folder would take them in."""
    known = {f.path for r in records for f in r.files.values()}
    there = (p.relative_to(dataset).as_posix() for name in FOLDERS for p in (dataset / name).glob("*"))
    return sorted(set(there) - known)
