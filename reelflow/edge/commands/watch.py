"""`reelflow watch`."""

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
    """Watch a camera: events with a start and an end, until the source or the service ends."""
    from reelflow.edge.recording.keeper import RecordOptions
    from reelflow.edge.update.agent.absence import explained
    from reelflow.edge.watch.service import watch_source
    from reelflow.edge.watch.watcher import WatchOptions

    recording = RecordOptions(
        record, before, after, record_mb, keep_unsure, unsure_mb, unsure_below, unsure_every
    )
    options = WatchOptions(hop, timeout, window, on, off, least, update, recording)
    with explained(bundle):
        watch_source(
            bundle,
            source,
            options,
            sink or [],
            spool,
            answers=answers,
            as_json=as_json,
            threads=threads,
            health=health,
        )
