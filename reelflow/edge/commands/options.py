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

Source = Annotated[
    str, typer.Argument(metavar="SOURCE", help="A file, /dev/videoN, rtsp://, http(s):// or env:NAME.")
]
Hop = Annotated[float, typer.Option(min=0.01, max=3600, help="Seconds between two answers.")]
On = Annotated[
    float | None, typer.Option(min=0, max=1, help="Score that starts an event; by default the bundle's.")
]
Off = Annotated[float | None, typer.Option(min=0, max=1, help="Score that ends it; by default 0.8 of --on.")]
Least = Annotated[
    float, typer.Option(min=0, max=86400, help="Seconds that a state must hold to become an event.")
]
Update = Annotated[float, typer.Option(min=0.1, max=86400, help="Seconds between two messages of one event.")]
Timeout = Annotated[
    float, typer.Option(min=0.5, max=3600, help="Seconds of silence after which the source is reopened.")
]
Sinks = Annotated[
    list[str] | None,
    typer.Option(
        help="Further destination of events: file:PATH, http(s)://, mqtt(s)://, env:NAME; may be repeated."
    ),
]
SpoolFolder = Annotated[
    Path | None, typer.Option(help="Folder where events wait for sinks that do not answer.")
]
Answers = Annotated[bool, typer.Option("--answers", help="Print every answer, not only events.")]
JsonLines = Annotated[bool, typer.Option("--json", help="JSON lines on stdout, on a terminal too.")]
HealthFolder = Annotated[
    Path | None,
    typer.Option(
        "--health", help="Folder for health.json, the state of this watcher, for `reelflow update`."
    ),
]
