"""The command line: every command one call into the library. Heavy imports wait for the command that needs them."""

from __future__ import annotations

import errno
import functools
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer
from rich.table import Table

from core.errors import FlawsmithError, InputError
from flawsmith import capture_commands, paint_commands
from flawsmith.console import plain
from flawsmith.options import Json, Quiet, RenderDevice, err, out

F = TypeVar("F", bound=Callable[..., Any])
INTERRUPTED = 130
STORAGE = {errno.EACCES, errno.EDQUOT, errno.EEXIST, errno.EFBIG, errno.EIO, errno.EISDIR, errno.ENAMETOOLONG,
           errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS}  # fmt: skip
"""What a file system says to someone who may not, or cannot, write there."""

app = typer.Typer(
    help="Labelled defect images of industrial parts, from CAD.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe, see docs/recipe.md.")]
BlenderFile = Annotated[
    Path | None, typer.Option("--blender", help="Render with this Blender executable instead of the bpy wheel.")
]
Outside = Annotated[bool, typer.Option("--allow-outside", help="Let the recipe name files outside its folder.")]


def guarded(command: F) -> F:
    """What a user can cause is one sentence and exit code 2; an interruption is 130, and what was made stays."""

    @functools.wraps(command)
    def inner(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except FlawsmithError as error:
            err.print(plain("error:", "bold red"), plain(str(error)), soft_wrap=True)
            raise typer.Exit(error.exit_code) from None
        except OSError as error:
            if error.errno not in STORAGE:
                raise
            refused = InputError(
                f"{error.filename or 'a file'} cannot be written ({error.strerror})",
                "a writable place with free space", "make room or name another place",
            )  # fmt: skip
            err.print(plain("error:", "bold red"), plain(str(refused)), soft_wrap=True)
            raise typer.Exit(refused.exit_code) from None
        except KeyboardInterrupt:
            err.print("interrupted; the same command goes on from what is whole", soft_wrap=True)
            raise typer.Exit(INTERRUPTED) from None

    return inner  # type: ignore[return-value]


@app.callback(invoke_without_command=True)
def flawsmith(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Labelled defect images of industrial parts, from CAD."""
    if version:
        from importlib.metadata import version as installed

        print(f"flawsmith {installed('flawsmith')}")
        raise typer.Exit


@app.command()
@guarded
def run(
    recipe: RecipeFile,
    out_: Annotated[Path | None, typer.Option("--out", help="Dataset folder. [default: out/NAME]")] = None,
    images: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's number.")] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's seed.")] = None,
    device: RenderDevice = "auto",
    blender: BlenderFile = None,
    quiet: Quiet = False,
    json_: Json = False,
    allow_outside: Outside = False,
) -> None:
    """Make a dataset. The same command goes on where an earlier one stopped."""
    from flawsmith.progress import Bar
    from flawsmith.recipe import Recipe

    chosen = Recipe.load(recipe, allow_outside)
    from flawsmith.pipeline import run as make

    folder = out_ or Path("out") / chosen.name
    with Bar(chosen.name, err, quiet or json_) as bar:
        summary = make(
            chosen, folder, images=images, seed=seed, device=device, progress=bar, blender=blender,
            fitting=None if quiet or json_ else capture_commands.fitting,
        )  # fmt: skip
    if json_:
        print(json.dumps(summary.model_dump(mode="json")))
    elif not quiet:
        verdicts = ", ".join(f"{n} {name}" for name, n in summary.verdicts.items())
        made = f"{summary.made} made" + (f", {summary.kept} kept" if summary.kept else "")
        rate = f", {summary.made / summary.seconds:.2f} images/s" if summary.made and summary.seconds else ""
        out.print(
            f"[bold]{summary.images} images[/] ({verdicts}; {made}{rate}), {summary.defects} labels", soft_wrap=True
        )
        for note in summary.notes:
            out.print(plain(f"note: {note}"), soft_wrap=True)
        out.print(plain(str(folder / "report.html")), soft_wrap=True)


capture_commands.register(app, guarded)


@app.command("import")
@guarded
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="STEP, IGES, STL, OBJ, PLY, GLB or glTF.")],
    unit: Annotated[str | None, typer.Option(help="mm, cm, m, inch, um or ft, for formats without one.")] = None,
    tolerance_mm: Annotated[float, typer.Option(help="Greatest chord error of the tessellation.")] = 0.05,
    out_: Annotated[Path | None, typer.Option("--out", help="Write the report here, for instance part.json.")] = None,
    json_: Json = False,
) -> None:
    """Read a part and report its size, faces, regions and what was repaired."""
    from parts import load, write_report

    part = load(file, unit=unit, tolerance_mm=tolerance_mm)
    if out_ is not None:
        write_report(part, out_)
    if json_:
        print(json.dumps(dict(part.report)))
        return
    from flawsmith.console import part_table

    out.print(part_table(part))


@app.command()
@guarded
def preview(
    recipe: RecipeFile,
    out_: Annotated[Path | None, typer.Option("--out", help="PNG to write. [default: NAME-preview.png]")] = None,
    images: Annotated[int, typer.Option(min=1, max=60, help="How many.")] = 6,
    device: RenderDevice = "auto",
    quiet: Quiet = False,
    allow_outside: Outside = False,
) -> None:
    """A contact sheet of a few small, coarse images, in seconds."""
    from flawsmith.preview import preview as make
    from flawsmith.progress import Bar
    from flawsmith.recipe import Recipe

    chosen = Recipe.load(recipe, allow_outside)
    with Bar(f"{chosen.name} (preview)", err, quiet) as bar:
        sheet = make(chosen, out_ or Path(f"{chosen.name}-preview.png"), images, device, bar)
    if not quiet:
        out.print(plain(str(sheet)), soft_wrap=True)


@app.command()
@guarded
def check(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="A folder that `run` wrote.")],
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """Verify hashes, masks, coverage, clean twins and exports. Exit code 1 when anything is wrong."""
    from flawsmith.check import check as verify
    from flawsmith.progress import Bar

    with Bar("checking", err, quiet or json_) as bar:
        faults = verify(dataset, bar)
    if json_:
        print(json.dumps([{"where": f.where, "what": f.what} for f in faults]))
    elif not quiet:
        for fault in faults:
            out.print(plain(fault.where, "red"), plain(fault.what), soft_wrap=True)
        out.print(f"{len(faults)} faults" if faults else "[green]no fault[/]")
    raise typer.Exit(1 if faults else 0)


@app.command("list")
@guarded
def list_(
    what: Annotated[Literal["materials", "blueprints", "stations", "cameras", "backdrops"], typer.Argument()],
    sheet: Annotated[Path | None, typer.Option(help="Write the thumbnails to this PNG.")] = None,
    json_: Json = False,
) -> None:
    """What the library holds."""
    from flawsmith.listing import entries, thumbnail_sheet

    found = entries(what)
    if sheet is not None:
        from core.files import atomic_path
        from flawsmith.images import picture_path

        with atomic_path(picture_path(sheet)) as part:
            thumbnail_sheet(what).save(part)
    if json_:
        print(json.dumps([{"name": e.name, "version": e.version, "kind": e.kind, "text": e.text} for e in found]))
        return
    table = Table("name", "v", "kind", "what it is", box=None, pad_edge=False, header_style="bold")
    for entry in found:
        table.add_row(entry.name, str(entry.version), entry.kind, plain(" ".join(entry.text.split())))
    out.print(table)


@app.command()
@guarded
def doctor(json_: Json = False) -> None:
    """What works on this machine. Exit code 1 when something that every run needs does not."""
    from flawsmith.doctor import examine

    table = Table("", "check", "found", "do", box=None, pad_edge=False, header_style="bold")
    colours = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    found = list(examine(Path.cwd()))
    if json_:
        print(json.dumps([vars(c) for c in found]))
    else:
        for c in found:
            table.add_row(f"[{colours[c.state]}]{c.state}[/]", c.name, plain(c.found), plain(c.do))
        out.print(table)
    raise typer.Exit(1 if any(c.state == "fail" for c in found) else 0)


paint_commands.register(app, guarded)


def main() -> None:
    """Entry point of the command `flawsmith`."""
    signal.signal(signal.SIGTERM, _interrupted)
    # torch's threads wait by spinning unless told before they start: two on a busy core stop each other for seconds
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _interrupted(number: int, frame: object) -> None:
    """A batch system's polite end leaves what Ctrl-C leaves."""
    raise KeyboardInterrupt
