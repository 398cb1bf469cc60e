"""Train the embedded diffusion model on pairs of `tools/make_pairs.py`, or go on where the last call stopped.

    OMP_WAIT_POLICY=passive python tools/train_tiny.py PAIRS OUT --steps 26000 [--device cuda --batch 128 --workers 12]
    python tools/train_tiny.py MORE_PAIRS OUT --steps 6000 --start defects/generative/weights/tiny.safetensors

OUT gets checkpoint.safetensors (to go on from), tiny.safetensors (the weights to ship), log.jsonl (losses). The same
seed, batch size and pairs give the same samples in the same order on any machine, with any number of workers.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch

from core.errors import FlawsmithError
from core.files import sha256_file
from defects.generative.tiny.backend import TinyPainter
from defects.generative.tiny.config import TinyConfig
from defects.generative.tiny.pairs import framed, read_pairs
from defects.generative.tiny.strips import sheet
from defects.generative.tiny.train import WEIGHTS, Origin, Training, train
from defects.generative.tiny.weights import load_weights


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("pairs", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--steps", type=int, required=True)
    options.add_argument("--batch", type=int, default=Training.batch)
    options.add_argument("--rate", type=float, default=Training.rate)
    options.add_argument("--decay", type=float, default=Training.decay)
    options.add_argument("--seed", type=int, default=Training.seed)
    options.add_argument("--start", type=Path, default=None, help="weights to start from; default: drawn at random")
    options.add_argument("--crop", type=int, default=0, help="train on windows of this side first: 64 costs a quarter")
    options.add_argument("--whole", type=float, default=Training.whole, help="share of the steps, the last, without")
    options.add_argument("--minutes", type=float, default=None)
    options.add_argument("--save-every", type=int, default=Training.save_every)
    options.add_argument("--workers", type=int, default=Training.workers)
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options.add_argument("--full-precision", action="store_true", help="float32 instead of bfloat16")
    options.add_argument("--sheet", type=Path, default=None, help="a PNG of held-out pairs beside samples, at the end")
    chosen = options.parse_args()
    how = Training(chosen.steps, chosen.batch, workers=chosen.workers, device=chosen.device)
    how = replace(
        how, rate=chosen.rate, decay=chosen.decay, seed=chosen.seed, minutes=chosen.minutes, crop=chosen.crop,
        whole=chosen.whole, save_every=chosen.save_every, half=not chosen.full_precision,
    )  # fmt: skip
    if chosen.device.startswith("cuda"):
        torch.backends.cudnn.benchmark = True
    try:
        config, origin = TinyConfig(), Origin()
        if chosen.start:
            net, config, _ = load_weights(chosen.start)
            origin = Origin(net.state_dict(), {"start_sha256": sha256_file(chosen.start)})
        pairs, held_out = (framed(read_pairs(chosen.pairs, held), config, chosen.seed) for held in (False, True))
        print(f"{len(pairs)} windows of pairs, {len(held_out)} held out", flush=True)
        train(chosen.out, pairs, held_out, config, how, lambda line: print(line, flush=True), origin)
        if chosen.sheet:
            sheet(chosen.sheet, TinyPainter(chosen.out / WEIGHTS, device=chosen.device), held_out)
    except FlawsmithError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
