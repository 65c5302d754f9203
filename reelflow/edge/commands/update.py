"""`reelflow update`."""

import json
import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reelflow.commandline import printable, seconds_of, tell
from reelflow.edge.commands.options import AsJson
from reelflow.edge.update.agent.memory import SELF_TEST_MB
from reelflow.errors import BundleError, ParamsError

if TYPE_CHECKING:
    from reelflow.edge.update.agent.agent import Channel, DeviceAgent, DeviceOptions, Outcome
    from reelflow.edge.update.agent.follow import Follower
    from reelflow.edge.update.agent.report import FleetReporter

COUNTS = "counts"
MACHINE_ID = Path("/etc/machine-id")
SHOWN = 12
ID_LENGTH = 32
MOST_NAME = 200  # of a device and of a group: DeviceReport
LEAST_RATE_KB = 2  # slower answers look like an attack: Limits.least_bytes_per_s

update = typer.Typer(invoke_without_command=True, no_args_is_help=False)


ARCHIVE = typer.Option(help="A tar file with a bundle, which another updater has verified: no channel.")
Archive = Annotated[Path | None, ARCHIVE]


@dataclass(frozen=True)
class UpdateOptions:
    """The options of all subcommands."""

    state: Path
    channel: str
    agent: "DeviceAgent"
    as_json: bool
    rate_kb: int
    reporter: "FleetReporter | None"

    @property
    def opened(self) -> "Channel":
        """The channel.

        Raises:
            ParamsError: none is named.
        """
        from reelflow.edge.update.channel.answers import LIMITS
        from reelflow.edge.update.channel.client import ChannelClient
        from reelflow.edge.update.channel.transport import Transport
        from reelflow.edge.watch.service import given

        if not self.channel:
            raise ParamsError("no channel is named: --channel ADDRESS, a folder or an http(s):// address")
        limits = replace(LIMITS, most_bytes_per_s=1000 * self.rate_kb)
        return ChannelClient(
            self.state / "channel", given(self.channel), lambda place: Transport(place, limits)
        )

    def channel_or(self, archive: Path | None) -> "Channel":
        """The bundle of an archive; else the channel.

        Raises:
            BundleError: the archive holds no bundle.
            ParamsError: neither is named.
        """
        from reelflow.edge.update.agent.archive import ArchiveChannel

        return ArchiveChannel(archive) if archive else self.opened

    def report(self) -> None:
        """Send a report, if an address is given."""
        if self.reporter:
            self.reporter.report()

    def show(self, outcome: "Outcome") -> None:
        """Show the outcome of a step."""
        if self.as_json:
            found = {"action": outcome.action, "bundle": outcome.bundle, "reason": outcome.reason}
            typer.echo(json.dumps(found))
        else:
            about = f" {outcome.bundle[:SHOWN]}" if outcome.bundle else ""
            reason = f": {printable(outcome.reason)}" if outcome.reason else ""
            typer.echo(f"{outcome.action}{about}{reason}")

    def done(self, outcome: "Outcome") -> None:
        """Show the outcome of a step, and send a report."""
        self.show(outcome)
        self.report()


@update.callback()
def main(
    context: typer.Context,
    state: Annotated[
        Path, typer.Option(help="Folder of versions, of the link `current`, and of the agent's state.")
    ] = Path("/var/lib/reelflow-bundles"),
    channel: Annotated[str, typer.Option(help="A folder, file://, http(s):// or env:NAME.")] = "",
    device: Annotated[str, typer.Option(help="Id of this device; by default that of the machine.")] = "",
    group: Annotated[str, typer.Option(help="Group of devices, that a rollout may name.")] = "",
    health: Annotated[Path, typer.Option(help="Folder that watchers write to (their --health).")] = Path(
        "/run/reelflow"
    ),
    well_after: Annotated[
        str, typer.Option(help="Time with answers after which a new bundle is confirmed.")
    ] = "5m",
    starts: Annotated[
        int, typer.Option(min=1, max=100, help="Starts of a watcher, or of the device, before it goes back.")
    ] = 3,
    give_up: Annotated[
        str, typer.Option(help="Time without a watcher after which a new bundle is given up.")
    ] = "30m",
    test_seconds: Annotated[float, typer.Option(min=1, max=86400, help="For a bundle's self-test.")] = 300.0,
    test_mb: Annotated[
        int, typer.Option(min=64, max=65536, help="Memory for a bundle's self-test; cameras need 80 MB more.")
    ] = SELF_TEST_MB,
    every: Annotated[
        str, typer.Option(help="Repeat the round at this interval, such as 15m; by default one round.")
    ] = "",
    rate_kb: Annotated[
        int, typer.Option(min=0, help="Kilobytes a second that a download may take; 0: no limit.")
    ] = 0,
    report: Annotated[str, typer.Option(help="Send reports here: http(s)://HOST/PATH or env:NAME.")] = "",
    as_json: AsJson = False,
) -> None:
    """Follow an update channel: fetch, verify, self-test, switch, and confirm or go back.

    Without a subcommand, and without --every, this is one round: it ends when a new bundle is confirmed or
    left.
    """
    from reelflow.edge.update.agent.agent import DeviceAgent, DeviceOptions
    from reelflow.edge.update.agent.isolated import SelfTestLimits

    if 0 < rate_kb < LEAST_RATE_KB:
        raise ParamsError(
            f"--rate-kb {rate_kb} is too slow for a download to finish: name {LEAST_RATE_KB} or more, or "
            "0 for no limit"
        )
    for option, text in (("--device", device), ("--group", group)):
        if len(text) > MOST_NAME or not text.isprintable():
            raise ParamsError(
                f"{option} is not a valid name: expected {MOST_NAME} printable characters at most"
            )
    options = DeviceOptions(
        device=device or _machine(),
        group=group,
        health=health,
        well_after_s=seconds_of(well_after, "--well-after"),
        most_starts=starts,
        give_up_s=seconds_of(give_up, "--give-up"),
        limits=SelfTestLimits(test_seconds, test_mb * 1024 * 1024),
    )
    agent = DeviceAgent(state, options)
    given = UpdateOptions(state, channel, agent, as_json, rate_kb, _reporter(report, agent, options, state))
    context.obj = given
    if context.invoked_subcommand is None:
        _follow(given, seconds_of(every, "--every") if every else None)
    elif every:
        raise ParamsError(f"--every repeats until it is stopped: leave out {context.invoked_subcommand}")


@update.command()
def check(context: typer.Context) -> None:
    """Ask the channel which bundle this device is to run, and change nothing."""
    given: UpdateOptions = context.obj
    given.show(given.agent.check(given.opened))


@update.command()
def apply(
    context: typer.Context,
    again: Annotated[bool, typer.Option("--again", help="Try a bundle that was refused.")] = False,
    archive: Archive = None,
) -> None:
    """Fetch, verify and self-test the channel's bundle, and put it on trial."""
    given: UpdateOptions = context.obj
    given.done(outcome := given.agent.apply(given.channel_or(archive), again=again))
    _check(outcome)


@update.command()
def wait(
    context: typer.Context,
    archive: Annotated[Path, ARCHIVE],
    within: Annotated[
        str, typer.Option(help="Fail after this time, while a camera is away; the bundle stays on trial.")
    ] = "",
) -> None:
    """Wait until watchers confirm the bundle of an archive, or it is given up."""
    from reelflow.edge.update.agent.archive import ArchiveChannel

    given: UpdateOptions = context.obj
    within_s = seconds_of(within, "--within") if within else math.inf
    channel = ArchiveChannel(archive)
    follower = _follower(given, channel)
    with _ended_by_signals(follower.stop):
        _check(outcome := follower.wait(within_s))
    if outcome.action in ("waiting", "on trial"):
        raise BundleError(
            f"the bundle {channel.bundle[:SHOWN]} is still on trial: no watcher has confirmed it"
        )
    if (state := given.agent.state).trial or state.current != channel.bundle:
        raise BundleError(f"the bundle {channel.bundle[:SHOWN]} is not in use: this device runs another one")


@update.command()
def status(context: typer.Context) -> None:
    """Show the bundle in use, the one on trial, and those that are not tried again."""
    given: UpdateOptions = context.obj
    found = given.agent.state
    if given.as_json:
        typer.echo(found.to_json(), nl=False)
        return
    typer.echo(f"current   {_named(given, found.current)}")
    if found.why_none:
        typer.echo(f"no bundle is in use: {printable(found.why_none)}")
    typer.echo(f"previous  {_named(given, found.previous)}")
    if found.trial:
        typer.echo(f"on trial  {_named(given, found.trial.bundle)}")
    for one in found.refused:
        typer.echo(f"refused   {one.bundle[:SHOWN]}: {printable(one.reason)}")


@update.command()
def confirm(context: typer.Context) -> None:
    """Keep the bundle that is on trial, without waiting for watchers."""
    given: UpdateOptions = context.obj
    given.done(given.agent.confirm())


@update.command()
def rollback(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Reason; it is kept with the bundle.")] = "rolled back by hand",
    archive: Archive = None,
) -> None:
    """Go back to the bundle before, and do not try this one again.

    With --archive, only if this device runs that bundle, which may be tried again.
    """
    given: UpdateOptions = context.obj
    if archive:
        given.done(given.agent.leave(given.channel_or(archive).refresh().bundle, reason))
    else:
        given.done(given.agent.rollback(reason))


def _follower(given: UpdateOptions, channel: "Channel") -> "Follower":
    from reelflow.edge.update.agent.follow import Follower

    return Follower(given.agent, channel, given.show, lambda error: tell(f"error: {error}"), given.report)


def _follow(given: UpdateOptions, every_s: float | None) -> None:
    follower = _follower(given, given.opened)
    with _ended_by_signals(follower.stop):
        if every_s is None:
            _check(follower.once())
        else:
            follower.every(every_s)
            if given.reporter:
                given.reporter.close()


def _reporter(
    address: str, agent: "DeviceAgent", options: "DeviceOptions", state: Path
) -> "FleetReporter | None":
    if not address:
        return None
    from reelflow.edge.update.agent.report import FleetReporter
    from reelflow.edge.watch.service import given

    return FleetReporter(given(address), agent, options, state / COUNTS, tell)


def _check(outcome: "Outcome") -> None:
    if outcome.action in ("refused", "rolled back", "given up"):
        raise BundleError(f"the bundle {(outcome.bundle or '')[:SHOWN]} is not in use: {outcome.reason}")


@contextmanager
def _ended_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    before = {one: signal.signal(one, lambda *_: stop()) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _machine() -> str:
    """The id of this machine, hashed: machine-id(5) says that it must not leave it."""
    from reelflow.files import sha256_text

    try:
        return sha256_text(f"reelflow {MACHINE_ID.read_text(encoding='utf-8').strip()}")[:ID_LENGTH]
    except OSError as error:
        raise ParamsError(f"{MACHINE_ID}: {error.strerror}; name this device by --device") from error


def _named(given: UpdateOptions, bundle: str | None) -> str:
    if not bundle:
        return "none"
    try:
        from reelflow.contracts import BundleReport

        return f"{bundle[:SHOWN]}  {BundleReport.open(given.agent.bundles.path(bundle)).name}"
    except BundleError:
        return f"{bundle[:SHOWN]}  (not on this device)"
