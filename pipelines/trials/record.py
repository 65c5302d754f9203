"""A search in MLflow: one parent run, and a child run for every trial."""

from collections.abc import Iterable
from pathlib import Path

from pipelines.trials.report import FILE, RESULTS, SweepReport
from pipelines.trials.search import DATABASE, Attempt, read_attempts, study_name
from reelflow.errors import BundleError
from reelflow.settings import Settings
from reelflow.tracking.spool.owed import OwedSearch
from reelflow.tracking.tracker import Tracker

Trials = Iterable[tuple[str, Attempt]]  # with the names of their folds
KEY = "sweep.key"
"""Param of the parent run: the key of the search, by which its studies are named."""


class SearchRecord:
    """Logs trials and the result of a search. Idempotent.

    Args:
        settings: with the name of the parent run.
        params: of the parent run.
        started_ms: when a parent run that is not there yet started; else now.

    Raises:
        TrackingError: also from every method. MLflow refuses, or is not reachable.
    """

    def __init__(self, settings: Settings, params: dict[str, str], started_ms: int | None = None) -> None:
        self._tracker = Tracker(settings)
        self._parent = self._tracker.parent(settings.run_name, params, started_ms)

    def trial(self, fold: str, attempt: Attempt) -> None:
        """Log a trial: its values, and its accuracy fold by fold, and end its run."""
        run = self._child(fold, attempt)
        metrics = {"accuracy": attempt.accuracy, "log_loss": attempt.log_loss} if attempt.scores else {}
        tags = {"reelflow.fold": fold, "reelflow.state": attempt.state}
        self._tracker.log(
            run,
            metrics=metrics,
            curves={"fold_accuracy": [score.right / score.clips for score in attempt.scores]},
            tags=tags | ({"reelflow.error": attempt.error} if attempt.error else {}),
        )
        self._end(run, attempt)

    def missing(self, trials: Trials) -> None:
        """Log trials that are not logged yet: an earlier process may have logged some."""
        known = self._tracker.ended_children(self._parent)
        for fold, attempt in trials:
            if (_name(fold, attempt), attempt.candidate.values()) not in known:
                self.trial(fold, attempt)

    def finish(
        self,
        report: SweepReport,
        failed: Trials,
        files: Iterable[Path],
        ended_ms: int,
    ) -> None:
        """Log the result, and end the parent run.

        Args:
            report: of the search.
            failed: trials, with their folds.
            files: what the search has written.
            ended_ms: when it ended.
        """
        figures = {"accuracy": report.accuracy, "tuned_accuracy": report.tuned_accuracy}
        limits = {"accuracy_low": report.interval.low, "accuracy_high": report.interval.high}
        self._tracker.log(
            self._parent,
            metrics=figures | limits | {"optimism": report.optimism},
            tags={f"reelflow.chosen.{name}": value for name, value in report.chosen.values().items()},
            artifacts=dict.fromkeys(files, "sweep"),
        )
        self._tracker.finish(self._parent, ended_ms=ended_ms)
        for fold, attempt in failed:  # the line before has marked these as finished, too
            self._end(self._child(fold, attempt), attempt)

    def _child(self, fold: str, attempt: Attempt) -> str:
        values = attempt.candidate.values()
        return self._tracker.child(self._parent, _name(fold, attempt), values, attempt.started_ms)

    def _end(self, run: str, attempt: Attempt) -> None:
        status = "FAILED" if attempt.state == "FAIL" else "FINISHED"
        self._tracker.finish(run, status, attempt.ended_ms)


def record_search(settings: Settings, search: OwedSearch) -> None:
    """Record a search that has ended, from what it has left in its folder.

    Args:
        settings: with the name of its run.
        search: that has ended.

    Raises:
        TrackingError: MLflow refuses, or is not reachable.
        BundleError: its folder does not hold its trials and its result any more.
        StorageError: its trials cannot be read.
    """
    report = SweepReport.read(search.out / FILE)
    files = [search.out / name for name in RESULTS]
    if lost := [path for path in files if not path.is_file()]:
        raise BundleError(f"there is no {lost[0]}")
    found = _trials_of(report, search)
    started_ms = min((one.started_ms for _, one in found if one.started_ms), default=None)
    record = SearchRecord(settings, search.params, started_ms)
    record.missing(found)
    failed = [(fold, attempt) for fold, attempt in found if attempt.state == "FAIL"]
    record.finish(report, failed, files, search.ended_ms)


def _name(fold: str, attempt: Attempt) -> str:
    return f"{fold}, trial {attempt.number}"


def _trials_of(report: SweepReport, search: OwedSearch) -> list[tuple[str, Attempt]]:
    """All trials with the names of their folds, in the order in which they were made."""
    return [
        (study.name, attempt)
        for study in report.studies
        for attempt in read_attempts(search.out / DATABASE, study_name(search.params[KEY], study.name))
    ]
