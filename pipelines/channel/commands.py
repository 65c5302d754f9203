"""`python -m pipelines channel init|publish|rollout|judge|rotate-key|refresh|prune|status`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.channel.options import (
    EXIT_CODES,
    NONE,
    ROOT_FILE,
    Channel,
    Days,
    Groups,
    Keys,
    Role,
    RootFile,
    Verb,
    changing,
    days_of,
    numbers_of,
)
from pipelines.console import wide_console
from reelflow.errors import ChannelError, ParamsError

if TYPE_CHECKING:
    from reelflow.settings import Settings

commands = typer.Typer(
    help="Update channels: signed statements of the bundle that devices run.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
)


@commands.command(epilog=EXIT_CODES)
def init(
    channel: Channel,
    root: RootFile = ROOT_FILE,
    key: Keys = NONE,
    new_keys: Annotated[
        Path | None,
        typer.Option(
            help="Folder for new private keys, outside the repository: one for each role without a --key."
        ),
    ] = None,
    threshold: Annotated[
        list[str],
        typer.Option(help="ROLE=N: number of signatures that a role needs, such as root=2; repeatable."),
    ] = NONE,
    expire: Days = NONE,
) -> None:
    """Begin a channel: sign its first root, which devices pin, and write that to --root."""
    from pipelines.channel.begin import begin
    from pipelines.channel.keys import ROLES, open_keys
    from pipelines.channel.keys import new_keys as make_keys
    from pipelines.channel.repository import alone, open_channel_store
    from reelflow.settings import Settings

    store = open_channel_store(channel, Settings())
    keys = open_keys(key)
    if new_keys:
        missing = [role for role in ROLES if not keys.of(role)]
        keys = keys.joined(open_keys(make_keys(new_keys, missing)))
    with alone(channel):
        begin(store, root, keys, numbers_of(threshold, "--threshold", 100), days_of(expire))
    wide_console().print(
        f"the channel {channel} is created; copy {root} to each device as root.json", markup=False
    )


@commands.command(epilog=EXIT_CODES)
def publish(
    channel: Channel,
    version: Annotated[
        str, typer.Argument(metavar="[VERSION|ALIAS]", help="Of the model registry.")
    ] = "champion",
    model: Annotated[str, typer.Option(help="Name in the registry; may be left out if there is one.")] = "",
    bundle: Annotated[Path | None, typer.Option(help="A bundle's folder instead of the registry.")] = None,
    percent: Annotated[float, typer.Option(min=0, max=100, help="Share of the devices that get it.")] = 100,
    group: Groups = NONE,
    root: RootFile = ROOT_FILE,
    key: Keys = NONE,
) -> None:
    """Roll a bundle out; it is verified first."""
    from pipelines.channel.keys import open_keys
    from pipelines.channel.publish import Audience
    from pipelines.channel.publish import publish as publish_bundle
    from pipelines.channel.view import told_rollout
    from reelflow.settings import Settings

    settings, audience = Settings(), Audience(tuple(group), percent)
    keys = open_keys(key)
    with changing(channel, root, settings) as repository, _bundle(bundle, version, model, settings) as found:
        folder, name, number = found
        done = publish_bundle(repository, keys, folder, audience, model_name=name, version=number)
    told = (
        f"{done.uploaded} of {len(done.listing.files)} files uploaded" if done.changed else "nothing changed"
    )
    wide_console().print(f"{told_rollout(done.rollout)} ({told})", markup=False)


@commands.command(epilog=EXIT_CODES)
def rollout(
    channel: Channel,
    verb: Annotated[
        Verb | None, typer.Argument(help="pause: no device changes; abort: all go back; finish: all get it.")
    ] = None,
    percent: Annotated[float | None, typer.Option(min=0, max=100, help="The new share of devices.")] = None,
    group: Groups = NONE,
    reason: Annotated[str, typer.Option(help="Why, for people.")] = "",
    root: RootFile = ROOT_FILE,
    key: Keys = NONE,
) -> None:
    """Widen, pause, resume, abort or finish the rollout."""
    from pipelines.channel.keys import open_keys
    from pipelines.channel.publish import change_rollout
    from pipelines.channel.view import told_rollout
    from reelflow.settings import Settings

    if verb is None and percent is None and not group:
        raise ParamsError("nothing to change: expected --percent, --group, or pause, resume, abort or finish")
    keys = open_keys(key)
    with changing(channel, root, Settings()) as repository:
        changed = change_rollout(repository, keys, verb, groups=tuple(group), percent=percent, reason=reason)
    wide_console().print(told_rollout(changed), markup=False)


@commands.command(epilog=EXIT_CODES)
def judge(
    channel: Channel,
    fleet: Annotated[str, typer.Argument(help="Where reports are kept: a folder, or s3://BUCKET/PREFIX.")],
    most_bad: Annotated[
        float, typer.Option(min=0, max=100, help="Percent that may fail or be silent.")
    ] = 10.0,
    least: Annotated[int, typer.Option(min=1, help="Devices that must fail before it is stopped.")] = 1,
    silent_after: Annotated[
        str, typer.Option(help="Time without a report after which a device counts as silent.")
    ] = "24h",
    root: RootFile = ROOT_FILE,
    key: Keys = NONE,
) -> None:
    """Stop the rollout if too many of its devices fail or are silent; run it every few minutes."""
    from datetime import UTC, datetime, timedelta

    from pipelines.channel.judging import stop_if_bad
    from pipelines.channel.keys import open_keys
    from pipelines.channel.view import told_rollout, told_standing
    from pipelines.fleet.store import FleetStore
    from reelflow.commandline import seconds_of
    from reelflow.progress import Line, watched_by
    from reelflow.settings import Settings

    settings, keys = Settings(), open_keys(key)
    silence = timedelta(seconds=seconds_of(silent_after, "--silent-after"))
    with watched_by(Line()):
        reports = FleetStore.at(fleet, settings).reports()
    with changing(channel, root, settings) as repository:
        found = stop_if_bad(
            repository,
            keys,
            reports,
            datetime.now(UTC),
            silent_after=silence,
            most_bad_percent=most_bad,
            least_devices=least,
        )
    wide_console().print(told_rollout(found.rollout), markup=False)
    wide_console().print(told_standing(found.standing), markup=False)
    if found.stopped:
        raise typer.Exit(ChannelError.exit_code)


@commands.command(name="rotate-key", epilog=EXIT_CODES)
def rotate_key(
    channel: Channel,
    role: Annotated[Role, typer.Argument(help="Whose key is replaced.")],
    new: Annotated[str, typer.Option(help="URI of the new key; a file: that does not exist is created.")],
    replace: Annotated[
        str, typer.Option(help="First characters of the old key's id, if the role has several keys.")
    ] = "",
    root: RootFile = ROOT_FILE,
    key: Keys = NONE,
    expire: Days = NONE,
) -> None:
    """Replace a key: name the keys of root, of the role and of those after it; devices follow."""
    from pipelines.channel.keys import new_key, open_keys
    from pipelines.channel.rotation import rotate_key as rotate
    from reelflow.settings import Settings

    keys, signer = open_keys(key), new_key(new)
    with changing(channel, root, Settings()) as repository:
        found = rotate(repository, keys, role, signer, replaced=replace, days=days_of(expire))
    ids = ", ".join(keyid[:12] for keyid in found.signed.roles[role].keyids)
    wide_console().print(f"root {found.signed.version}: {role} is signed by {ids}", markup=False)


@commands.command(epilog=EXIT_CODES)
def refresh(channel: Channel, root: RootFile = ROOT_FILE, key: Keys = NONE) -> None:
    """Sign the timestamp again, and what else is due and has its key here; run it every day."""
    from pipelines.channel.keys import open_keys
    from pipelines.channel.rotation import refresh as sign_again
    from reelflow.settings import Settings

    console, keys = wide_console(), open_keys(key)
    with changing(channel, root, Settings()) as repository:
        state, left = sign_again(repository, keys)
    signed = state.timestamp.signed
    console.print(f"timestamp {signed.version} expires {signed.expires:%Y-%m-%d %H:%M} UTC", markup=False)
    for role in left:
        expires = getattr(state, role).signed.expires
        console.print(
            f"{role} expires {expires:%Y-%m-%d}: run channel refresh with its key (--key {role}=URI)",
            markup=False,
        )


@commands.command(epilog=EXIT_CODES)
def prune(
    channel: Channel,
    keep: Annotated[
        int,
        typer.Option(min=1, help="Number of newest bundles to keep; those of the rollout are always kept."),
    ] = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
    root: RootFile = ROOT_FILE,
    key: Keys = NONE,
) -> None:
    """Remove the files of old bundles, which no device asks for; needs the timestamp's key alone."""
    from pipelines.channel.keys import open_keys
    from pipelines.channel.prune import plan_prune
    from pipelines.channel.prune import prune as remove
    from pipelines.channel.view import print_prune
    from reelflow.settings import Settings

    console, keys = wide_console(), open_keys(key)
    with changing(channel, root, Settings()) as repository:
        plan = plan_prune(repository, keep)
        print_prune(plan, console)
        if dry_run:
            console.print("nothing was removed (--dry-run)")
        elif not plan.removed and not plan.pruning:
            console.print("nothing to remove")
        elif yes or typer.confirm(f"Remove {len(plan.removed)} files from {channel}?"):
            console.print(f"removed {remove(repository, keys, plan)} files")


@commands.command(epilog=EXIT_CODES)
def status(
    channel: Channel,
    root: RootFile = ROOT_FILE,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Show version and expiry of each role, the bundles and the rollout."""
    from pipelines.channel.repository import open_repository
    from pipelines.channel.status import read_status
    from pipelines.channel.view import print_channel
    from reelflow.settings import Settings

    found = read_status(open_repository(channel, root, Settings()), channel)
    if as_json:
        print(found.to_json(), end="")  # noqa: T201
    else:
        print_channel(found, wide_console())
    if found.is_expired:
        raise typer.Exit(ChannelError.exit_code)


@contextmanager
def _bundle(
    folder: Path | None, version: str, model: str, settings: "Settings"
) -> Iterator[tuple[Path, str, int]]:
    """The bundle that a command line names, with its name and number in the registry."""
    if folder is not None:
        yield folder, model, 0
        return
    from pipelines.registered import registered_version
    from reelflow.tracking.versions import Versions

    versions = Versions(settings)
    found = registered_version(versions, model, version)
    with versions.bundle(found) as bundle:
        yield bundle, found.model_name, found.number
