"""Options that several commands share, and where all of them print."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")]
RenderDevice = Annotated[str, typer.Option(help="cpu, optix, cuda, hip, metal, or auto: the best there is.")]
FitDevice = Annotated[str, typer.Option(help="cpu or cuda.")]
out, err = Console(highlight=False), Console(stderr=True, highlight=False)
