"""The embedded model, taught from a handful of photographs; and the sound surface that it is taught to change."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors import safe_open
from typer.testing import CliRunner

from core.errors import InputError
from core.seeds import child
from defects.generative.augment import Example, Moves
from defects.generative.draws import GOOD_SHARE, draw
from defects.generative.examples import types_of
from defects.generative.painter import GOOD, Crop
from defects.generative.tiny.backend import TinyPainter
from defects.generative.tiny.heal import healed
from defects.generative.tiny.net import TinyNet
from defects.generative.tiny.teach import STRIPS, Teaching, extended, pairs_of, teach
from defects.generative.tiny.train import WEIGHTS
from defects.generative.tiny.weights import load_weights, save_weights
from flawsmith.cli import app
from tests.generative.tiny_models import SIDE, SMALL, disc, surface

DARKER = 0.2
HOW = Teaching(steps=300, batch=8, learning_rate=2e-3, draws=120, save_every=300)


def blemished(number: int, side: int = 64, radius: float = 6.0) -> Example:
    """A shaded grey surface with grain, darker by DARKER on a disc."""
    image = np.repeat(surface(number, side)[..., :1], 3, 2)
    mask = disc(side, radius + number % 4)
    image = np.where(mask[..., None], image - DARKER, image)
    return Example(codes(image), mask, np.ones_like(mask), "blemish", f"n{number}")


def sound(number: int, side: int = 64) -> Example:
    nothing = np.zeros((side, side), bool)
    image = np.repeat(surface(number, side)[..., :1], 3, 2)
    return Example(codes(image), nothing, ~nothing, GOOD, f"g{number}")


def codes(image: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


EXAMPLES = (*(blemished(n) for n in range(5)), *(sound(n) for n in range(10, 14)))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "small.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(3)
        save_weights(path, TinyNet(SMALL).state_dict(), SMALL, {})
    return path


@pytest.fixture(scope="module")
def learned(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return teach(EXAMPLES, tmp_path_factory.mktemp("learned"), HOW, lambda _: None, base)


def test_a_healed_place_is_as_its_surroundings_and_the_rest_is_untouched() -> None:
    example = blemished(1, 128, 16)
    image = example.image.astype(np.float32) / 255
    truth = np.repeat(surface(1, 128)[..., :1], 3, 2)
    out = healed(image, example.mask, example.part, (), child(0, "heal"))
    assert np.array_equal(out[~example.mask], image[~example.mask])
    off = (out - truth)[example.mask]
    assert abs(off.mean()) < 0.01 < DARKER
    fine = [i[..., 0] - cv2.GaussianBlur(i[..., 0], (0, 0), 1.5) for i in (out, truth)]
    inner = cv2.erode(example.mask.astype(np.uint8), np.ones((5, 5))) > 0
    assert 0.8 < fine[0][inner].std() / fine[1][inner].std() < 1.25, "grain is grown too"


def test_where_nothing_fits_the_surroundings_are_continued() -> None:
    ramp = np.repeat(np.linspace(0.2, 0.8, 40, dtype=np.float32)[None, :, None], 40, 0).repeat(3, 2)
    mask = np.zeros((40, 40), bool)
    mask[:, 8:32] = True
    mask[0] = mask[-1] = False
    out = healed(np.where(mask[..., None], 0, ramp), mask, ~np.zeros_like(mask), (), child(0, "heal"))
    assert np.isfinite(out).all() and out[mask].min() > 0.15 and out[mask].max() < 0.85
    rows = cv2.GaussianBlur(out[..., 0], (0, 0), 3)[20]
    assert np.corrcoef(rows, ramp[20, :, 0])[0, 1] > 0.8


def test_a_donor_is_used_where_the_photograph_has_no_sound_place() -> None:
    rng = child(1, "texture")
    texture = (0.5 + 0.1 * rng.standard_normal((64, 64, 1))).astype(np.float32).repeat(3, 2)
    mask = np.zeros((64, 64), bool)
    mask[8:56, 8:56] = True
    black = np.where(mask[..., None], np.float32(0), texture)
    bare = healed(black, mask, np.ones_like(mask), (), child(0, "heal"))
    helped = healed(black, mask, np.ones_like(mask), (np.roll(texture, 9, 0),), child(0, "heal"))
    middle = np.s_[20:44, 20:44]
    rolled = np.abs(helped[middle] - np.roll(texture, 9, 0)[middle]).std()
    assert rolled < 0.05 < np.abs(bare[middle] - np.roll(texture, 9, 0)[middle]).std()


def test_draws_are_of_all_types_and_some_show_masks_on_sound_places() -> None:
    kinds = [*EXAMPLES, *(replace(blemished(n), damage="spot") for n in range(20, 23))]
    made = [draw(kinds, child(4, k), Moves()) for k in range(300)]
    share = {t: sum(d.damage == t for d in made) / len(made) for t in types_of(kinds)}
    assert all(d.mask.any() for d in made)
    assert abs(share[GOOD] - GOOD_SHARE) < 0.07 and abs(share["spot"] - share["blemish"]) < 0.12


def test_pairs_are_the_damage_and_nothing_outside_the_mask() -> None:
    pairs = pairs_of(EXAMPLES, SMALL, replace(HOW, draws=40))
    assert set(pairs.kind) == {"blemish", GOOD}
    assert not pairs.change[~pairs.mask].any() and not pairs.change[pairs.kind == GOOD].any()
    deep = [np.median(p.change[p.mask]) / 255 for p in _each(pairs) if p.kind[0] != GOOD]
    assert np.mean(deep) == pytest.approx(-DARKER, abs=0.04)


@pytest.mark.slow
def test_what_was_taught_is_painted_and_good_changes_nothing(learned: Path, base: Path) -> None:
    painter = TinyPainter(learned / WEIGHTS)
    assert painter.types == (*SMALL.types, "blemish")
    image = np.repeat(surface(77)[..., :1], 3, 2)
    crop = Crop(image, disc(), np.ones((SIDE, SIDE), bool))
    made = painter.paint([crop] * 4, ["blemish"] * 4, [1, 2, 3, 4])
    change = np.mean([np.median((m - image)[crop.mask]) for m in made])
    assert change == pytest.approx(-DARKER, abs=0.06)
    kept = painter.paint([crop], [GOOD], [1])[0]
    assert np.abs((kept - image)[crop.mask].mean()) < 0.05
    assert (learned / STRIPS).is_file()
    with safe_open(learned / WEIGHTS, "pt") as stream:
        told = json.loads(stream.metadata()["training"])
    assert told["steps"] == HOW.steps and load_weights(learned / WEIGHTS)[1].trained == HOW.steps


def test_types_that_differ_in_nothing_but_their_change_are_told_apart(base: Path, tmp_path: Path) -> None:
    """The code of a type is all that tells them, and must get away from what it starts as in few fine steps."""
    light = [
        replace(e, image=codes(e.image / 255 + 2 * DARKER * e.mask[..., None]), damage="light") for e in EXAMPLES[:5]
    ]
    how = replace(HOW, steps=200, learning_rate=5e-4, draws=60)
    teach([*EXAMPLES[:5], *light], tmp_path, how, lambda _: None, base)
    painter = TinyPainter(tmp_path / WEIGHTS)
    image = np.repeat(surface(77)[..., :1], 3, 2)
    crop = Crop(image, disc(), np.ones((SIDE, SIDE), bool))
    dark, light = (
        np.mean([(m - image)[crop.mask].mean() for m in painter.paint([crop] * 4, [kind] * 4, [1, 2, 3, 4])])
        for kind in ("blemish", "light")
    )
    assert light - dark > DARKER, (dark, light)


def test_new_types_start_as_the_null_type_and_the_null_type_stays_last() -> None:
    tensors = TinyNet(SMALL).state_dict()
    after = SMALL.model_copy(update={"types": (*SMALL.types, "a", "b")})
    table = extended(tensors, SMALL, after)["kinds.weight"]
    assert torch.equal(table[: SMALL.null + 1], tensors["kinds.weight"])
    assert all(torch.equal(row, tensors["kinds.weight"][SMALL.null]) for row in table[SMALL.null :])
    assert len(table) == after.null + 1


def test_going_on_equals_going_through_and_another_set_is_refused(base: Path, tmp_path: Path) -> None:
    how = replace(HOW, steps=6, batch=2, draws=12, save_every=2)
    teach(EXAMPLES, tmp_path / "through", how, lambda _: None, base)
    # the rate follows the number of steps, so the first part is one that was stopped by hand: its checkpoint is copied
    short = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        teach(EXAMPLES, short, how, _stopping_after(2), base)
    teach(EXAMPLES, short, how, lambda _: None, base)
    one, two = (load_weights(tmp_path / n / WEIGHTS)[0].state_dict() for n in ("through", "stopped"))
    assert all(torch.allclose(one[k], two[k], atol=2e-3) for k in one)
    repainted = replace(EXAMPLES[0], image=255 - EXAMPLES[0].image)
    for others in (EXAMPLES[1:], (repainted, *EXAMPLES[1:])):
        with pytest.raises(InputError, match="examples"):
            teach(others, short, how, lambda _: None, base)
    for other in (replace(how, steps=30), replace(how, learning_rate=1e-2)):
        with pytest.raises(InputError, match="schedule"):
            teach(EXAMPLES, short, other, lambda _: None, base)


def test_nothing_of_the_users_is_written_over(base: Path, tmp_path: Path) -> None:
    own, mine = tmp_path / "own", tmp_path / "mine"
    own.mkdir()
    mine.mkdir()
    (own / WEIGHTS).write_bytes(base.read_bytes())
    with pytest.raises(InputError, match="holds the weights to start from"):
        teach(EXAMPLES, own, HOW, lambda _: None, own / WEIGHTS)
    (mine / STRIPS).write_bytes(b"mine")
    with pytest.raises(InputError, match=r"holds other files \(strips.png\)"):
        teach(EXAMPLES, mine, HOW, lambda _: None, base)
    assert (own / WEIGHTS).read_bytes() == base.read_bytes() and (mine / STRIPS).read_bytes() == b"mine"


def test_damage_that_leaves_next_to_nothing_sound_is_taught_all_the_same() -> None:
    mask = np.ones((48, 48), bool)
    mask[0] = False
    wide = [replace(blemished(n, 48), mask=mask) for n in range(3)]
    pairs = pairs_of(wide, SMALL, replace(HOW, draws=12))
    assert len(pairs) > 0 and not pairs.mask.all((1, 2)).all()
    with pytest.raises(InputError, match="sound surface"):
        pairs_of([replace(e, mask=np.ones_like(mask)) for e in wide], SMALL, replace(HOW, draws=3))


@pytest.mark.slow
def test_the_commands_teach_and_paint_offline(base: Path, tmp_path: Path) -> None:
    folder, photos = tmp_path / "set", tmp_path / "photos"
    for name in ("blemish", "good"):
        (folder / name).mkdir(parents=True)
    photos.mkdir()
    for e in EXAMPLES:
        cv2.imwrite(str(folder / e.damage / f"{e.name}.jpg"), e.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])
        if e.mask.any():
            cv2.imwrite(str(folder / e.damage / f"{e.name}.png"), 255 * e.mask.astype(np.uint8))
    cv2.imwrite(str(photos / "a.png"), EXAMPLES[-1].image)
    cv2.imwrite(str(tmp_path / "mask.png"), 255 * disc(64, 9).astype(np.uint8))
    taught = tmp_path / "learned"
    command = ["train-inpaint", str(folder), "--backend", "tiny", "--weights", str(base), "--out", str(taught)]
    done = CliRunner().invoke(app, [*command, "--steps", "150", "--batch", "8", "--learning-rate", "2e-3", "--quiet"])
    assert done.exit_code == 0, done.output
    paint = ["inpaint", str(photos), "--mask", str(tmp_path / "mask.png"), "--type", "blemish", "--backend", "tiny"]
    done = CliRunner().invoke(app, [*paint, "--learned", str(taught), "--out", str(tmp_path / "out"), "--quiet"])
    assert done.exit_code == 0, done.output
    before, after = (cv2.imread(str(p)) for p in (photos / "a.png", next((tmp_path / "out" / "images").glob("a*"))))
    changed = (before != after).any(2)
    assert changed.any() and not changed[~disc(64, 9)].any()
    assert after[disc(64, 9)].mean() < before[disc(64, 9)].mean() - 15

    command[-1] = str(folder / "learned")
    inside = CliRunner().invoke(app, command)
    assert inside.exit_code == 2 and "outside the examples" in " ".join(inside.output.split())
    wrong = CliRunner().invoke(app, [*command, "--rank", "4"])
    assert wrong.exit_code == 2 and "--rank" in wrong.output
    wrong = CliRunner().invoke(app, ["train-inpaint", str(folder), "--out", str(taught)])
    assert wrong.exit_code == 2 and "--base" in wrong.output and "tiny" in wrong.output
    wrong = CliRunner().invoke(app, [*paint, "--learned", str(photos), "--out", str(tmp_path / "none")])
    assert wrong.exit_code == 2 and "tiny.safetensors" in wrong.output and not (tmp_path / "none").exists()


def _each(pairs):
    return [type(pairs)(*(v[i : i + 1] for v in vars(pairs).values())) for i in range(len(pairs))]


def _stopping_after(steps: int):
    def say(line: str) -> None:
        if line.startswith("{") and json.loads(line)["step"] >= steps:
            raise KeyboardInterrupt

    return say
