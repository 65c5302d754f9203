"""A search in MLflow: one parent run, and a child run for every trial."""

from collections.abc import Iterable
from pathlib import Path

from pipelines.sweep.results import Study, SweepReport
from pipelines.sweep.search import Attempt
from reelflow.errors import TrackingError
from reelflow.progress import emit
from reelflow.settings import Settings
from reelflow.tracking.client import is_reachable
from reelflow.tracking.tracker import Tracker


class Record:
    """Logs finished trials. Idempotent. MLflow that is away holds no search up.

    Args:
        settings: where MLflow is.
        name: of the parent run.
        params: of the parent run; a search with others is another run.

    Raises:
        TrackingError: MLflow refuses, or is not reachable.
    """

    def __init__(self, settings: Settings, name: str, params: dict[str, str]) -> None:
        self._settings, self._behind = settings, False
        self._tracker = Tracker(settings)
        self._parent = self._tracker.parent(name, params)

    def trial(self, fold: str, attempt: Attempt) -> None:
        """Log a trial: its values, and its accuracy fold by fold; if MLflow is away, `finish` does it."""
        if self._behind and not is_reachable(self._settings):
            return
        try:
            self._log(fold, attempt)
        except TrackingError as error:
            if not self._behind:
                emit("notice", message=f"{error}; trials are recorded at the end")
            self._behind = True

    def _log(self, fold: str, attempt: Attempt) -> None:
        run = self._child(fold, attempt)
        metrics = {"accuracy": attempt.accuracy, "log_loss": attempt.log_loss} if attempt.scores else {}
        tags = {"reelflow.fold": fold, "reelflow.state": attempt.state}
        self._tracker.log(
            run,
            metrics=metrics,
            curves={"fold_accuracy": [score.right / score.clips for score in attempt.scores]},
            tags=tags | ({"reelflow.error": attempt.error} if attempt.error else {}),
        )
        self._tracker.finish(run, _status(attempt))

    def finish(self, report: SweepReport, studies: Iterable[Study], files: Iterable[Path]) -> None:
        """Log the results, and trials that could not be, and end the parent run.

        Raises:
            TrackingError: MLflow refuses, or is not reachable.
        """
        studies = tuple(studies)
        if self._behind:
            for study in studies:
                for attempt in study.attempts:
                    self._log(study.nest.name, attempt)
        figures = {"accuracy": report.accuracy, "tuned_accuracy": report.tuned_accuracy}
        limits = {"accuracy_low": report.interval.low, "accuracy_high": report.interval.high}
        self._tracker.log(
            self._parent,
            metrics=figures | limits | {"optimism": report.optimism},
            tags={f"reelflow.chosen.{name}": value for name, value in report.chosen.values().items()},
            artifacts=dict.fromkeys(files, "sweep"),
        )
        self._tracker.finish(self._parent)
        for study in studies:  # the line before has marked these as finished, too
            for attempt in study.attempts:
                if attempt.state == "FAIL":
                    self._tracker.finish(self._child(study.nest.name, attempt), _status(attempt))

    def _child(self, fold: str, attempt: Attempt) -> str:
        return self._tracker.child(
            self._parent, f"{fold}, trial {attempt.number}", attempt.candidate.values()
        )


def _status(attempt: Attempt) -> str:
    return "FAILED" if attempt.state == "FAIL" else "FINISHED"
