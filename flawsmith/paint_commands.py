"""The commands of the photo route: paint defects into photographs, make whole pictures, teach from a few examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from flawsmith.console import plain
from flawsmith.options import FitDevice, Json, Quiet, err, out

Drawn = Annotated[str | None, typer.Option("--blueprint", help="Draw each mask in mm: a blueprint's name or .yaml.")]
Damage = Annotated[str | None, typer.Option("--type", help="Damage to show. [default: the blueprint's]")]
Scale = Annotated[float | None, typer.Option(min=1e-6, help="Scale of the pictures, for --blueprint.")]
Seed = Annotated[int, typer.Option(help="Of everything that is drawn.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Of the sampler.")]
Guidance = Annotated[float | None, typer.Option(min=1.0, help="Strength of the damage type.")]
Size = Annotated[int | None, typer.Option(min=32, help="Side of the crops or pictures, px. [default: as trained]")]
Precision = Annotated[Literal["float32", "float16", "bfloat16"], typer.Option()]
SD15_ONLY = {
    "base", "controlnet", "size", "rank", "tokens", "accumulate", "precision", "checkpointing", "strips_every",
}  # fmt: skip
TINY_ONLY = {"weights"}
"""Options of train-inpaint that the other backends do not have."""
FOREIGN = {"tiny": SD15_ONLY, "sd15": TINY_ONLY | {"controlnet"}, "sd15-controlnet": TINY_ONLY}


def inpaint(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO|FOLDER", help="A photograph, or a folder of them.")],
    out_: Annotated[Path, typer.Option("--out", help="Folder for images, labels and facts.")],
    mask: Annotated[Path | None, typer.Option(help="A mask, or a folder with NAME.png or NAME_mask.png.")] = None,
    blueprint: Drawn = None,
    type_: Damage = None,
    mm_per_px: Scale = None,
    part_mask: Annotated[Path | None, typer.Option(help="What belongs to the part: a mask, or a folder.")] = None,
    seed: Seed = 0,
    backend: Annotated[Literal["tiny", "sd15", "sd15-controlnet", "overlay"], typer.Option()] = "overlay",
    learned: Annotated[Path | None, typer.Option(help="Folder that train-inpaint wrote.")] = None,
    base: Annotated[str | None, typer.Option(help="Folder or hub id that it was trained on.")] = None,
    steps: Steps = None,
    guidance: Guidance = None,
    size: Size = None,
    precision: Precision = "float32",
    device: FitDevice = "cpu",
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """Paint a defect into photographs, exactly where a mask says; every other pixel stays."""
    from core.models import parse
    from flawsmith.paint_choice import PaintChoice
    from flawsmith.paint_folder import PaintOrder, inpaint_folder

    choice = parse(PaintChoice, {
        "backend": backend, "learned": None if learned is None else str(learned.resolve()), "base": base,
        "steps": steps, "guidance": guidance, "size": size, "precision": precision, "mm_per_px": mm_per_px,
    }, "inpaint")  # fmt: skip
    order = PaintOrder(
        photo, out_, choice, mask=mask, blueprint=blueprint, damage=type_, part_mask=part_mask, seed=seed
    )
    made = inpaint_folder(order, device, None if quiet or json_ else lambda name, text: _told(f"{name}: {text}"))
    if json_:
        print(json.dumps(made))
    elif not quiet:
        _print(f"{made['painted']} of {made['photographs']} painted{_kept(made)}, in {out_}")


def generate(
    learned: Annotated[Path, typer.Option(help="Folder that train-inpaint wrote with --backend sd15-controlnet.")],
    base: Annotated[str, typer.Option(help="SD 1.5 that it was trained on: a folder of diffusers or a hub id.")],
    out_: Annotated[Path, typer.Option("--out", help="Folder for images, clean twins, labels and facts.")],
    mask: Annotated[Path | None, typer.Option(help="A mask of the pictures' size, or a folder of them.")] = None,
    blueprint: Drawn = None,
    type_: Damage = None,
    mm_per_px: Scale = None,
    images: Annotated[int, typer.Option(min=1, help="How many; masks of a folder are taken in turn.")] = 1,
    paste: Annotated[bool, typer.Option("--paste", help="Outside the mask the clean twin's pixels.")] = False,
    seed: Seed = 0,
    tries: Annotated[int, typer.Option(min=1, help="Of a picture in which nothing visible happens.")] = 4,
    steps: Steps = None,
    guidance: Guidance = None,
    size: Size = None,
    precision: Precision = "float32",
    device: FitDevice = "cpu",
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """Make whole pictures with a defect that nobody took, and their clean twins, with a ControlNet."""
    from core.models import parse
    from flawsmith.paint_choice import PaintChoice
    from flawsmith.paint_generate import GenerateOrder, generate_folder

    choice = parse(PaintChoice, {
        "backend": "sd15-controlnet", "learned": str(learned.resolve()), "base": base, "steps": steps,
        "guidance": guidance, "size": size, "precision": precision, "mm_per_px": mm_per_px, "tries": tries,
    }, "generate")  # fmt: skip
    order = GenerateOrder(
        out_, choice, mask=mask, blueprint=blueprint, damage=type_, images=images, seed=seed, paste=paste
    )
    made = generate_folder(order, device, None if quiet or json_ else lambda name, text: _told(f"{name}: {text}"))
    if json_:
        print(json.dumps(made))
    elif not quiet:
        _print(f"{made['made']} of {made['pictures']} made{_kept(made)}, in {out_}")


def train_inpaint(
    context: typer.Context,
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="MVTec layout, or a folder a type with masks.")],
    out_: Annotated[Path, typer.Option("--out", help="Folder for what is learned; the same goes on.")],
    base: Annotated[str | None, typer.Option(help="SD 1.5 as a folder of diffusers, or a hub id in the cache.")] = None,
    backend: Annotated[Literal["tiny", "sd15", "sd15-controlnet"], typer.Option()] = "sd15",
    weights: Annotated[Path | None, typer.Option(help="Of tiny, to start from. [default: the shipped ones]")] = None,
    controlnet: Annotated[Path | None, typer.Option(help="Start from this ControlNet instead of the base.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="[default: 2000; tiny 1000]")] = None,
    size: Annotated[int, typer.Option(min=32, help="Side of the crops, px, a multiple of 8.")] = 512,
    rank: Annotated[int, typer.Option(min=0, help="Of the LoRA; 0: none (ControlNet only).")] = 16,
    tokens: Annotated[int, typer.Option(min=1, help="Of each damage type.")] = 8,
    batch: Annotated[int | None, typer.Option(min=1, help="[default: 2; tiny 16]")] = None,
    accumulate: Annotated[int, typer.Option(min=1, help="Batches a step.")] = 4,
    learning_rate: Annotated[float | None, typer.Option(help="[default: 1e-4; tiny 2e-4]")] = None,
    precision: Precision = "float32",
    checkpointing: Annotated[bool, typer.Option("--checkpointing", help="Less memory, slower.")] = False,
    flips: Annotated[
        str, typer.Option(help="Plausible mirrors: horizontal,vertical, or none.")
    ] = "horizontal,vertical",
    save_every: Annotated[int | None, typer.Option(min=1, help="Steps. [default: 250; tiny 100]")] = None,
    strips_every: Annotated[int, typer.Option(min=0, help="Steps between validation strips; 0: none.")] = 250,
    least: Annotated[int, typer.Option(min=1, help="Examples that each type needs.")] = 3,
    seed: Annotated[int, typer.Option()] = 0,
    device: FitDevice = "cpu",
    quiet: Quiet = False,
) -> None:
    """Teach a diffusion backend the damage of a few photographs with masks: Stable Diffusion 1.5, or tiny."""
    from core.errors import InputError
    from defects.generative.augment import Moves
    from defects.generative.examples import read_examples

    said = {n for n in context.params if (source := context.get_parameter_source(n)) and source.name == "COMMANDLINE"}
    foreign = said & FOREIGN[backend]
    if foreign:
        names = ", ".join(f"--{n.replace('_', '-')}" for n in sorted(foreign))
        raise InputError(f"backend {backend} with {names}", "options that it has", "leave them out")
    if backend != "tiny" and base is None:
        raise InputError(
            f"backend {backend} without --base", "Stable Diffusion 1.5, as a folder or hub id",
            "give --base, or use --backend tiny, which ships with Flawsmith",
        )  # fmt: skip
    mirrors = tuple(f for f in flips.split(",") if f and f != "none")
    given = {"steps": steps, "batch": batch, "save_every": save_every, "learning_rate": learning_rate}
    common: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
    common |= {"seed": seed, "device": device, "moves": Moves(flips=mirrors)}
    if backend == "tiny":
        from defects.generative.tiny.teach import Teaching, teach

        how = Teaching(**common)
        _refuse_inside(out_, dataset)
        teach(read_examples(dataset, least), out_, how, (lambda _: None) if quiet else _told, weights)
    else:
        from defects.generative.sd15.files import find_base
        from defects.generative.sd15.settings import TrainSettings
        from defects.generative.sd15.train import train

        settings = TrainSettings(
            **common, size=size, rank=rank, tokens=tokens, accumulate=accumulate, precision=precision,
            checkpointing=checkpointing, strips_every=strips_every,
        )  # fmt: skip
        found = find_base(base or "", backend)
        _refuse_inside(out_, dataset)
        examples = read_examples(dataset, least)

        def told(step: int, count: int, loss: float) -> None:
            if not quiet:
                _told(f"{step:6d}/{count}  loss {loss:.4f}")

        train(examples, found, backend, out_, settings, told, controlnet)
    if not quiet:
        _print(str(out_))


def _refuse_inside(out_: Path, dataset: Path) -> None:
    from core.errors import InputError

    if out_.resolve().is_relative_to(dataset.resolve()):
        raise InputError(
            f"--out {out_} inside {dataset}", "a folder outside the examples, which would be read as one of them",
            "choose another --out",
        )  # fmt: skip


def register(app: typer.Typer, guarded: Any) -> None:
    """Add the commands. guarded: turns what a user can cause into one sentence."""
    app.command()(guarded(inpaint))
    app.command()(guarded(generate))
    app.command("train-inpaint")(guarded(train_inpaint))


def _kept(made: dict[str, Any]) -> str:
    return f", {made['kept']} there already" if made["kept"] else ""


def _told(text: str) -> None:
    err.print(plain(text), soft_wrap=True)


def _print(text: str) -> None:
    out.print(plain(text), soft_wrap=True)
