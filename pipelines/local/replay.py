"""Sends what MLflow has not got of earlier runs, and registers the bundles that could not be."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from pydantic import ValidationError
from rich.console import Console

from pipelines.local.results import STATE, RunState, show_release
from pipelines.local.run_folder import LOCK, WORK, alone_in
from pipelines.trials.record import record_search
from reelflow.contracts import Summary
from reelflow.errors import BundleError, ReelflowError, TrackingError
from reelflow.files import is_locked
from reelflow.params import ReleaseParams
from reelflow.progress import Event, watched_by
from reelflow.settings import Settings
from reelflow.sources.userinfo import without_credentials
from reelflow.tracking.client import is_well
from reelflow.tracking.spool.owed import Owed, OwedRelease, OwedSearch, TrackingSpool
from reelflow.tracking.spool.sending import send
from reelflow.workers.patience import patiently

REPLAY = "python -m pipelines track replay"
UNREADABLE = (
    "replay with the reelflow that wrote it, or run the same command of that run again, which records it; "
    "then remove the file"
)


@dataclass(frozen=True)
class Replayed:
    """What a replay has done.

    Attributes:
        sent: names of runs that MLflow has got whole now.
        elsewhere: runs of other servers, which wait.
        refused: names of runs that could not be sent for a reason of their own; they wait.
        unreadable: documents that cannot be read, and why.
    """

    sent: tuple[str, ...] = ()
    elsewhere: tuple[Owed, ...] = ()
    refused: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


def replay(settings: Settings, console: Console) -> Replayed:
    """Send what is owed, the oldest run first. One that is refused is told, waits, and holds up no other.

    Raises:
        TrackingError: MLflow is away, so that all others would wait too; what it has got is not sent again.
    """
    spool = TrackingSpool(settings.spool)
    here = without_credentials(settings.tracking_uri)
    sent: list[str] = []
    refused: list[str] = []
    elsewhere: list[Owed] = []

    def show(event: Event) -> None:
        if event["kind"] == "notice":
            console.print(event["message"], markup=False, highlight=False, soft_wrap=True)

    unreadable = tuple(spool.unreadable())
    for why in unreadable:
        _warn(console, f"{why}; {UNREADABLE}")
    if not any(spool.all()):
        return Replayed(unreadable=unreadable)
    with spool.alone(), watched_by(show):
        for owed in spool.all():
            if owed.server != here:
                elsewhere.append(owed)
                continue
            try:
                patiently(_sender(owed, settings, spool, console), settings.patience_s)
            except ReelflowError as error:
                if error.may_pass and not is_well(settings):
                    raise
                refused.append(owed.run)
                _warn(console, f"{_refusal(owed, error)}, or remove {spool.document_of(owed)}")
            else:
                spool.remember(settings)
                sent.append(owed.run)
    return Replayed(tuple(sent), tuple(elsewhere), tuple(refused), unreadable)


def _refusal(owed: Owed, error: ReelflowError) -> str:
    return f"{owed.run or 'steps'} is not in MLflow yet: {error}; when that is mended, run {REPLAY}"


def _warn(console: Console, text: str) -> None:
    console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)


def replay_before_a_run(settings: Settings, console: Console) -> None:
    """Send what is owed of earlier runs; if MLflow is away again, it waits on."""
    try:
        found = replay(settings, console)
    except TrackingError as error:
        found = Replayed()
        console.print(f"earlier runs are still not in MLflow: {error}", style="yellow", markup=False)
    for run in found.sent:
        console.print(f"{run or 'steps'} is in MLflow now", style="dim", markup=False)


def _sender(owed: Owed, settings: Settings, spool: TrackingSpool, console: Console) -> Callable[[], None]:
    """Sends the rest of a run, and can be called again."""

    def work() -> None:
        nonlocal owed
        owed = send(owed, settings, spool)
        if owed.search:
            _record_search(owed, owed.search, settings, console)
            owed = spool.keep(owed.but(search=None))
        if owed.release is None:
            return
        try:
            folder = _register(owed, owed.release, settings, console)
        except (BundleError, ValidationError) as error:
            lost = f"{owed.run}: its bundle cannot be registered any more: {error}; run the pipeline again"
            _warn(console, lost)
            owed = spool.keep(owed.but(release=None))
        else:
            owed = spool.keep(owed.but(release=None, folders=(folder,)))
        owed = send(owed, settings, spool)

    return work


def _record_search(owed: Owed, search: OwedSearch, settings: Settings, console: Console) -> None:
    """Record trials, result and end of a search, if its folder still holds them."""
    try:
        state = search.out / WORK / STATE
        if RunState.read(state).name != owed.run:
            raise BundleError(f"{search.out} holds another search now")
        if is_locked(search.out / LOCK):  # waiting would hold up the others for hours
            raise TrackingError(f"it is running in {search.out}, and records itself at its end")
        with alone_in(search.out, console):
            record_search(owed.settings(settings), search)
    except BundleError as error:
        _warn(console, f"{owed.run} cannot be recorded any more: {error}; run the search again")


def _register(owed: Owed, release: OwedRelease, settings: Settings, console: Console) -> Path:
    """Run the release step again: it registers, and judges by today's champion. Returns its folder."""
    from components.artifacts import gather_evaluations
    from components.release.step import run
    from reelflow.steps import perform

    work = release.out / WORK
    own = owed.settings(settings).model_copy(
        update={"work": work, "events": work / "replay.jsonl", "task": "release"}
    )
    link = work / "replay" / "release"
    with alone_in(release.out, console):
        gathered = gather_evaluations(
            [SimpleNamespace(path=str(folder)) for folder in release.evaluations],
            beside=SimpleNamespace(path=str(link)),
        )
        perform(
            run,
            ReleaseParams.model_validate(release.params),
            inputs={**release.inputs, "evaluations": gathered},
            output={"release": link},
            reuse=False,
            settings=own,
        )
        _deliver(release.out, owed.run, link.resolve())
    return link.resolve()


def _deliver(out: Path, run: str, release: Path) -> None:
    """Show the release in the run's folder, if no other run has taken it since."""
    with suppress(ReelflowError):
        state = RunState.read(out / STATE)
        if state.name != run:
            return
        before = Summary.read(out / "summary.json")
        show_release(out, release, {"seconds": before.seconds, "wall_seconds": before.wall_seconds})
        state.model_copy(update={"finished": True}).save(out)
