"""Arguments that several commands take."""

import os
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_THREADS = min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)

BundleFolder = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder with a bundle.json in it.")]
Threads = Annotated[int, typer.Option(min=1, max=256, help="Threads that LiteRT computes with.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Window = Annotated[
    float | None,
    typer.Option(min=0.1, max=3600, help="Seconds; by default the duration of the training clips."),
]
