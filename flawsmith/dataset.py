"""The dataset on disk: whole images or none, resumable, the same bytes whatever interrupted the writing.

An image counts when its line is in manifest.jsonl and every file that the line names has the hash that it names. The
writer puts files in place first (temporary name, rename), then appends the line and syncs it; at the end the manifest
is rewritten in the order of the images and dataset.json is marked complete.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from core.defect import Defect
from core.errors import DatasetError
from core.files import atomic_path, canonical_json, sha256_file, sweep_parts, write_json, write_text
from core.frame import Frame
from core.record import DatasetHeader, DatasetSummary, FileEntry, ImageFacts, ImageRecord, ImageVerdict
from flawsmith import images
from flawsmith.measure import defect_record, jsonable, mm_per_pixel

MANIFEST, HEADER = "manifest.jsonl", "dataset.json"
IDENTITY = ("format", "format_version", "recipe_sha256", "seed", "part", "outputs", "twin", "versions")
"""Fields of the header that must agree before a run may go on in a folder."""


class DatasetWriter:
    """Opens an empty folder or a dataset of the same recipe, seed and software. DatasetError otherwise."""

    def __init__(self, out: Path, header: DatasetHeader) -> None:
        self.out, self.header, self._opened = out, header, False
        self._found = out.exists()
        with _disk(out):
            out.mkdir(parents=True, exist_ok=True)
            if not os.access(out, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(out))
            _refuse_others(out, header)
            self._finished = {r.index for r in repair_manifest(out) if all(intact(out, f) for f in r.files.values())}
            if (out / HEADER).exists():
                sweep_parts(out)
                self._open()
        self.kept = len(self._finished)

    @property
    def finished(self) -> frozenset[int]:
        """Indices of the images that are there and whole."""
        return frozenset(self._finished)

    def add(self, frame: Frame, facts: ImageFacts, defects: Sequence[Defect]) -> ImageRecord:
        """Write every file of one image, then its line. Nothing is left behind when it fails half way."""
        _refuse_wrong(frame, defects)
        files: dict[str, FileEntry] = {}
        with _disk(self.out):
            try:
                self._open()
                for role, path, save in self._outputs(frame, facts.index):
                    files[role] = _write(self.out, path, save)
                record = self._record(frame, facts, defects, files)
                _append(self.out / MANIFEST, _line(record))
            except BaseException:
                self._undo(files)
                raise
        self._finished.add(facts.index)
        return record

    def leave(self) -> None:
        """Nothing was made: a folder that was not there before is taken away again."""
        if not self._found and self.out.is_dir() and not any(self.out.iterdir()):
            self.out.rmdir()

    def _open(self) -> None:
        """The header says that a dataset is being made here. It comes with the first image, not before."""
        if not self._opened:
            opened = self.header.model_copy(update={"complete": False})
            write_json(self.out / HEADER, opened.model_dump(mode="json"))
            self._opened = True

    def _undo(self, files: Mapping[str, FileEntry]) -> None:
        """Remove the files of an image that failed, and every trace of a dataset that has no image."""
        for entry in files.values():
            (self.out / entry.path).unlink(missing_ok=True)
        for folder in self.out.iterdir():
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        if not self._finished and {p.name for p in self.out.iterdir()} <= {MANIFEST, HEADER}:
            (self.out / MANIFEST).unlink(missing_ok=True)
            (self.out / HEADER).unlink(missing_ok=True)
            self._opened = False

    def finish(self, seconds: float = 0.0) -> DatasetSummary:
        """Sort the manifest and mark the dataset complete."""
        with _disk(self.out):
            latest = {r.index: r for r in repair_manifest(self.out)}  # what was damaged and made again has two lines
            records = [latest[i] for i in sorted(self._finished)]
            write_text(self.out / MANIFEST, "".join(_line(r) for r in records))
        verdicts, kinds, rejected = tally(records)
        counts = {"verdicts": verdicts, "kinds": kinds, "rejected": rejected}
        done = {"complete": True, "images": len(records), "counts": counts}
        with _disk(self.out):
            done["manifest_sha256"] = sha256_file(self.out / MANIFEST)
            self.header = self.header.model_copy(update=done)
            write_json(self.out / HEADER, self.header.model_dump(mode="json"))
        return DatasetSummary(
            path=str(self.out),
            images=len(records),
            made=len(records) - self.kept,
            kept=self.kept,
            defects=sum(kinds.values()),
            verdicts=verdicts,
            kinds=kinds,
            rejected=rejected,
            seconds=seconds,
        )

    def _record(
        self, frame: Frame, facts: ImageFacts, defects: Sequence[Defect], files: dict[str, FileEntry]
    ) -> ImageRecord:
        marks = tuple(defect_record(frame, d) for d in sorted(defects, key=lambda d: d.id))
        shown = {d.verdict for d in marks if d.area_px > 0}
        verdict: ImageVerdict = "defect" if "defect" in shown else "acceptable" if shown else "good"
        return ImageRecord(
            **_fields(facts),
            name=f"{facts.index:06d}",
            width=frame.camera.width,
            height=frame.camera.height,
            root_seed=self.header.seed,
            recipe_sha256=self.header.recipe_sha256,
            verdict=verdict,
            camera=frame.camera,
            exposure=float(frame.exposure),
            mm_per_pixel=mm_per_pixel(frame.camera, frame.depth_m, frame.part),
            part_px=int(np.count_nonzero(frame.part)),
            twin=self.header.twin,
            twin_windows=frame.twin_windows,
            measured=jsonable(frame.measured),
            defects=marks,
            versions=self.header.versions,
            files=files,
        )

    def _outputs(self, frame: Frame, index: int) -> Iterator[tuple[str, str, Callable[[Path], object]]]:
        """(role, path, how to save it) of every file of one image."""
        name, wanted = f"{index:06d}", self.header.outputs
        yield "image", f"images/{name}.png", _bytes(lambda: images.photo_bytes(frame.rgb))
        yield "mask", f"masks/{name}.png", _bytes(lambda: images.ids_bytes(frame.ids))
        if "images16" in wanted:
            yield "image16", f"images16/{name}.png", _bytes(lambda: images.photo_bytes(frame.rgb, 16))
        if "clean" in wanted and frame.clean is not None:
            clean = frame.clean
            yield "clean", f"clean/{name}.png", _bytes(lambda: images.photo_bytes(clean))
        if "parts" in wanted:
            yield "part", f"parts/{name}.png", _bytes(lambda: images.bool_bytes(frame.part))
        if "depth" in wanted:
            depth = frame.depth_m[..., None]
            yield "depth", f"depth/{name}.exr", lambda path: images.write_exr(path, depth, ("Z",), "float")
        if "normals" in wanted:
            xyz = ("X", "Y", "Z")
            yield "normal", f"normals/{name}.exr", lambda path: images.write_exr(path, frame.normal, xyz, "half")
        for k in sorted(frame.coverage) if "coverage" in wanted else ():
            value = frame.coverage[k]
            yield f"coverage_{k}", f"coverage/{name}_{k:03d}.png", _bytes(lambda v=value: images.fraction_bytes(v))
        for k in sorted(frame.amodal) if "amodal" in wanted else ():
            mask = frame.amodal[k]
            yield f"amodal_{k}", f"amodal/{name}_{k:03d}.png", _bytes(lambda m=mask: images.bool_bytes(m))


def tally(records: Sequence[ImageRecord]) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Images by verdict, labels by kind, rejected tries by reason; keys sorted."""
    verdicts = Counter(r.verdict for r in records)
    kinds = Counter(d.kind for r in records for d in r.labelled)
    rejected: Counter[str] = Counter()
    for record in records:
        rejected.update({t.reason: t.count for t in record.rejected})
    return dict(sorted(verdicts.items())), dict(sorted(kinds.items())), dict(sorted(rejected.items()))


def read_header(dataset: Path) -> DatasetHeader:
    """dataset.json. DatasetError when it is missing or not one of ours."""
    path = dataset / HEADER
    if not path.is_file():
        raise DatasetError(f"{dataset} holds no {HEADER}", "a dataset folder", "give the folder that a run wrote")
    try:
        return DatasetHeader.model_validate_json(path.read_bytes())
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise DatasetError(
            f"{path} is damaged ({reason})", "the header of a dataset", "run the recipe again"
        ) from error


def read_manifest(dataset: Path) -> tuple[ImageRecord, ...]:
    """Every record, in the order of the file. DatasetError names the first bad line."""
    path = dataset / MANIFEST
    if not path.is_file():
        raise DatasetError(f"{dataset} holds no {MANIFEST}", "a dataset folder", "give the folder that a run wrote")
    return tuple(_parsed(line, path, number) for number, line in enumerate(path.read_bytes().splitlines(), 1))


def repair_manifest(dataset: Path) -> tuple[ImageRecord, ...]:
    """Records of the manifest after cutting off a last line that an interruption tore. DatasetError: other damage."""
    path = dataset / MANIFEST
    if not path.exists():
        return ()
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) != len(data):
        os.truncate(path, len(whole))
    return read_manifest(dataset)


def intact(dataset: Path, entry: FileEntry) -> bool:
    """True when the file is there with the recorded size and hash."""
    path = dataset / entry.path
    return path.is_file() and path.stat().st_size == entry.bytes and sha256_file(path) == entry.sha256


def _line(record: ImageRecord) -> str:
    return canonical_json(record.model_dump(mode="json")) + "\n"


def _parsed(line: bytes, path: Path, number: int) -> ImageRecord:
    try:
        return ImageRecord.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(p) for p in first["loc"]) or "the line"
        raise DatasetError(
            f"{path} line {number} is damaged ({where}: {first['msg']})",
            "one image record per line",
            "run the recipe into a new folder",
        ) from error


def _refuse_others(out: Path, header: DatasetHeader) -> None:
    if not (out / HEADER).exists():
        strangers = sorted(p.name for p in out.iterdir())[:3]
        if strangers:
            raise DatasetError(
                f"{out} holds other files ({', '.join(strangers)})",
                "an empty folder or a dataset",
                "choose another --out",
            )
        return
    there = read_header(out)
    for name in IDENTITY:
        if _identity(there, name) != _identity(header, name):
            raise DatasetError(
                f"{out} holds a dataset with another {name.replace('_', ' ')}",
                "an empty folder, or the same recipe, seed and software to go on with",
                "choose another --out or remove that folder",
            )


def _identity(header: DatasetHeader, name: str) -> object:
    """A field to compare. Of the versions, the commit may differ: every image names its own."""
    return header.versions.model_copy(update={"commit": ""}) if name == "versions" else getattr(header, name)


def _refuse_wrong(frame: Frame, defects: Sequence[Defect]) -> None:
    """A frame whose labels name no defect must never reach the disk."""
    unknown = set(np.unique(frame.ids).tolist()) - {0} - {d.id for d in defects}
    if unknown:
        raise DatasetError(
            f"a frame shows defect ids {sorted(unknown)}", f"ids of its {len(defects)} defects", "report this as a bug"
        )


def _fields(facts: ImageFacts) -> dict[str, Any]:
    return {n: getattr(facts, n) for n in ImageFacts.model_fields} | {"sampled": jsonable(facts.sampled)}


def _bytes(encode: Callable[[], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(encode())


def _write(out: Path, relative: str, save: Callable[[Path], object]) -> FileEntry:
    path = out / relative
    with atomic_path(path) as part:
        save(part)
        data = part.read_bytes()
    return FileEntry(path=relative, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


def _append(path: Path, line: str) -> None:
    """The whole line or nothing of it."""
    with path.open("ab") as stream:
        before = stream.tell()
        try:
            stream.write(line.encode())
            stream.flush()
            os.fsync(stream.fileno())
        except BaseException:
            os.truncate(path, before)
            raise


@contextmanager
def _disk(out: Path) -> Iterator[None]:
    """What the file system refuses becomes one sentence."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        where = error.filename or out
        raise DatasetError(
            f"{where} cannot be written ({reason})",
            "a writable folder with free space",
            "make room or choose another --out",
        ) from error
