"""Teach the table and the adapters (or a ControlNet) from a handful of examples. Goes on where it stopped, bit for bit
on one machine: every step draws from a seed of its own, and weights, moments, averages and the step are one file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from core.errors import InputError, RenderError
from core.files import sha256_json, usable_folder
from core.seeds import child_seed
from defects.generative.augment import Example
from defects.generative.examples import print_of, types_of
from defects.generative.memory import enough_memory
from defects.generative.painter import GOOD
from defects.generative.sd15.backend import check_sampling
from defects.generative.sd15.batches import Batch, drawn
from defects.generative.sd15.blend import blocks
from defects.generative.sd15.files import Base, Use, check_controlnet, fingerprint
from defects.generative.sd15.learned import (
    load_tensors,
    load_texts,
    read_about,
    refuse_other_keys,
    save_learned,
    save_tensors,
)
from defects.generative.sd15.models import Networks, Precision, networks
from defects.generative.sd15.sampling import encoded
from defects.generative.sd15.settings import TrainSettings
from defects.generative.sd15.strips import write_strips
from defects.generative.sd15.table import dropped

STATE, TOLD = "state.safetensors", "progress"
"""The file that a training goes on from, and the text in its header that says how far it is."""
Progress = Callable[[int, int, float], None]
"""Called with steps done, steps in all, and the loss."""


def train(
    examples: Sequence[Example],
    base: Base,
    use: Use,
    out: Path,
    settings: TrainSettings,
    progress: Progress | None = None,
    controlnet: Path | None = None,
) -> Path:
    """Train into `out`, or go on with it; returns `out`, which holds what `Sd15Painter` takes.

    InputError when `out` holds another training, and without photographs of GOOD: what is painted is told from what
    would stand there anyway. RenderError for a loss or gradients that are no numbers, or too little memory.
    """
    if not any(e.damage == GOOD for e in examples):
        raise InputError(
            f"{len(examples)} examples, none of them without damage", f"photographs in a folder '{GOOD}' too",
            "add some of the same parts: labels are measured against what the model paints for them",
        )  # fmt: skip
    if use == "sd15" and settings.rank == 0:
        raise InputError("rank 0 for inpainting", "a rank of at least 1", "raise --rank")
    if use == "sd15" and controlnet is not None:
        raise InputError(f"a ControlNet ({controlnet}) for backend sd15", "none", "use backend sd15-controlnet for it")
    usable_folder(out)
    nets = networks(base, use, types_of(examples), tokens=settings.tokens, rank=settings.rank, seed=settings.seed,
                    controlnet=controlnet)  # fmt: skip
    identity = sha256_json({"settings": settings.identity(), "types": nets.table.types, "base": base.print, "use": use,
                            "controlnet": None if controlnet is None else fingerprint(check_controlnet(controlnet)),
                            "examples": [print_of(e) for e in examples]})  # fmt: skip
    if settings.strips_every:
        check_sampling(nets, settings.size, settings.sample_steps, settings.guidance)
    run = _Run(nets.to(settings.device, Precision[settings.precision]), settings, out, identity)
    run.resume()
    if run.step and not run.kept():
        run.keep(base)
    if settings.checkpointing:
        for net in (nets.unet, nets.controlnet):
            if net is not None:
                net.enable_gradient_checkpointing()
    while run.step < settings.steps:
        loss = run.one(examples)
        if progress:
            progress(run.step, settings.steps, loss)
        last = run.step == settings.steps
        if last or run.step % settings.save_every == 0:
            run.save()
            run.keep(base)
        if settings.strips_every and (last or run.step % settings.strips_every == 0):
            with run.averaged():
                write_strips(nets, examples, out / "validation" / f"step-{run.step:06d}.png", settings)
    return out


def scaler_of(settings: TrainSettings) -> torch.amp.GradScaler:
    """Keeps small gradients of half precision from vanishing."""
    return torch.amp.GradScaler("cuda", enabled=settings.precision == "float16")


class _Run:
    """Weights, moments and averages between two steps."""

    def __init__(self, nets: Networks, settings: TrainSettings, out: Path, identity: str) -> None:
        self.nets, self.settings, self.out, self.identity = nets, settings, out, identity
        self.learned = nets.learned()
        self.average = {n: p.detach().clone() for n, p in self.learned.items()}
        table = [p for n, p in self.learned.items() if n.startswith("table.")]
        rest = [p for n, p in self.learned.items() if not n.startswith("table.")]
        groups = [{"params": table, "lr": settings.table_rate, "weight_decay": 0.0}, {"params": rest}]
        self.optimizer = torch.optim.AdamW(groups, settings.learning_rate, weight_decay=settings.weight_decay)
        self.scaler = scaler_of(settings)
        self.step, self.losses = 0, []

    def one(self, examples: Sequence[Example]) -> float:
        """One step of the optimizer; returns its loss."""
        s, total = self.settings, 0.0
        self.optimizer.zero_grad(set_to_none=True)
        batch = drawn(examples, s.seed, self.step, s.batch * s.accumulate, s.size, self.nets.cell, s.moves)
        draws = torch.Generator().manual_seed(child_seed(s.seed, "noise", self.step) % 2**63)
        for k in range(s.accumulate):
            at = slice(k * s.batch, (k + 1) * s.batch)
            part = Batch(batch.images[at].to(s.device), batch.masks[at].to(s.device), batch.damage[at])
            do = "lower --batch or --size, or use --checkpointing or --precision bfloat16"
            with enough_memory(f"a batch of {s.batch} crops of {s.size} px", do):
                with torch.autocast(torch.device(s.device).type, Precision[s.precision],
                                    enabled=s.precision != "float32"):  # fmt: skip
                    loss = loss_of(self.nets, part, draws, s) / s.accumulate
                self.scaler.scale(loss).backward()
            total += float(loss.detach())
        self.scaler.unscale_(self.optimizer)
        steep = float(torch.nn.utils.clip_grad_norm_(list(self.learned.values()), s.clip))
        steep = 0.0 if self.scaler.is_enabled() else steep  # a scaler leaves such steps out, and scales by less
        if not math.isfinite(total + steep):
            raise RenderError(
                f"step {self.step} had a loss of {total:g}, gradients of {steep:g}", "numbers", "lower --learning-rate"
            )
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        decay = min(s.ema, (1 + self.step) / (10 + self.step))
        for name, p in self.learned.items():
            self.average[name].lerp_(p.detach(), 1 - decay)
        self.losses.append(total)
        return total

    def save(self) -> None:
        """Everything that going on needs, in one file: whenever a run ends, it is all of one step."""
        state = {f"weight.{n}": p for n, p in self.learned.items()}
        state |= {f"average.{n}": p for n, p in self.average.items()}
        for n, p in self.learned.items():
            for key, value in self.optimizer.state[p].items():
                state[f"{key}.{n}"] = torch.as_tensor(value).reshape(-1) if key == "step" else value
        told = {"step": self.step, "identity": self.identity, "losses": self.losses, "scaler": self.scaler.state_dict()}
        save_tensors(self.out / STATE, state, {TOLD: json.dumps(told)})

    def keep(self, base: Base) -> None:
        """What was learned: the average."""
        s = self.settings
        about = {
            "use": self.nets.use, "rank": s.rank, "size": s.size, "base_print": base.print, "steps": self.step,
            "identity": self.identity, "seed": s.seed, "loss": _mean(self.losses[-100:]),
            "loss_first": _mean(self.losses[:100]),
        }  # fmt: skip
        with self.averaged():
            save_learned(self.out, self.nets.table, about, self.nets.unet if s.rank else None, self.nets.controlnet)

    def kept(self) -> bool:
        """Whether what was learned is that of this step: a run can end between `save` and `keep`."""
        try:
            about = read_about(self.out)
        except InputError:
            return False
        return (about.get("steps"), about.get("identity")) == (self.step, self.identity)

    def resume(self) -> None:
        """From what `save` left, if there is anything."""
        path = self.out / STATE
        if not path.is_file():
            # hidden ones are what an ended run could not rename, or of the desktop
            strangers = sorted(p.name for p in self.out.glob("*") if not p.name.startswith("."))[:3]
            if strangers:
                raise InputError(f"{self.out} holds other files ({', '.join(strangers)})", "an empty folder, or a "
                                 "training to go on with", "choose another --out")  # fmt: skip
            return
        told = told_in(path)
        if told["identity"] != self.identity:
            raise InputError(
                f"{self.out} holds a training with other examples, settings or another base",
                "the same to go on with", "choose another --out",
            )  # fmt: skip
        state = load_tensors(path)
        kinds = ("weight", "average", "exp_avg", "exp_avg_sq")
        wanted = {f"{kind}.{n}": p for n, p in self.learned.items() for kind in kinds}
        wanted |= {f"step.{n}": torch.zeros(1) for n in self.learned}
        refuse_other_keys(wanted, state, str(path))
        for n, p in self.learned.items():
            p.data.copy_(state[f"weight.{n}"])
            self.average[n].copy_(state[f"average.{n}"])
            self.optimizer.state[p] = {
                "step": state[f"step.{n}"].reshape(()).clone(),
                **{k: state[f"{k}.{n}"].to(p.device).clone() for k in ("exp_avg", "exp_avg_sq")},
            }
        self.step, self.losses = told["step"], told["losses"]
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(told["scaler"])

    def averaged(self) -> _Averaged:
        return _Averaged(self.learned, self.average)


def told_in(path: Path) -> dict[str, Any]:
    """Step, identity, losses and the gradients' scaler in a state's header. InputError for a file that is cut, or of
    something else."""
    try:
        told = json.loads(load_texts(path)[TOLD])
        scaler = {str(k): v for k, v in told["scaler"].items()}
        assert all(isinstance(v, int | float) for v in scaler.values()), "a scaler of other than numbers"
        return {"step": int(told["step"]), "identity": str(told["identity"]),
                "losses": [float(v) for v in told["losses"]], "scaler": scaler}  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError, RecursionError) as error:
        raise InputError(
            f"{path} does not say how far a training is ({error})", "a state that this Flawsmith wrote",
            "choose another --out",
        ) from error  # fmt: skip


class _Averaged:
    """Within it, the networks carry the averages."""

    def __init__(self, learned: dict[str, torch.nn.Parameter], average: dict[str, torch.Tensor]) -> None:
        self.learned, self.average = learned, average

    def __enter__(self) -> None:
        self.kept = {n: p.detach().clone() for n, p in self.learned.items()}
        for n, p in self.learned.items():
            p.data.copy_(self.average[n])

    def __exit__(self, *_: object) -> None:
        for n, p in self.learned.items():
            p.data.copy_(self.kept[n])


def loss_of(nets: Networks, batch: Batch, draws: torch.Generator, settings: TrainSettings) -> torch.Tensor:
    """Mean squared error of the predicted noise (or velocity, as the base says), mostly inside the masks."""
    n, device = len(batch.images), batch.images.device
    with torch.no_grad():
        clean = encoded(nets.vae, batch.images).float()
        masked = encoded(nets.vae, batch.images * (_whole(batch.masks, nets.cell) < 0.5)).float()
    cells = blocks(batch.masks, nets.cell)
    noise = torch.randn(clean.shape, generator=draws).to(device)
    times = torch.randint(0, nets.scheduler.config.num_train_timesteps, (n,), generator=draws).to(device)
    noisy = nets.scheduler.add_noise(clean, noise, times)
    rows = torch.tensor([nets.table.row(d) for d in batch.damage], device=device)
    words = nets.table(dropped(rows, settings.dropout, draws))
    if nets.controlnet is None:
        found = nets.unet(torch.cat([noisy, cells, masked], 1), times, encoder_hidden_states=words).sample
    else:
        shown = (batch.masks * _asked(batch.damage, device)).repeat(1, 3, 1, 1)
        down, mid = nets.controlnet(noisy, times, encoder_hidden_states=words, controlnet_cond=shown, return_dict=False)
        found = nets.unet(noisy, times, encoder_hidden_states=words, down_block_additional_residuals=down,
                          mid_block_additional_residual=mid).sample  # fmt: skip
    velocity = nets.scheduler.config.prediction_type == "v_prediction"
    target = nets.scheduler.get_velocity(clean, noise, times) if velocity else noise
    weight = cells + (1.0 if nets.controlnet is not None else settings.outside_weight) * (1 - cells)
    return (weight * F.mse_loss(found.float(), target, reduction="none")).sum() / (weight.sum() * clean.shape[1])


def _whole(masks: torch.Tensor, cell: int) -> torch.Tensor:
    """Masks grown to whole cells, as the sampler shows them."""
    return blocks(masks, cell).repeat_interleave(cell, 2).repeat_interleave(cell, 3)


def _asked(damage: tuple[str, ...], device: torch.device) -> torch.Tensor:
    """(n, 1, 1, 1), 0 for `good`: a ControlNet is shown no mask where nothing is asked for."""
    return torch.tensor([[[[float(d != GOOD)]]] for d in damage], device=device)


def _mean(values: list[float]) -> float:
    return sum(values) / max(1, len(values))
