"""The options of `flawsmith reconstruct` that name a light probe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import InputError

if TYPE_CHECKING:
    from recon.probe import LightProbe


def probe_of(path: Path | None, turn_deg: float, ball: str | None, view: str | None) -> LightProbe | None:
    """None where no probe is named. ball: "X,Y,R" in pixels of its photograph. InputError where options contradict."""
    if path is None:
        given = [name for name, one in (("--probe-ball", ball), ("--probe-view", view)) if one is not None]
        if given or turn_deg:
            raise InputError(f"{', '.join(given) or '--probe-turn'} without --light-probe", "both", "name the picture")
        return None
    from recon.chrome_ball import Ball
    from recon.probe import LightProbe

    if ball is None:
        return LightProbe(path, turn_deg, None, view)
    try:
        x, y, radius = (float(v) for v in ball.split(","))
    except ValueError as error:
        raise InputError(f"--probe-ball {ball}", "three numbers: X,Y,R in pixels", "correct it") from error
    return LightProbe(path, turn_deg, Ball(x, y, radius), view)
