"""The command line: every command one call into the library. Heavy imports wait for the command that needs them."""

from __future__ import annotations

import errno
import functools
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from core.errors import FlawsmithError, InputError
from flawsmith import paint_commands

F = TypeVar("F", bound=Callable[..., Any])
INTERRUPTED = 130
REFUSED = 3
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
out, err = Console(highlight=False), Console(stderr=True, highlight=False)

RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe, see docs/recipe.md.")]
Device = Annotated[str, typer.Option(help="cpu, optix, cuda, hip, metal, or auto: the best there is.")]
BlenderFile = Annotated[
    Path | None, typer.Option("--blender", help="Render with this Blender executable instead of the bpy wheel.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")]
Outside = Annotated[bool, typer.Option("--allow-outside", help="Let the recipe name files outside its folder.")]


def guarded(command: F) -> F:
    """What a user can cause is one sentence and exit code 2; an interruption is 130, and what was made stays."""

    @functools.wraps(command)
    def inner(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except FlawsmithError as error:
            err.print(f"[bold red]error:[/] {_plain(str(error))}", soft_wrap=True)
            raise typer.Exit(error.exit_code) from None
        except OSError as error:
            if error.errno not in STORAGE:
                raise
            refused = InputError(
                f"{error.filename or 'a file'} cannot be written ({error.strerror})",
                "a writable place with free space", "make room or name another place",
            )  # fmt: skip
            err.print(f"[bold red]error:[/] {_plain(str(refused))}", soft_wrap=True)
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
    device: Device = "auto",
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
            fitting=None if quiet or json_ else _fitting,
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
            out.print(f"note: {_plain(note)}", soft_wrap=True)
        out.print(_plain(str(folder / "report.html")), soft_wrap=True)


@app.command()
@guarded
def reconstruct(
    capture: Annotated[Path, typer.Argument(metavar="CAPTURE", help="A capture's folder or pose file.")],
    out_: Annotated[Path, typer.Option("--out", help="Folder for the part and its verdict.")],
    preset: Annotated[str, typer.Option(help="draft or standard, or full on a GPU.")] = "standard",
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Stop the fit, but not its start, after so long.")
    ] = None,
    light: Annotated[
        Literal["room", "part"] | None, typer.Option(help="room: the part turned. part: it lay still. Else as stated.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Order of the photographs in the fit.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    rerender: Annotated[int, typer.Option(min=0, help="Views to render again in Cycles, to measure the gap.")] = 0,
    refine_poses: Annotated[
        bool, typer.Option("--refine-poses", help="For poses that are off by more than half a pixel.")
    ] = False,
    light_probe: Annotated[
        Path | None, typer.Option(help="The room's light, which is then not fitted: an equirectangular .hdr or .exr.")
    ] = None,
    probe_turn: Annotated[float, typer.Option(help="Turns the probe about the vertical, degrees.")] = 0.0,
    probe_ball: Annotated[
        str | None, typer.Option(metavar="X,Y,R", help="The probe is a chrome ball's photograph: where it is, pixels.")
    ] = None,
    probe_view: Annotated[
        str | None, typer.Option(help="The photograph whose camera took the ball's. Default: the first.")
    ] = None,
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """Make a textured, metric part of turntable photographs, or say why not."""
    from flawsmith.probe_options import probe_of
    from flawsmith.reconstruction import reconstruct_capture

    probe = probe_of(light_probe, probe_turn, probe_ball, probe_view)
    verdict = reconstruct_capture(
        capture, out_, preset_name=preset, minutes=minutes, seed=seed, device=device, light=light, rerender=rerender,
        refine_poses=refine_poses, light_probe=probe,
        progress=None if quiet or json_ else _fitting,
    )  # fmt: skip
    if json_:
        print(json.dumps(verdict.model_dump(mode="json")))
    elif not quiet:
        out.print(_plain(verdict.sentence()), soft_wrap=True)
        out.print(_plain(str(out_ / "part.glb")), soft_wrap=True)
        out.print(_plain(str(out_ / "report.html")), soft_wrap=True)
    if not verdict.usable:
        raise typer.Exit(REFUSED)


@app.command("simulate-capture")
@guarded
def simulate_capture_(
    part: Annotated[Path, typer.Argument(metavar="PART", help="A CAD or mesh file.")],
    out_: Annotated[Path, typer.Option("--out", help="A new folder for the capture.")],
    material: Annotated[str, typer.Option(help="A finish of the library, or a .yaml file.")] = "powder_coat_grey",
    station: Annotated[str, typer.Option(help="A station of the library, or a .yaml file.")] = "soft_box",
    environment: Annotated[Path | None, typer.Option(help="An .hdr or .exr as the only light instead.")] = None,
    backdrop: Annotated[str, typer.Option(help="A backdrop of the library, or a .yaml file.")] = "void",
    board: Annotated[bool, typer.Option("--board", help="A printed board of markers under the part.")] = False,
    poses: Annotated[Literal["known", "angles"], typer.Option(help="angles: only the table's steps.")] = "known",
    up: Annotated[str, typer.Option(help="Side of the part that points up: +x -x +y -y +z -z.")] = "+z",
    views: Annotated[int, typer.Option(min=6, help="Photographs of each elevation and session.")] = 36,
    elevation: Annotated[list[float] | None, typer.Option(help="Of the camera, degrees; repeat for rings.")] = None,
    sessions: Annotated[int, typer.Option(min=1, max=2, help="2: once more, turned over.")] = 1,
    registered: Annotated[bool, typer.Option("--registered", help="Both sessions' poses in one frame.")] = False,
    size: Annotated[int, typer.Option(help="Side of the photographs, px.")] = 256,
    samples: Annotated[int, typer.Option(min=1, help="Of the renderer, per pixel.")] = 16,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    drift: Annotated[float, typer.Option("--exposure-drift", help="Relative rms from photograph to photograph.")] = 0.0,
    noise: Annotated[bool, typer.Option(help="Camera noise.")] = True,
    unit: Annotated[str | None, typer.Option(help="For formats without one.")] = None,
    device: Device = "cpu",
    quiet: Quiet = False,
) -> None:
    """Photograph a known part on a turntable with Cycles: a capture with its truth beside it."""
    from flawsmith.progress import Bar
    from flawsmith.simulate import CapturePlan, simulate_capture

    plan = CapturePlan(
        material=material, station=station, views=views, elevations_deg=tuple(elevation or [25.0]), sessions=sessions,
        size_px=size, samples=samples, seed=seed, exposure_drift=drift, noise=noise, unit=unit, backdrop=backdrop,
        board=board, poses=poses, up=up, registered=registered,
        environment=None if environment is None else str(environment),
    )  # fmt: skip
    with Bar(part.stem, err, quiet) as bar:
        simulate_capture(part, out_, plan, device, bar)
    if not quiet:
        out.print(_plain(str(out_ / ("transforms.json" if poses == "known" else "capture.yaml"))), soft_wrap=True)


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
    device: Device = "auto",
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
        out.print(_plain(str(sheet)), soft_wrap=True)


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
            out.print(f"[red]{_plain(fault.where)}[/] {_plain(fault.what)}", soft_wrap=True)
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
        table.add_row(entry.name, str(entry.version), entry.kind, _plain(" ".join(entry.text.split())))
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
            table.add_row(f"[{colours[c.state]}]{c.state}[/]", c.name, _plain(c.found), _plain(c.do))
        out.print(table)
    raise typer.Exit(1 if any(c.state == "fail" for c in found) else 0)


paint_commands.register(app, guarded)


def _fitting(stage: str, step: int, steps: int, terms: dict[str, float]) -> None:
    """One line of a capture's fit."""
    losses = "  ".join(f"{name} {value:.4f}" for name, value in terms.items())
    err.print(f"{stage:>7} {step:4d}/{steps}  {losses}", soft_wrap=True)


def _plain(text: str) -> str:
    """Without Rich's markup: brackets in a user's words are the user's."""
    return text.replace("[", r"\[")


def main() -> None:
    """Entry point of the command `flawsmith`."""
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _interrupted(number: int, frame: object) -> None:
    """A batch system's polite end leaves what Ctrl-C leaves."""
    raise KeyboardInterrupt
