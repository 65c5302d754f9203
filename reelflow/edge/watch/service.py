"""`reelflow watch`: a watcher with its sinks, ended by a signal."""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from reelflow.commandline import printable, tell
from reelflow.edge.camera.address import parse_source
from reelflow.edge.camera.wire import Told
from reelflow.edge.health.document import HEALTH
from reelflow.edge.health.writer import HealthFile
from reelflow.edge.seal import uncovered
from reelflow.edge.sinks.interface import Sink
from reelflow.edge.sinks.open import open_sink
from reelflow.edge.watch.fresh_bundle import FreshBundle
from reelflow.edge.watch.terminal import TerminalLine
from reelflow.edge.watch.watcher import Watcher, WatchOptions
from reelflow.errors import ParamsError
from reelflow.workers.stderr import silenced_stderr

ENDING = (signal.SIGTERM, signal.SIGINT)


class Viewer(Sink, Protocol):
    """A sink that is given pictures too, and may end the watching."""

    def show(self, told: Told) -> None:
        """Take a picture."""

    def start(self, camera: str, bundle: Path, watcher: Watcher, options: WatchOptions) -> None:
        """Begin: the watcher begins too."""


def watch_source(
    bundle: Path,
    address: str,
    options: WatchOptions,
    sinks: Sequence[str],
    spool: Path | None,
    *,
    answers: bool,
    as_json: bool,
    threads: int,
    page: Viewer | None = None,
    health: Path | None = None,
) -> None:
    """Watch until the source ends, or a signal asks for the end.

    Args:
        bundle: its folder, or a link to it.
        address: of the source, or `env:NAME`.
        options: how it is watched.
        sinks: addresses of sinks beside standard output, or `env:NAME`.
        spool: where events wait; by default the service's state folder.
        answers: write every answer to standard output.
        as_json: JSON lines on a terminal too.
        threads: that LiteRT computes with.
        page: shows what is watched.
        health: folder where the watcher says how it does.

    Raises:
        ParamsError: an address or a value cannot be used.
        BundleError: the bundle is damaged, or no camera can be watched with it.
        ClipError: the source is a file that cannot be used.
    """
    if options.on is not None and options.off is not None and options.off > options.on:
        raise ParamsError(f"--off {options.off:g} is above --on {options.on:g}: an event would never hold")
    source = parse_source(given(address))
    healthy = _health_file(health, bundle)
    with silenced_stderr():
        fresh = FreshBundle(bundle, threads, options.window_s)
    if left := uncovered(bundle):
        say(f"warning: {bundle}: {left}")
    opened = [_standard_output(answers, as_json=as_json)]
    opened += [open_sink(given(one), spool or _state_folder(), source.shown) for one in sinks]
    opened += [page] if page else []
    if healthy:
        healthy.follow(lambda: (fresh.loaded, fresh.problem))
        opened.append(healthy)
    beat = healthy.beat if healthy else lambda: None
    watcher = Watcher(fresh, source, opened, options, say, page.show if page else None, beat)
    before = {number: signal.signal(number, lambda *_: watcher.stop()) for number in ENDING}
    try:
        if page:
            page.start(source.shown, bundle, watcher, options)
        watcher.run()
        if healthy:
            healthy.stopped()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for sink in opened:
        if sink.lost or sink.failures:
            told = f" ({sink.problem})" if sink.problem else ""
            say(f"{sink.name}: {sink.failures} attempts failed, {sink.lost} messages are lost{told}")


def given(address: str) -> str:
    """An address; `env:NAME` keeps it, and its password, out of the command line.

    Raises:
        ParamsError: there is no such variable.
    """
    form, _, name = address.partition(":")
    if form != "env":
        return address
    if not os.environ.get(name):
        raise ParamsError(f"env:{printable(name)} names a variable that is not set, or empty: set it")
    return os.environ[name]


def _health_file(folder: Path | None, bundle: Path) -> HealthFile | None:
    """Where the watcher says how it does; without a bundle, what an earlier start has said is over."""
    if folder is None:
        return None
    if bundle.exists():
        return HealthFile(folder, bundle.resolve().name)
    with suppress(OSError):
        (folder / HEALTH).unlink(missing_ok=True)
    return None


def _standard_output(answers: bool, *, as_json: bool) -> Sink:
    if sys.stdout and sys.stdout.isatty() and not as_json:
        return TerminalLine(sys.stdout)
    return open_sink("-?answers=1" if answers else "-", Path(), "")


def _state_folder() -> Path:
    """What systemd gives a service to keep, else the user's own."""
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(given) if given else Path.home() / ".local" / "state" / "reelflow"


def say(text: str) -> None:
    """Tell people one line."""
    tell(printable(text))
