"""`reelflow watch`."""

from reelflow.edge.commands.options import (
    DEFAULT_THREADS,
    Answers,
    BundleFolder,
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


def watch(
    bundle: BundleFolder,
    source: Source,
    hop: Hop = 1.0,
    on: On = None,
    off: Off = None,
    least: Least = 1.0,
    update: Update = 10.0,
    timeout: Timeout = 10.0,
    window: Window = None,
    sink: Sinks = None,
    spool: SpoolFolder = None,
    answers: Answers = False,
    as_json: JsonLines = False,
    threads: Threads = DEFAULT_THREADS,
) -> None:
    """Watch a camera: events with a start and an end, until the source or the service ends."""
    from reelflow.edge.watch.service import watch_source
    from reelflow.edge.watch.watcher import WatchOptions

    options = WatchOptions(hop, timeout, window, on, off, least, update)
    watch_source(
        bundle, source, options, sink or [], spool, answers=answers, as_json=as_json, threads=threads
    )
