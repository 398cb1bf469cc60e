"""What a recipe says about the photo route, and the painter that it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from core.errors import InputError, RecipeError
from core.models import FileModel
from defects.generative.painter import GOOD, Painter

Backend = Literal["tiny", "sd15", "sd15-controlnet", "overlay"]
SD15 = frozenset({"learned", "base", "steps", "guidance", "size", "precision"})
OPTIONS: dict[str, frozenset[str]] = {
    "overlay": frozenset(),
    "tiny": frozenset({"learned", "weights", "steps", "guidance"}),
    "sd15": SD15,
    "sd15-controlnet": SD15,
}
"""What each backend can be told."""


class PaintChoice(FileModel):
    """backend: tiny (the embedded model), sd15, sd15-controlnet (both need `learned` and `base`) or overlay (drawn
    by rule). learned: folder that `flawsmith train-inpaint` wrote. base: folder or hub id it was trained on. weights:
    of tiny, instead of the shipped ones or `learned`. steps, guidance, size: of the sampler; none: the backend's own.

    damage: blueprint or kind -> type of damage, where the backend calls it otherwise. mm_per_px: of photographs
    without a capture. masks: folder of examples whose mask shapes are used instead of drawn ones. tries: of a defect
    in which nothing visible happens. max_px: longer side to which photographs are averaged down on reading.
    """

    backend: Backend = "overlay"
    learned: str | None = None
    base: str | None = None
    weights: str | None = None
    steps: int | None = Field(default=None, ge=1)
    guidance: float | None = Field(default=None, ge=1)
    size: int | None = Field(default=None, ge=32)
    precision: Literal["float32", "float16", "bfloat16"] = "float32"
    damage: Mapping[str, str] = {}
    mm_per_px: float | None = Field(default=None, gt=0)
    masks: str | None = None
    tries: int = Field(default=4, ge=1)
    max_px: int = Field(default=2048, ge=64)

    @model_validator(mode="after")
    def _own_options(self) -> PaintChoice:
        """What a backend does not have would be left out without a word."""
        of_some = set().union(*OPTIONS.values())
        plain = {name: field.default for name, field in type(self).model_fields.items()}
        foreign = sorted(n for n in of_some - OPTIONS[self.backend] if getattr(self, n) != plain[n])
        if foreign:
            has = ", ".join(sorted(OPTIONS[self.backend])) or "none of its own"
            raise ValueError(f"backend {self.backend} has no {', '.join(foreign)}, but {has}")
        return self


def painter_of(choice: PaintChoice, folder: Path, device: str = "cpu") -> Painter:
    """The backend, loaded. folder: where relative paths start. InputError says what is missing and how to get it."""
    if choice.backend == "overlay":
        from defects.generative.rules import Overlay

        return Overlay()
    if choice.backend == "tiny":
        from defects.generative.tiny.backend import TinyPainter
        from defects.generative.tiny.weights import WEIGHTS as SHIPPED

        weights = None if choice.weights is None else folder / choice.weights
        if choice.learned is not None:
            weights = folder / choice.learned / SHIPPED.name
            if not weights.is_file():
                raise InputError(
                    f"{choice.learned} has no {weights.name}", "what flawsmith train-inpaint --backend tiny wrote",
                    "teach it, or leave --learned out",
                )  # fmt: skip
        return TinyPainter(weights, steps=choice.steps, guidance=choice.guidance, device=device)
    if choice.learned is None or choice.base is None:
        raise InputError(
            f"backend {choice.backend} without {'--learned' if choice.learned is None else '--base'}",
            "what flawsmith train-inpaint wrote, and the base it was trained on", "give both, or use backend tiny",
        )  # fmt: skip
    from defects.generative.sd15.backend import Sd15Painter

    given: dict[str, Any] = {k: v for k in ("steps", "guidance") if (v := getattr(choice, k)) is not None}
    base = str(folder / choice.base) if (folder / choice.base).exists() else choice.base
    painter = Sd15Painter(
        folder / choice.learned, base, size=choice.size, device=device, precision=choice.precision, **given
    )
    if painter.name != choice.backend:
        raise InputError(f"{choice.learned} was trained for {painter.name}", choice.backend, "give the other --backend")
    return painter


def damage_for(blueprint: str, kind: str, choice: PaintChoice, painter: Painter) -> str:
    """The painter's word for a blueprint. RecipeError where it has none, or lacks the one that is asked for."""
    known = [t for t in painter.types if t != GOOD]
    asked = {k: choice.damage[k] for k in (blueprint, kind) if k in choice.damage}
    for key, word in asked.items():
        if word not in known:
            raise RecipeError(
                f"paint: {{damage: {{{key}: {word}}}}} with backend {painter.name}", f"one of {', '.join(known)}",
                "correct it, or leave it out",
            )  # fmt: skip
    words = [*asked.values(), blueprint, kind]
    if painter.name == "tiny" and not asked:
        from defects.generative.tiny.config import type_of

        words.insert(0, type_of(kind, blueprint))
    for word in words:
        if word in known:
            return word
    raise RecipeError(
        f"backend {painter.name} knows no damage '{blueprint}' or '{kind}'", f"one of {', '.join(known)}",
        f"say which to use: paint: {{damage: {{{blueprint}: ...}}}}",
    )  # fmt: skip


def torch_device(device: str) -> str:
    """The renderer's word for a device as torch's: cpu or cuda."""
    import torch

    if device in ("auto", "optix", "cuda"):
        return "cuda" if torch.cuda.is_available() else "cpu"
    return "cpu"
