"""Pairs on disk (`tools/make_pairs.py`) as training samples. A sample is a pure function of the seed and its number."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch

from core.errors import InputError
from core.seeds import child
from defects.generative.crop import crop_of, pooled, resized, windows
from defects.generative.painter import GOOD
from defects.generative.tiny.augment import Pair, augmented
from defects.generative.tiny.condition import condition, scale_code
from defects.generative.tiny.config import TinyConfig, type_of
from defects.generative.tiny.diffusion import Batch, shifted
from defects.generative.tiny.net import FOLD

Augment = Callable[[Pair, np.random.Generator], Pair]
HOLD_OUT = 16
"""Every shard whose number is a multiple of it is kept for validation."""
NO_TYPE, NO_DAMAGE, NO_PART, NO_SCALE = 0.12, 0.04, 0.2, 0.25
"""Chances that a training sample hides its type, shows no damage, does not know the part, or the scale."""
LATE, BY = 0.5, 4.0
"""Share of training samples whose noise is stronger, and how much."""
MOST_WINDOWS, VISIBLE = 2, 16
"""Of one pair at one resolution; and the change, in codes of 255, that a tenth of a window's mask must show."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """clean: (n, s, s, 3) uint8. change: (n, s, s, 3) int16. mask, part: (n, s, s) bool. mm_per_px, kind: (n,)."""

    clean: np.ndarray
    change: np.ndarray
    mask: np.ndarray
    part: np.ndarray
    mm_per_px: np.ndarray
    kind: np.ndarray

    def __len__(self) -> int:
        return len(self.mask)

    def pair(self, i: int) -> Pair:
        clean = self.clean[i].astype(np.float32)
        return Pair(
            clean / 255, (clean + self.change[i]) / 255, self.mask[i], self.part[i], float(self.mm_per_px[i]),
            str(self.kind[i]),
        )  # fmt: skip


def read_pairs(folder: Path, held_out: bool) -> Pairs:
    """All training pairs of a folder and its subfolders, or those held out. InputError when there are none."""
    shards = sorted(folder.rglob("pairs-*.npz"), key=lambda p: p.name)
    found = [p for p in shards if (_number(p) % HOLD_OUT == 0) == held_out]
    if not found:
        raise InputError(f"{folder} has no {'held-out ' if held_out else ''}shards", "pairs-*.npz", "run make_pairs.py")
    rows: dict[str, list[np.ndarray]] = {}
    for path in found:
        for name, values in _shard(path).items():
            rows.setdefault(name, []).append(values)
    try:
        return Pairs(**{name: np.concatenate(parts) for name, parts in rows.items()})
    except ValueError as error:
        raise InputError(f"the shards of {folder} do not fit together ({error})", "those of one make_pairs.py",
                         "move the others away") from error  # fmt: skip


def _shard(path: Path) -> dict[str, np.ndarray]:
    """Fields of `Pairs`. InputError for a file that make_pairs.py has not written; no pickle is read."""
    try:
        with np.load(path) as shard:
            found = {name: shard[name] for name in ("clean", "change", "mask", "part", "mm_per_px")}
            kinds = [type_of(str(k), str(b)) for k, b in zip(shard["kind"], shard["blueprint"], strict=True)]
        found["kind"] = np.array(kinds, dtype="U32")
        shape = found["mask"].shape
        assert len(shape) == 3 and shape[1] == shape[2], f"masks of {shape}"
        wanted = {"clean": (*shape, 3), "change": (*shape, 3), "part": shape, "mm_per_px": shape[:1], "kind": shape[:1]}
        for name, of in wanted.items():
            assert found[name].shape == of, f"{name} of {found[name].shape}, not {of}"
        types = {"clean": np.uint8, "change": np.int16, "mask": bool, "part": bool}
        for name, of in types.items():
            assert found[name].dtype == of, f"{name} of {found[name].dtype}, not {np.dtype(of)}"
    except (OSError, ValueError, KeyError, EOFError, AssertionError, BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} holds no pairs ({reason})", "a shard of make_pairs.py", "delete it") from error
    return found


def _number(shard: Path) -> int:
    digits = shard.stem.rpartition("-")[2]
    if not digits.isdecimal():
        raise InputError(f"{shard} has no number", "pairs-00012.npz", "rename it, or move it away")
    return int(digits)


def framed(pairs: Pairs, config: TinyConfig, seed: int) -> Pairs:
    """The pairs as painting shows such damage to the network: cut out and magnified by `crop.windows`, at most
    MOST_WINDOWS windows each, and out of a large one a square of `config.size`; once as they are, and once from so far
    away that a pair is that large. What hardly shows is left out."""
    rows: list[tuple[np.ndarray, ...]] = []
    told: list[tuple[float, str]] = []
    for i in range(len(pairs)):
        rng = child(seed, "framed", i)
        mm_per_px = float(pairs.mm_per_px[i])
        whole = pairs.clean[i], (pairs.clean[i] + pairs.change[i]).astype(np.uint8), pairs.mask[i], pairs.part[i]
        for n in sorted({len(whole[2]), min(len(whole[2]), config.size)}):
            clean, defected = (np.rint(resized(v, n)).astype(np.uint8) for v in whole[:2])
            mask, part = (pooled(v, n) for v in whole[2:])
            places = windows(mask, config.sizes, FOLD)
            for k in rng.permutation(len(places))[:MOST_WINDOWS]:
                before, after = (crop_of(v, part, places[k], mm_per_px * len(whole[2]) / n) for v in (clean, defected))
                where = somewhere(before.mask, config.size, rng)
                codes = (np.rint(v.image[where] * 255).astype(np.int16) for v in (before, after))
                was, on = next(codes), before.mask[where]
                change = next(codes) - was
                if np.percentile(np.abs(change).max(2)[on], 90) >= VISIBLE:
                    rows.append((was.astype(np.uint8), change, on, before.part[where]))
                    told.append((before.mm_per_px, str(pairs.kind[i])))
    if not rows:
        raise InputError(f"{len(pairs)} pairs without visible damage", "pairs of make_pairs.py", "render others")
    return Pairs(*(np.stack(c) for c in zip(*rows, strict=True)), *(np.array(c) for c in zip(*told, strict=True)))


@dataclass(frozen=True, eq=False)
class Samples(torch.utils.data.Dataset):
    """Training samples by number, without end. Types are drawn evenly as far as the square root of their numbers.

    plain: as they are, for validation: no augmentation, nothing hidden, pair i for sample i. crop: side of a window
    about a pixel of the mask that is cut out at the end, pixels; 0 keeps all. The network sees no further than its
    coarsest level, and a window of half the side costs a quarter. whole_from: number of the sample from which all is
    kept. augment: how a pair is seen otherwise each time.
    """

    pairs: Pairs
    config: TinyConfig
    seed: int
    plain: bool = False
    crop: int = 0
    whole_from: int = 2**31
    augment: Augment = augmented

    def __post_init__(self) -> None:
        kinds, where, counts = np.unique(self.pairs.kind, return_inverse=True, return_counts=True)
        unknown = sorted(set(kinds.tolist()) - set(self.config.types))
        if unknown:
            known = ", ".join(self.config.types)
            raise InputError(f"pairs of type {', '.join(unknown)}", f"types among {known}", "leave those pairs out")
        share = counts[where] ** -0.5
        object.__setattr__(self, "_ladder", np.cumsum(share / share.sum()))

    def __len__(self) -> int:
        return len(self.pairs) if self.plain else 2**31

    def __getitem__(self, number: int) -> tuple[torch.Tensor, ...]:
        """Fields of `Batch` without the batch axis."""
        rng = child(self.seed, "sample", int(number))
        if self.plain:
            pair = self.pairs.pair(number)
        else:
            ladder: np.ndarray = self._ladder  # type: ignore[attr-defined]
            pick = min(int(np.searchsorted(ladder, rng.random())), len(self.pairs) - 1)
            pair = self._hidden(self.augment(self.pairs.pair(pick), rng), rng)
        row = self._tensors(pair, rng)
        return self._windowed(row, rng) if number < self.whole_from else row

    def _windowed(self, row: tuple[torch.Tensor, ...], rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
        side = row[0].shape[-1]
        if not 0 < self.crop < side:
            return row
        y, x = somewhere(row[2][0].numpy() > 0, self.crop, rng)
        return tuple(v[:, y, x].contiguous() if v.ndim == 3 else v for v in row)

    def _hidden(self, pair: Pair, rng: np.random.Generator) -> Pair:
        draws = rng.random(4)
        if draws[0] < NO_DAMAGE:
            pair = replace(pair, defected=pair.clean, kind=GOOD)
        if draws[1] < NO_TYPE:
            pair = replace(pair, kind="")
        if draws[2] < NO_PART:
            pair = replace(pair, part=np.ones_like(pair.part))
        return replace(pair, mm_per_px=float("nan")) if draws[3] < NO_SCALE else pair

    def _tensors(self, pair: Pair, rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
        mask = pair.mask[None].astype(np.float32)
        change = np.moveaxis(pair.defected - pair.clean, 2, 0) / self.config.change_scale * mask
        kind = self.config.types.index(pair.kind) if pair.kind else self.config.null
        noise = rng.standard_normal(change.shape).astype(np.float32)
        level = float(rng.random())
        if not self.plain and rng.random() < LATE:
            level = shifted(level, BY)
        return (
            torch.from_numpy(change.astype(np.float32)), torch.from_numpy(condition(pair.clean, pair.mask, pair.part)),
            torch.from_numpy(mask), torch.tensor(kind), torch.tensor(scale_code(pair.mm_per_px)),
            torch.tensor(np.float32(level)), torch.from_numpy(noise * mask),
        )  # fmt: skip


def somewhere(mask: np.ndarray, side: int, rng: np.random.Generator) -> tuple[slice, slice]:
    """A square of `side` pixels out of a mask (n, n), about one of its pixels."""
    inside = np.argwhere(mask)
    about = inside[int(rng.integers(len(inside)))] + rng.integers(-side // 3, side // 3 + 1, 2)
    y, x = (int(v) for v in np.clip(about - side // 2, 0, len(mask) - side))
    return slice(y, y + side), slice(x, x + side)


def collate(rows: Sequence[tuple[torch.Tensor, ...]]) -> Batch:
    return Batch(*(torch.stack(column) for column in zip(*rows, strict=True)))
