"""Reads finished runs back from MLflow: what they measured, on which clips, and with which params."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reelflow.artifacts.evaluations import Candidate
from reelflow.contracts import EvaluationReport
from reelflow.errors import BundleError, ParamsError
from reelflow.settings import Settings
from reelflow.tracking.client import SERVER, connect, server_link, tracking_errors
from reelflow.tracking.kfp_runs import PARENT_TAG
from reelflow.tracking.records import CHOSEN_TAG, DONE, EVALUATION, OUTCOME_TAG
from reelflow.tracking.runs.experiment import ExperimentRuns, quotable
from reelflow.tracking.tracker import CLASSIFIER_TAG

if TYPE_CHECKING:
    from mlflow.entities import Run

ID_SHOWN = 8  # letters of a run's id, where its name is not enough


@dataclass(frozen=True)
class FinishedRun:
    """A pipeline run that has ended well.

    Attributes:
        name: of the run.
        id: of the run in MLflow.
        began_at: ISO 8601, UTC.
        chosen: the classifier that was released.
        params: all of them, those of the chosen classifier too.
        metrics: likewise.
        tags: likewise.
        evaluation: of the chosen classifier; None if MLflow has none.
    """

    name: str
    id: str
    began_at: str
    chosen: str
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    evaluation: Candidate | None = None


class FinishedRuns:
    """The finished runs of an experiment.

    Raises:
        TrackingError: from every method, where MLflow refuses or is not reachable.
    """

    def __init__(self, settings: Settings) -> None:
        self._uri = settings.tracking_uri
        self._client, self._experiment = connect(settings)
        self._runs = ExperimentRuns(self._client, self._uri, self._experiment)

    def find(self, wanted: Sequence[str], last: int, scratch: Path) -> list[FinishedRun]:
        """Runs by name or id, in the order given; without any the last ones, the newest first.

        Of runs with one name the newest is meant; those that are found have their ids in their names.

        Args:
            wanted: names, ids, or the first letters of ids that such names show.
            last: how many, if none are named.
            scratch: folder for their evaluations.

        Raises:
            ParamsError: a run is not there, or has not ended well.
        """
        with tracking_errors(self._uri):
            found = self._runs.search({OUTCOME_TAG: DONE})
            chosen = _named(found, wanted) if wanted else found[:last]
            return _told_apart([self._read(run, scratch) for run in chosen])

    def link(self, run: FinishedRun) -> str:
        """Address of a run on the page of a server; empty without one."""
        return server_link(self._uri, self._experiment, run.id) if self._uri.startswith(SERVER) else ""

    def _read(self, run: "Run", scratch: Path) -> FinishedRun:
        chosen = run.data.tags.get(CHOSEN_TAG, "")
        child = self._child(run.info.run_id, chosen)
        own = [run, *([child] if child else [])]
        return FinishedRun(
            name=run.info.run_name,
            id=run.info.run_id,
            began_at=datetime.fromtimestamp(run.info.start_time / 1000, UTC).isoformat(timespec="seconds"),
            chosen=chosen,
            params={name: value for one in own for name, value in one.data.params.items()},
            metrics={name: value for one in reversed(own) for name, value in one.data.metrics.items()},
            tags={name: value for one in reversed(own) for name, value in one.data.tags.items()},
            evaluation=self._evaluation(child, scratch) if child else None,
        )

    def _child(self, parent: str, classifier: str) -> "Run | None":
        """The run of a classifier; where KFP has made the tree, it may be below that of a group of tasks."""
        direct = self._runs.search({PARENT_TAG: parent})
        found = [one for one in direct if one.info.run_name == classifier]
        found += [] if found else self._runs.search({CLASSIFIER_TAG: quotable(f"{parent} {classifier}")})
        return found[0] if found else None

    def _evaluation(self, child: "Run", scratch: Path) -> Candidate | None:
        """The evaluation, if this run has one; older runs have not."""
        run_id = child.info.run_id
        if not self._client.list_artifacts(run_id, EVALUATION):
            return None
        folder = scratch / run_id
        folder.mkdir(parents=True, exist_ok=True)
        found = Path(self._client.download_artifacts(run_id, EVALUATION, str(folder)))
        try:
            candidate = Candidate(found, EvaluationReport.open(found))
            candidate.scores()
        except BundleError:
            return None
        return candidate


def _named(found: "Sequence[Run]", wanted: Sequence[str]) -> "list[Run]":
    """Runs by name or id, each once."""
    known = {
        key: run
        for run in reversed(found)
        for key in (run.info.run_name, run.info.run_id, run.info.run_id[:ID_SHOWN])
    }
    if absent := [name for name in wanted if name not in known]:
        names = ", ".join(run.info.run_name for run in found[:5]) or "none"
        raise ParamsError(f"no finished run is called {absent[0]}; the newest are {names}")
    return list({known[name].info.run_id: known[name] for name in wanted}.values())


def _told_apart(runs: Sequence[FinishedRun]) -> list[FinishedRun]:
    """Runs of which no two have the same name."""
    count = Counter(run.name for run in runs)
    return [
        run if count[run.name] == 1 else replace(run, name=f"{run.name} ({run.id[:ID_SHOWN]})")
        for run in runs
    ]
