"""`reelflow serve`."""

from typing import TYPE_CHECKING, Annotated

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
from reelflow.edge.commands.options import (
    DEFAULT_THREADS,
    Answers,
    BundleFolder,
    HealthFolder,
    Hop,
    JsonLines,
    Least,
    Off,
    On,
    Sinks,
    Source,
    SpoolFolder,
    Threads,
    Timeout,
    Update,
    Window,
)
from reelflow.errors import ParamsError

if TYPE_CHECKING:
    from reelflow.edge.serve.server import PageServer


def serve(
    bundle: BundleFolder,
    source: Source,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but this machine's own needs --token.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8080,
    token: Annotated[
        str | None, typer.Option(help="Secret that every request must show: env:NAME or file:PATH.")
    ] = None,
    hop: Hop = 1.0,
    on: On = None,
    off: Off = None,
    least: Least = 1.0,
    update: Update = 10.0,
    timeout: Timeout = 10.0,
    window: Window = None,
    sink: Sinks = None,
    spool: SpoolFolder = None,
    record: Record = None,
    before: Before = 5.0,
    after: After = 5.0,
    record_mb: RecordMb = 1000.0,
    keep_unsure: KeepUnsure = None,
    unsure_mb: UnsureMb = 500.0,
    unsure_below: UnsureBelow = None,
    unsure_every: UnsureEvery = 60.0,
    answers: Answers = False,
    as_json: JsonLines = False,
    health: HealthFolder = None,
    threads: Threads = DEFAULT_THREADS,
) -> None:
    """Watch a camera as `watch` does, and serve a page: live picture, answers, events, health, metrics."""
    from reelflow.edge.recording.keeper import RecordOptions
    from reelflow.edge.update.agent.absence import explained
    from reelflow.edge.watch.service import watch_source
    from reelflow.edge.watch.watcher import WatchOptions

    recording = RecordOptions(
        record, before, after, record_mb, keep_unsure, unsure_mb, unsure_below, unsure_every
    )
    options = WatchOptions(hop, timeout, window, on, off, least, update, recording)
    with explained(bundle), _page(host, port, token) as page:
        watch_source(
            bundle,
            source,
            options,
            sink or [],
            spool,
            answers=answers,
            as_json=as_json,
            threads=threads,
            page=page,
            health=health,
        )


def _page(host: str, port: int, token: str | None) -> "PageServer":
    try:
        from reelflow.edge.serve.server import PageServer
    except ModuleNotFoundError as error:
        raise ParamsError(
            f"serve needs the package {error.name}, which is not installed: pip install 'reelflow[serve]'"
        ) from error
    return PageServer(host, port, token)
