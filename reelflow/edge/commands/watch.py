"""`reelflow watch`."""

from pathlib import Path
from typing import Annotated

import typer

from reelflow.edge.commands.clips import (
    After,
    Before,
    KeepUnsure,
    Record,
    RecordMb,
    UnsureBelow,
    UnsureEvery,
    UnsureMb,
)
from reelflow.edge.commands.options import DEFAULT_THREADS, BundleFolder, Threads, Window


def watch(
    bundle: BundleFolder,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A file, /dev/videoN, rtsp://, http(s):// or env:NAME.")
    ],
    hop: Annotated[float, typer.Option(min=0.01, max=3600, help="Seconds between two answers.")] = 1.0,
    on: Annotated[
        float | None, typer.Option(min=0, max=1, help="Score that starts an event; by default the bundle's.")
    ] = None,
    off: Annotated[
        float | None, typer.Option(min=0, max=1, help="Score that ends it; by default 0.8 of --on.")
    ] = None,
    least: Annotated[
        float, typer.Option(min=0, max=86400, help="Seconds that a state must hold to become an event.")
    ] = 1.0,
    update: Annotated[
        float, typer.Option(min=0.1, max=86400, help="Seconds between two messages of one event.")
    ] = 10.0,
    timeout: Annotated[
        float, typer.Option(min=0.5, max=3600, help="Seconds of silence after which the source is reopened.")
    ] = 10.0,
    window: Window = None,
    sink: Annotated[
        list[str] | None,
        typer.Option(
            help="Where events go too: file:PATH, http(s)://, mqtt(s)://, env:NAME; may be repeated."
        ),
    ] = None,
    spool: Annotated[
        Path | None, typer.Option(help="Folder where events wait for sinks that are away.")
    ] = None,
    record: Record = None,
    before: Before = 5.0,
    after: After = 5.0,
    record_mb: RecordMb = 1000.0,
    keep_unsure: KeepUnsure = None,
    unsure_mb: UnsureMb = 500.0,
    unsure_below: UnsureBelow = None,
    unsure_every: UnsureEvery = 60.0,
    answers: Annotated[
        bool, typer.Option("--answers", help="Every answer on stdout, not events alone.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines on stdout, on a terminal too.")] = False,
    threads: Threads = DEFAULT_THREADS,
) -> None:
    """Watch a camera: events with a start and an end, until the source or the service ends."""
    from reelflow.edge.recording.keeper import RecordOptions
    from reelflow.edge.watch.service import watch_source
    from reelflow.edge.watch.watcher import WatchOptions

    recording = RecordOptions(
        record, before, after, record_mb, keep_unsure, unsure_mb, unsure_below, unsure_every
    )
    options = WatchOptions(hop, timeout, window, on, off, least, update, recording)
    watch_source(
        bundle, source, options, sink or [], spool, answers=answers, as_json=as_json, threads=threads
    )
