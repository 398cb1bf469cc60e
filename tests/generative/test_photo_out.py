"""Where painted photographs go: never over a user's files, never half of two orders, and on from where it stopped."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from core.errors import InputError, RenderError
from defects.generative.painter import GOOD, Crop
from flawsmith import paint_folder
from flawsmith.cli import app
from flawsmith.paint_choice import PaintChoice
from flawsmith.paint_folder import PaintOrder, inpaint_folder
from flawsmith.paint_out import refuse_out
from tests.generative.painters import Lazy
from tests.generative.test_photo_paint import grainy

CHOICE = PaintChoice(tries=1)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """own/images with a.png and b.png, and own/m.png."""
    (tmp_path / "own" / "images").mkdir(parents=True)
    for k, name in enumerate("ab"):
        cv2.imwrite(str(tmp_path / "own" / "images" / f"{name}.png"), grainy(60, 60, 3, k))
    mask = np.zeros((60, 60), np.uint8)
    mask[20:40, 20:40] = 255
    cv2.imwrite(str(tmp_path / "own" / "m.png"), mask)
    return tmp_path / "own"


def order(own: Path, out: Path, **changed) -> PaintOrder:
    return PaintOrder(**{"photos": own / "images", "out": out, "choice": CHOICE, "mask": own / "m.png",
                         "damage": "scratch"} | changed)  # fmt: skip


def everything(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_no_file_of_the_user_is_written_over(own: Path, tmp_path: Path) -> None:
    before = everything(own)
    for folder, photos in (("images", own / "images"), ("images", own / "images" / "a.png")):
        with pytest.raises(InputError, match=rf"{folder}.* is a file that you gave.*another folder"):
            inpaint_folder(order(own, own, photos=photos))
    (tmp_path / "labels").symlink_to(own / "images")
    with pytest.raises(InputError, match="is a file that you gave"):
        inpaint_folder(order(own, tmp_path))
    assert everything(own) == before


@pytest.mark.parametrize("role", ["mask", "part_mask"])
def test_nor_is_a_mask(own: Path, role: str) -> None:
    (own / "requested").mkdir()
    for name in "ab":
        (own / "requested" / f"{name}.png").write_bytes((own / "m.png").read_bytes())
    (own / "images").rename(own / "photos")
    before = everything(own)
    with pytest.raises(InputError, match=r"requested.* is a file that you gave"):
        inpaint_folder(order(own, own, photos=own / "photos", **{role: own / "requested"}))
    assert everything(own) == before


def test_a_folder_that_takes_no_files_is_refused_before_painting(own: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(paint_folder, "paint_photo", lambda *_, **__: pytest.fail("painted"))
    file = tmp_path / "file"
    file.write_text("mine")
    for out in (file, file / "under", tmp_path / ("x" * 300), Path("/proc/flawsmith")):
        with pytest.raises(InputError, match="cannot be written"):
            inpaint_folder(order(own, out))
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "facts").write_text("mine")
    with pytest.raises(InputError, match="has a file facts"):
        inpaint_folder(order(own, tmp_path / "half"))
    refuse_out(tmp_path / "new" / "deep", {"a"}, [])
    assert not (tmp_path / "new").exists()


def test_a_folder_may_be_filled_photograph_by_photograph(own: Path, tmp_path: Path) -> None:
    """As a script does it; each picture is as if all had been painted at once."""
    for name in "ab":
        assert inpaint_folder(order(own, tmp_path / "out", photos=own / "images" / f"{name}.png"))["painted"] == 1
    inpaint_folder(order(own, tmp_path / "whole"))
    assert everything(tmp_path / "out") == everything(tmp_path / "whole")


def test_nothing_painted_is_an_error(own: Path, tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(RenderError, match=r"0 of 2 photographs painted \(1 tries"):
        inpaint_folder(order(own, tmp_path / "out"), painter=Lazy())
    told = inpaint_folder(order(own, tmp_path / "out"), painter=Lazy(work=2))
    assert told["painted"] == 1 and told["nothing_visible"] == ["a"]
    monkeypatch.setattr(paint_folder, "painter_of", lambda *_: Lazy())
    options = ["inpaint", str(own / "images"), "--mask", str(own / "m.png"), "--type", "scratch", "--json"]
    done = CliRunner().invoke(app, [*options, "--out", str(tmp_path / "none")])
    assert done.exit_code == 2 and "0 of 2 photographs painted" in " ".join(done.output.split())


class Full(Lazy):
    """Paints its first photograph, and has no memory left for the second."""

    def one(self, crop: Crop, damage: str, rng: np.random.Generator) -> np.ndarray:
        if damage != GOOD and self.calls == 1:
            raise RenderError("a crop of 32 px does not fit into memory", "room for it", "use --size 16")
        return super().one(crop, damage, rng)


def test_another_fault_than_nothing_visible_ends_the_run(own: Path, tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=r"does not fit into memory.*--size 16"):
        inpaint_folder(order(own, tmp_path / "out"), painter=Full(work=1))


def test_what_an_earlier_order_painted_does_not_pass_for_this_one(own: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    inpaint_folder(order(own, out))
    told = inpaint_folder(order(own, out, seed=5), painter=Lazy(work=2))
    assert told["nothing_visible"] == ["a"]
    assert set(everything(out)) == {"images/b.png", "labels/b.png", "requested/b.png", "facts/b.json"}


class Stopped(Lazy):
    """Interrupted in its second photograph."""

    def one(self, crop: Crop, damage: str, rng: np.random.Generator) -> np.ndarray:
        if damage != GOOD and self.calls == 1:
            raise KeyboardInterrupt
        return super().one(crop, damage, rng)


def test_an_interrupted_folder_goes_on_where_it_stopped(own: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        inpaint_folder(order(own, out), painter=Stopped(work=1))
    first = everything(out)
    assert set(first) == {"images/a.png", "labels/a.png", "requested/a.png", "facts/a.json"}
    again = Lazy(work=1)
    told = inpaint_folder(order(own, out), painter=again)
    assert (told["painted"], told["kept"], again.calls) == (1, 1, 1)
    assert {k: v for k, v in everything(out).items() if k in first} == first
    whole = inpaint_folder(order(own, tmp_path / "whole"), painter=Lazy(work=1))
    assert whole["kept"] == 0 and everything(tmp_path / "whole") == everything(out)


@pytest.mark.parametrize("change", ["seed", "type", "mask", "photo", "part", "facts", "picture", "choice"])
def test_only_the_very_same_order_is_kept(own: Path, tmp_path: Path, change: str) -> None:
    out, painter, asked = tmp_path / "out", Lazy(work=1), {}
    painter.types = ("good", "scratch", "rust")
    inpaint_folder(order(own, out), painter=painter)
    if change in ("seed", "type", "choice"):
        asked = {"seed": {"seed": 1}, "type": {"damage": "rust"}, "choice": {"choice": PaintChoice(tries=2)}}[change]
    elif change == "mask":
        cv2.imwrite(str(own / "m.png"), np.pad(np.full((18, 20), 255, np.uint8), ((20, 22), (20, 20))))
    elif change == "photo":
        for name in "ab":
            cv2.imwrite(str(own / "images" / f"{name}.png"), grainy(60, 60, 2, 9))
    elif change == "part":
        asked = {"part_mask": own / "m.png"}
    elif change == "facts":
        painter.facts = {"weights_sha256": "another"}
    else:
        for name in "ab":
            (out / "labels" / f"{name}.png").unlink()
    told = inpaint_folder(order(own, out, **asked), painter=painter)
    assert (told["painted"], told["kept"]) == (2, 0)
    assert inpaint_folder(order(own, out, **asked), painter=painter)["kept"] == 2


def test_pictures_of_another_order_are_not_vouched_for_by_old_facts(own: Path, tmp_path: Path, monkeypatch) -> None:
    """Killed between the pictures and their facts, a second order leaves none: the first one paints again."""
    out, single = tmp_path / "out", own / "images" / "a.png"
    inpaint_folder(order(own, out, photos=single))
    with monkeypatch.context() as patched:
        patched.setattr(paint_folder, "write_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            inpaint_folder(order(own, out, photos=single, seed=5))
    assert inpaint_folder(order(own, out, photos=single))["painted"] == 1


def test_a_mask_that_may_lie_on_the_stored_pixels_is_told(own: Path, tmp_path: Path) -> None:
    """Upside down in the file, as large as upright: nothing but the user's eye can tell on which of the two it lies."""
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.open(own / "images" / "a.png").rotate(180).save(own / "images" / "a.png", exif=exif)
    said: dict[str, str] = {}
    inpaint_folder(order(own, tmp_path / "out"), told=said.__setitem__)
    assert "turned upright" in said["a"] and "taken as drawn on that" in said["a"] and "turned" not in said["b"]


def test_the_command_says_what_was_kept(own: Path, tmp_path: Path) -> None:
    options = ["inpaint", str(own / "images"), "--mask", str(own / "m.png"), "--type", "scratch", "--out",
               str(tmp_path / "out")]  # fmt: skip
    assert "2 of 2 painted, in" in " ".join(CliRunner().invoke(app, options).output.split())
    assert "0 of 2 painted, 2 there already, in" in " ".join(CliRunner().invoke(app, options).output.split())
    assert json.loads(CliRunner().invoke(app, [*options, "--json"]).stdout)["kept"] == 2
