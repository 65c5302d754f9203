"""How a local run gets on with MLflow: at its start, and where the bundle cannot be registered."""

from contextlib import suppress
from pathlib import Path

from rich.console import Console

from pipelines.local.results import evaluations_in, events_after, finished_folders
from reelflow.errors import ReelflowError, StepError, TrackingError
from reelflow.params import Params
from reelflow.progress import Event
from reelflow.settings import Settings
from reelflow.tracking.records import finish_run, prepare, record_failure
from reelflow.tracking.spool.owed import OwedRelease, TrackingSpool
from reelflow.tracking.spool.recorder import RunRecorder
from reelflow.workers.patience import patiently

INPUTS = {"dataset": "dataset", "frames": "frames", "bundle": "conversion"}  # of release, by task


def open_tracking(settings: Settings, console: Console) -> bool:
    """Start the run in MLflow; returns whether that was possible.

    A server that is away does not hold up a run if it has answered at this address before. An address at
    which nothing has ever answered is taken for a mistake.

    Raises:
        TrackingError: MLflow refuses, or nothing has ever answered there.
    """
    spool = TrackingSpool(settings.spool)
    try:
        patiently(lambda: prepare(settings), settings.patience_s)
    except TrackingError as error:
        if not error.may_pass or not spool.knows(settings):
            raise
        told = f"{error}; it has answered before, so the run goes on, and is recorded when it answers again"
        console.print(told, style="yellow", markup=False, highlight=False, soft_wrap=True)
        return False
    spool.remember(settings)
    return True


def problem_of(failure: Event) -> StepError:
    """The error of a step, with its exit code."""
    problem = StepError(f"{failure['task']}: {failure['message']}")
    problem.exit_code = failure["exit_code"]
    return problem


def whole_but_unregistered(
    failure: Event, recorder: RunRecorder, params: Params, out: Path, settings: Settings
) -> StepError:
    """Keep what is to be registered; returns the problem, beside which the results are whole."""
    done = finished_folders(events_after(settings.events)[0])
    owed = OwedRelease(
        out=out,
        params=params.release.model_dump(mode="json"),
        inputs={name: done[task] for name, task in INPUTS.items()},
        evaluations=tuple(evaluations_in(done)),
    )
    recorder.end("FINISHED", release=owed)
    if not recorder.problem:
        record_failure(settings, failure["task"], failure["message"])
        with suppress(ReelflowError):  # report the failure of the step, not this one
            finish_run(settings, "FAILED")
    return problem_of(failure)
