"""Teach the embedded model the damage of a few photographs with masks: the whole network goes on for a few minutes.

An example shows the damaged surface only; what it may have looked like before is healed from sound surface
(`defects.generative.tiny.heal`). New types start as the null type, which is damage of no kind in particular.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from core.errors import InputError
from core.files import sha256_file, sha256_json, usable_folder
from core.seeds import child
from defects.generative.augment import Example, Moves
from defects.generative.crop import crop_of, windows
from defects.generative.draws import draw
from defects.generative.examples import print_of, types_of
from defects.generative.memory import enough_memory
from defects.generative.painter import GOOD
from defects.generative.ready import check_device
from defects.generative.tiny.augment import Pair
from defects.generative.tiny.backend import TinyPainter
from defects.generative.tiny.config import TinyConfig
from defects.generative.tiny.heal import grown, healed
from defects.generative.tiny.net import FOLD
from defects.generative.tiny.pairs import Pairs, somewhere
from defects.generative.tiny.strips import sheet
from defects.generative.tiny.texture import textons_of
from defects.generative.tiny.train import CHECKPOINT, WEIGHTS, Origin, Training, train
from defects.generative.tiny.weights import WEIGHTS as SHIPPED
from defects.generative.tiny.weights import load_textons, load_weights

STRIPS = "strips.png"
MOST_DONORS = 32
TYPES_FASTER = 25.0
"""Codes of types are about 1 large, and the rate of the network is fine enough to keep what it knows: at that rate new
types would stay what they start as, and the damage of all be that of their mean."""
RIM_PX = 2
"""What is healed beyond the mask."""


@dataclass(frozen=True)
class Teaching:
    """steps: of the optimizer, `batch` crops each; three quarters on windows of half a crop's side. draws: augmented
    examples that the steps choose from. moves: how an example may be augmented."""

    steps: int = 1000
    batch: int = 16
    learning_rate: float = 2e-4
    draws: int = 800
    seed: int = 0
    save_every: int = 100
    device: str = "cpu"
    moves: Moves = field(default_factory=Moves)

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.draws, self.save_every) < 1:
            raise InputError(f"{self}", "steps, batch, draws and save_every of at least 1", "raise them")
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning rate {self.learning_rate}", "a finite number above 0", "correct it")
        check_device(self.device)


def teach(
    examples: Sequence[Example],
    out: Path,
    how: Teaching | None = None,
    say: Callable[[str], None] = print,
    weights: Path | None = None,
) -> Path:
    """Teach into `out`, or go on with it: `out`/tiny.safetensors is what `TinyPainter` takes, strips.png shows each
    type. Returns `out`. InputError when it holds another training, or weights that are none."""
    how, weights = how or Teaching(), weights or SHIPPED
    net, before, _ = load_weights(weights)
    usable_folder(out)
    refuse_strangers(out, weights)
    more = tuple(t for t in types_of(examples) if t not in before.types)
    config = before.model_copy(update={"types": (*before.types, *more)})
    about = {
        "base_sha256": sha256_file(weights),
        "examples_sha256": sha256_json(
            {"examples": [print_of(e) for e in examples], "draws": how.draws, "moves": asdict(how.moves)}
        ),
        "schedule": f"{how.steps} steps, rate {how.learning_rate:g}",
    }
    shown = pairs_of(examples, config, how)
    run = Training(
        how.steps, how.batch, rate=how.learning_rate, warm=min(50, how.steps), decay=0.99, seed=how.seed,
        crop=config.size // 2, whole=0.25, save_every=how.save_every, device=how.device, types_faster=TYPES_FASTER,
    )  # fmt: skip
    textons = load_textons(weights) | textons_of(examples, how.seed)
    origin = Origin(extended(net.state_dict(), before, config), about, textons)
    with enough_memory(f"a batch of {how.batch}", "use a smaller --batch"):
        train(out, shown, None, config, run, say, origin, as_is)
    sheet(out / STRIPS, TinyPainter(out / WEIGHTS, device=how.device), shown)
    return out


def refuse_strangers(out: Path, weights: Path) -> None:
    """InputError where `out` holds the weights to start from, or files and no training to go on with."""
    if (out / WEIGHTS).exists() and (out / WEIGHTS).samefile(weights):
        raise InputError(f"--out {out} holds the weights to start from", "another folder", "choose another --out")
    if (out / CHECKPOINT).is_file():
        return
    # hidden ones are what an ended run could not rename, or of the desktop
    strangers = sorted(p.name for p in out.glob("*") if not p.name.startswith("."))[:3]
    if strangers:
        raise InputError(
            f"{out} holds other files ({', '.join(strangers)})", "an empty folder, or a training to go on with",
            "choose another --out",
        )  # fmt: skip


def pairs_of(examples: Sequence[Example], config: TinyConfig, how: Teaching) -> Pairs:
    """`how.draws` augmented examples as crops of `config.size`: healed, and as photographed. Nothing is changed outside
    the mask, but a little more than the mask is healed: masks are drawn tightly, and a rim of damage left around one
    would tell the network, on every example and on no photograph to be painted, what is to come."""
    donors = [e.image.astype(np.float32) / 255 for e in examples if e.damage == GOOD][:MOST_DONORS]
    rows: list[tuple[np.ndarray, ...]] = []
    kinds: list[str] = []
    for k in range(how.draws):
        rng = child(how.seed, "draw", k)
        example = draw(examples, rng, how.moves)
        if example.mask.all():
            continue  # moved until nothing sound is left in the picture
        places = windows(example.mask, config.sizes, FOLD)
        place = places[int(rng.integers(len(places)))]
        seen = crop_of(example.image, example.part, place, float("nan"))
        shown, before = somewhere(seen.mask, config.size, rng), seen.image
        if example.damage != GOOD:
            healing = _beside(example.mask, RIM_PX)
            clean = healed(example.image.astype(np.float32) / 255, healing, example.part, donors, rng)
            codes = np.rint(clean * 255).astype(np.uint8)
            before = crop_of(codes, example.part, place, float("nan")).image
        clean = np.rint(before * 255)
        change = (np.rint(seen.image * 255) - clean) * seen.mask[..., None]
        row = (clean.astype(np.uint8), change.astype(np.int16), seen.mask, seen.part)
        rows.append(tuple(v[shown] for v in row))
        kinds.append(example.damage)
    if not rows:
        raise InputError("damage that fills every photograph", "sound surface beside it", "use larger photographs")
    clean, change, mask, part = (np.stack(column) for column in zip(*rows, strict=True))
    return Pairs(clean, change, mask, part, np.full(len(rows), np.nan), np.array(kinds))


def _beside(mask: np.ndarray, by: int) -> np.ndarray:
    """The mask grown by `by` pixels, unless that leaves nothing of the photograph beside it."""
    larger = grown(mask, by)
    return mask if larger.all() else larger


def extended(tensors: dict[str, torch.Tensor], before: TinyConfig, after: TinyConfig) -> dict[str, torch.Tensor]:
    """The tensors with rows for the types that `after` has beyond `before`: each starts as the null type."""
    table = tensors["kinds.weight"]
    more = len(after.types) - len(before.types)
    return tensors | {"kinds.weight": torch.cat([table, table[-1:].expand(more, -1)])}


def as_is(pair: Pair, rng: np.random.Generator) -> Pair:
    """Few-shot examples keep their brightness, grain and colour: a damage is told from its surface by them."""
    return pair
