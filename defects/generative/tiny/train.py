"""Training of the embedded model. Stopping, going on and the number of workers change no number of it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch.utils.data import DataLoader, Sampler

from core.errors import InputError, RenderError
from core.files import write_bytes, write_text
from core.seeds import child_seed
from defects.generative.tiny.augment import augmented
from defects.generative.tiny.config import TinyConfig
from defects.generative.tiny.diffusion import Batch, loss
from defects.generative.tiny.net import TinyNet
from defects.generative.tiny.pairs import Augment, Pairs, Samples, collate
from defects.generative.tiny.weights import CONFIG, refuse_unlike, save_weights

CHECKPOINT, WEIGHTS, LOG = "checkpoint.safetensors", "tiny.safetensors", "log.jsonl"
BARS = 5
"""Groups of noise levels that losses are told for."""


@dataclass(frozen=True)
class Training:
    """steps: in all. batch: samples a step. rate: greatest learning rate, after `warm` steps; it falls to a twentieth
    along a cosine. decay: of the exponential mean of the weights, once it is warm. save_every: steps between
    checkpoints. minutes: stop after so long, with a checkpoint (None: never). crop: see `Samples`; it may change from
    one call to the next. whole: share of the steps, at the end, that sees whole crops instead. types_faster: rate of
    the table of types over that of the network."""

    steps: int
    batch: int = 16
    rate: float = 4e-4
    warm: int = 200
    decay: float = 0.999
    seed: int = 0
    crop: int = 0
    whole: float = 0.0
    save_every: int = 250
    minutes: float | None = None
    workers: int = 0
    device: str = "cpu"
    half: bool = True
    types_faster: float = 1.0


@dataclass(frozen=True)
class Origin:
    """Where a training starts from and what is kept with its weights. tensors: of a trained network; none: drawn at
    random. about: further entries of the weights' header; a training goes on only where they are the same. textons:
    written into the weights beside the network."""

    tensors: Mapping[str, torch.Tensor] | None = None
    about: Mapping[str, str] = field(default_factory=dict)
    textons: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(eq=False)
class State:
    """net and its mean over time (float32), the optimizer and the steps done."""

    net: TinyNet
    mean: dict[str, torch.Tensor]
    optimizer: torch.optim.AdamW
    step: int = 0


def train(
    out: Path,
    pairs: Pairs,
    held_out: Pairs | None,
    config: TinyConfig,
    how: Training,
    say: Callable[[str], None] = print,
    origin: Origin | None = None,
    augment: Augment = augmented,
) -> State:
    """Train, or go on from the checkpoint in `out`. Writes the checkpoint, the half-precision weights of the mean and
    a log of losses, one JSON object a line."""
    origin = origin or Origin()
    state, past = begin(config, how, origin), lines_of(out / LOG)
    if (out / CHECKPOINT).is_file():
        line = restore(state, out / CHECKPOINT, config, how, origin)
        say(f"going on from step {state.step}")
        if not told_last(out, config, state, past):
            keep_weights(state, out, config, how, line, origin)
    out.mkdir(parents=True, exist_ok=True)
    started, told, seen = time.monotonic(), time.monotonic(), np.zeros((2, BARS))
    for batch in batches(pairs, config, how, state.step, augment):
        error = advance(state, batch, how)
        seen += by_level(batch.level, error)
        done = how.minutes is not None and time.monotonic() - started > 60 * how.minutes
        done |= state.step >= how.steps
        if state.step % how.save_every == 0 or done:
            line = {"step": state.step, "seconds": round(time.monotonic() - told, 1), "train": means(seen)}
            if held_out is not None:
                line["held_out"] = means(validate(state, held_out, config, how))
            keep(state, out, config, how, line, origin)
            say(json.dumps(line))
            told, seen = time.monotonic(), np.zeros((2, BARS))
        if done:
            break
    return state


def begin(config: TinyConfig, how: Training, origin: Origin | None = None) -> State:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(child_seed(how.seed, "weights") % 2**63)
        net = TinyNet(config)
    if origin is not None and origin.tensors is not None:
        net.load_state_dict(origin.tensors)
    net = net.to(how.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean = {k: v.detach().clone() for k, v in net.state_dict().items()}
    groups = [
        {"params": [p for name, p in net.named_parameters() if name.startswith("kinds.")], "faster": how.types_faster},
        {"params": [p for name, p in net.named_parameters() if not name.startswith("kinds.")], "faster": 1.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=how.rate, betas=(0.9, 0.99), weight_decay=1e-2)
    return State(net, mean, optimizer)


def batches(pairs: Pairs, config: TinyConfig, how: Training, step: int, augment: Augment) -> Iterator[Batch]:
    """Batch after batch from `step` on: sample n of the run stands in batch n // batch, wherever the run began."""
    whole_from = round((1 - how.whole) * how.steps) * how.batch
    samples = Samples(pairs, config, how.seed, crop=how.crop, whole_from=whole_from, augment=augment)
    numbers = _Numbers(step * how.batch, how.steps * how.batch)
    yield from DataLoader(
        samples, how.batch, sampler=numbers, num_workers=how.workers, collate_fn=collate, drop_last=True,
        persistent_workers=False, pin_memory=how.device.startswith("cuda"), prefetch_factor=4 if how.workers else None,
    )  # fmt: skip


class _Numbers(Sampler[int]):
    def __init__(self, first: int, end: int) -> None:
        self.first, self.end = first, end

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.end))

    def __len__(self) -> int:
        return max(0, self.end - self.first)


def advance(state: State, batch: Batch, how: Training) -> np.ndarray:
    """One step of the optimizer and of the mean; (b,) losses."""
    for group in state.optimizer.param_groups:
        group["lr"] = group["faster"] * rate_at(state.step, how)
    state.net.train()
    with torch.autocast(torch.device(how.device).type, torch.bfloat16, enabled=how.half):
        error = loss(state.net, batch.to(how.device))
    state.optimizer.zero_grad(set_to_none=True)
    mean = error.mean()
    mean.backward()
    steep = torch.nn.utils.clip_grad_norm_(state.net.parameters(), 1.0)
    if not (mean + steep).isfinite():
        raise RenderError(
            f"step {state.step} had a loss of {float(mean.detach()):g}", "a number", "lower the learning rate"
        )
    state.optimizer.step()
    state.step += 1
    kept = min(how.decay, (1 + state.step) / (10 + state.step))
    now = state.net.state_dict()
    with torch.no_grad():
        for name, value in state.mean.items():
            value.lerp_(now[name], 1 - kept)
    return error.detach().float().cpu().numpy()


def rate_at(step: int, how: Training) -> float:
    along = min(1.0, step / max(1, how.steps))
    return how.rate * min(1.0, (step + 1) / how.warm) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * along)))


@torch.no_grad()
def validate(state: State, held_out: Pairs, config: TinyConfig, how: Training, most: int = 256) -> np.ndarray:
    """Sums and counts of the mean weights' loss per group of levels, on the same noise every time."""
    samples = Samples(held_out, config, child_seed(how.seed, "validation"), plain=True)
    net = TinyNet(config).to(how.device)
    net.load_state_dict(state.mean)
    sums = np.zeros((2, BARS))
    for first in range(0, min(most, len(samples)), how.batch):
        batch = collate([samples[i] for i in range(first, min(first + how.batch, most, len(samples)))])
        with torch.autocast(torch.device(how.device).type, torch.bfloat16, enabled=how.half):
            error = loss(net.eval(), batch.to(how.device)).float().cpu().numpy()
        sums += by_level(batch.level, error)
    return sums


def by_level(level: torch.Tensor, error: np.ndarray) -> np.ndarray:
    """(2, BARS): sums and counts of losses per group of levels, from little noise to much."""
    group = np.minimum((level.cpu().numpy() * BARS).astype(int), BARS - 1)
    return np.stack([np.bincount(group, weights, BARS) for weights in (error, np.ones_like(error))])


def means(sums: np.ndarray) -> dict[str, float | list[float | None]]:
    """Mean of all, and of each group of levels from little noise to much; None where a group is empty."""
    each = [round(float(s / n), 5) if n else None for s, n in sums.T]
    return {"all": round(float(sums[0].sum() / max(1, sums[1].sum())), 5), "by_level": each}


def keep(state: State, out: Path, config: TinyConfig, how: Training, line: dict, origin: Origin) -> None:
    """Checkpoint, then weights and the log's next line. RenderError, and nothing is written, where weights are no
    numbers any more."""
    if not all(v.isfinite().all() for v in [*state.mean.values(), *state.net.state_dict().values()]):
        raise RenderError(f"weights that are no numbers at step {state.step}", "numbers", "lower the learning rate")
    tensors = {f"net.{k}": v for k, v in state.net.state_dict().items()}
    tensors |= {f"mean.{k}": v for k, v in state.mean.items()}
    for name, parameter in state.net.named_parameters():
        moments = state.optimizer.state[parameter]
        tensors |= {f"{m}.{name}": moments[m] for m in ("exp_avg", "exp_avg_sq", "step")}
    plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    about = {"training": json.dumps(asdict(how)), "line": json.dumps(line), **origin.about}
    write_bytes(out / CHECKPOINT, save(plain, {"step": str(state.step), "config": config.model_dump_json(), **about}))
    keep_weights(state, out, config, how, line, origin)


def keep_weights(state: State, out: Path, config: TinyConfig, how: Training, line: dict, origin: Origin) -> None:
    """The mean's weights and the log, which is written whole, without lines of steps to come."""
    about = {"training": json.dumps(asdict(how)), **origin.about}
    trained = config.model_copy(update={"trained": config.trained + state.step})
    save_weights(out / WEIGHTS, state.mean, trained, about, origin.textons)
    kept = [x for x in lines_of(out / LOG) if x["step"] < state.step]
    write_text(out / LOG, "".join(json.dumps(x) + "\n" for x in [*kept, line]))


def lines_of(log: Path) -> list[dict]:
    """Every line of a training's log; none where there is no log. InputError for a file of something else."""
    try:
        lines = [json.loads(x) for x in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
        assert all(type(x["step"]) is int for x in lines)
    except (ValueError, TypeError, KeyError, AssertionError) as error:
        raise InputError(
            f"{log} is no log of a training", "one JSON object with a step a line", "use another folder"
        ) from error
    return lines


def told_last(out: Path, config: TinyConfig, state: State, past: list[dict]) -> bool:
    """Whether weights and log are of the checkpoint's step: a run can end before they are written."""
    try:
        with safe_open(out / WEIGHTS, "pt") as stream:
            kept = TinyConfig.model_validate_json((stream.metadata() or {})[CONFIG])
    except (OSError, SafetensorError, KeyError, ValueError):
        return False
    return kept.trained == config.trained + state.step and bool(past) and past[-1]["step"] == state.step


def restore(state: State, path: Path, config: TinyConfig, how: Training, origin: Origin) -> dict:
    """Put a checkpoint into a fresh state; returns its line of the log. InputError when it is of another network or
    schedule of samples, or no checkpoint."""
    try:
        with safe_open(path, "pt") as stream:
            told = stream.metadata() or {}
            tensors = {name: stream.get_tensor(name).to(how.device) for name in stream.keys()}  # noqa: SIM118
        before, line, step = json.loads(told["training"]), json.loads(told["line"]), int(told["step"])
        assert isinstance(before, dict) and isinstance(line, dict), "no mappings"
        assert line["step"] == step, f"a line of step {line['step']} at step {step}"
    except (SafetensorError, KeyError, ValueError, TypeError, AssertionError, RecursionError) as error:
        raise InputError(
            f"{path} is no checkpoint ({' '.join(str(error).split())[:120]})", "one that a training wrote",
            "delete it to begin again, or use another folder",
        ) from error  # fmt: skip
    same = all(before.get(k) == getattr(how, k) for k in ("batch", "seed"))
    same &= all(told.get(k) == v for k, v in origin.about.items())
    if not same or told.get("config") != config.model_dump_json():
        raise InputError(
            f"{path} was trained with another network, batch size, seed, schedule or examples",
            "the same command as before", "use another folder, or the settings in its header",
        )  # fmt: skip

    def part(name: str) -> dict[str, torch.Tensor]:
        return {k[len(name) + 1 :]: v for k, v in tensors.items() if k.startswith(f"{name}.")}

    network = state.net.state_dict()
    parameters = dict(state.net.named_parameters())
    moments = {m: part(m) for m in ("exp_avg", "exp_avg_sq", "step")}
    steps = {name: parameter.new_zeros(()) for name, parameter in parameters.items()}
    for name, wanted in (("net", network), ("mean", network)):
        refuse_unlike(f"{path.name}, {name}", part(name), wanted)
    for name, wanted in (("exp_avg", parameters), ("exp_avg_sq", parameters), ("step", steps)):
        refuse_unlike(f"{path.name}, {name}", moments[name], wanted)
    state.net.load_state_dict(part("net"))
    state.mean = part("mean")
    for name, parameter in state.net.named_parameters():
        state.optimizer.state[parameter] = {
            m: v[name].cpu() if m == "step" else v[name].clone(memory_format=torch.preserve_format)
            for m, v in moments.items()
        }
    state.step = step
    return line
