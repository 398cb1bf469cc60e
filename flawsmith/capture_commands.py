"""The commands of captures: reconstruct one, and photograph a known part on a turntable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from flawsmith.console import plain
from flawsmith.options import FitDevice, Json, Quiet, RenderDevice, err, out

REFUSED = 3


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
    device: FitDevice = "cpu",
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
        progress=None if quiet or json_ else fitting,
    )  # fmt: skip
    if json_:
        print(json.dumps(verdict.model_dump(mode="json")))
    elif not quiet:
        out.print(plain(verdict.sentence()), soft_wrap=True)
        out.print(plain(str(out_ / "part.glb")), soft_wrap=True)
        out.print(plain(str(out_ / "report.html")), soft_wrap=True)
    if not verdict.usable:
        raise typer.Exit(REFUSED)


def simulate(
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
    device: RenderDevice = "cpu",
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
        out.print(plain(str(out_ / ("transforms.json" if poses == "known" else "capture.yaml"))), soft_wrap=True)


def register(app: typer.Typer, guarded: Any) -> None:
    """Add the commands. guarded: turns what a user can cause into one sentence."""
    app.command()(guarded(reconstruct))
    app.command("simulate-capture")(guarded(simulate))


def fitting(stage: str, step: int, steps: int, terms: dict[str, float]) -> None:
    """One line of a capture's fit."""
    losses = "  ".join(f"{name} {value:.4f}" for name, value in terms.items())
    err.print(f"{stage:>7} {step:4d}/{steps}  {losses}", soft_wrap=True)
