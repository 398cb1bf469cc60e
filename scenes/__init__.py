"""What surrounds a part: stations (lamps), cameras, viewpoints, backdrops, and `compose`, which draws one scene."""

from scenes.backdrops import BackdropSpec
from scenes.cameras import CameraSpec
from scenes.compose import Scene, compose
from scenes.stations import Lamp, Station
from scenes.viewpoints import Fixed, Hemisphere, LookAtDefect, Turntable, Viewpoint

__all__ = [
    "BackdropSpec", "CameraSpec", "Fixed", "Hemisphere", "Lamp", "LookAtDefect", "Scene", "Station", "Turntable",
    "Viewpoint", "compose",
]  # fmt: skip
