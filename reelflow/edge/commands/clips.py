"""Arguments about clips, of the commands that watch."""

from pathlib import Path
from typing import Annotated

import typer

Record = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Keep a clip of every event here, as the camera sent it.")
]
Before = Annotated[float, typer.Option(min=0, max=300, help="Seconds of a clip before its event.")]
After = Annotated[float, typer.Option(min=0, max=3600, help="Seconds of a clip after its event.")]
RecordMb = Annotated[
    float, typer.Option(min=1, max=1e8, help="Megabytes of clips of events; the oldest are removed first.")
]
KeepUnsure = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Keep windows with low scores here, to be labelled.")
]
UnsureMb = Annotated[
    float, typer.Option(min=1, max=1e8, help="Megabytes of such windows; the oldest are removed first.")
]
UnsureBelow = Annotated[float | None, typer.Option(min=0, max=1, help="Score that is low; by default --on.")]
UnsureEvery = Annotated[
    float,
    typer.Option(min=0, max=86400, help="Least seconds from one such window to the next; at least a window."),
]
