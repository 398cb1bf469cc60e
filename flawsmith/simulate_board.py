"""A printed ChArUco board on the table of a simulated capture: its picture, its size, and its entry in capture.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from core.camera import as_matrix
from core.files import write_bytes
from core.job import Backdrop
from flawsmith.images import ids_bytes
from recon.capture.boards import Board, opencv_board

SQUARES = 8
DICTIONARY = "DICT_5X5_100"
REACH = 1.5
"""Half the board's side over the radius that the part sweeps: enough of it stays free."""
MARKER = 0.75
SQUARE_PX = 96
MARGIN = 0.5
"""White border, in squares."""


def board_for(radius_m: float) -> Board:
    """The board for a part that sweeps this radius about the axis, in whole half millimetres."""
    square_mm = np.ceil(2 * REACH * radius_m / SQUARES * 2000) / 2
    return Board(
        kind="charuco", dictionary=DICTIONARY, squares=(SQUARES, SQUARES), square_mm=float(square_mm),
        marker_mm=float(MARKER * square_mm),
    )  # fmt: skip


def printed_side_m(board: Board) -> float:
    """Side of the sheet, with its border."""
    return (SQUARES + 2 * MARGIN) * board.square_mm / 1000


def board_backdrop(board: Board, folder: Path) -> Backdrop:
    """The sheet under the part, its picture written into `folder`; black and white of laser print."""
    side = round((SQUARES + 2 * MARGIN) * SQUARE_PX)
    picture = opencv_board(board).generateImage((side, side), marginSize=round(MARGIN * SQUARE_PX))
    path = folder / "board.png"
    write_bytes(path, ids_bytes(picture))
    return Backdrop(
        kind="board", world_from_backdrop=as_matrix(np.eye(4)), size_m=printed_side_m(board), albedo=(0.78, 0.78, 0.77),
        roughness=0.8, image=str(path), values={"ink": 0.03},
    )  # fmt: skip


def keys(board: Board) -> dict[str, Any]:
    """As capture.yaml has it."""
    written = board.model_dump(mode="json")
    return written | {"squares": list(board.squares)}
