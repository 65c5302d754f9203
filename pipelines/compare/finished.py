"""Reads finished runs back from MLflow: what they measured, on which clips, and with which params."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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

if TYPE_CHECKING:
    from mlflow.entities import Run

MOST_RUNS = 1000


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

    def find(self, wanted: Sequence[str], last: int, scratch: Path) -> list[FinishedRun]:
        """Runs by name or id, in the order given; without any the last ones, the newest first.

        Args:
            wanted: names or ids.
            last: how many, if none are named.
            scratch: folder for their evaluations.

        Raises:
            ParamsError: a run is not there, or has not ended well.
        """
        with tracking_errors(self._uri):
            found = self._finished()
            if not wanted:
                return [self._read(run, scratch) for run in found[:last]]
            known = {key: run for run in reversed(found) for key in (run.info.run_name, run.info.run_id)}
            if absent := [name for name in wanted if name not in known]:
                names = ", ".join(run.info.run_name for run in found[:5]) or "none"
                raise ParamsError(f"no finished run is called {absent[0]}; the newest are {names}")
            named = {known[name].info.run_id: known[name] for name in wanted}
            return [self._read(run, scratch) for run in named.values()]

    def link(self, run: FinishedRun) -> str:
        """Address of a run on the page of a server; empty without one."""
        return server_link(self._uri, self._experiment, run.id) if self._uri.startswith(SERVER) else ""

    def _finished(self) -> "list[Run]":
        query, newest = f"tags.`{OUTCOME_TAG}` = '{DONE}'", ["attributes.start_time DESC"]
        return list(
            self._client.search_runs([self._experiment], query, max_results=MOST_RUNS, order_by=newest)
        )

    def _read(self, run: "Run", scratch: Path) -> FinishedRun:
        chosen = run.data.tags.get(CHOSEN_TAG, "")
        query = f"tags.`{PARENT_TAG}` = '{run.info.run_id}'"
        children = self._client.search_runs([self._experiment], query, max_results=MOST_RUNS)
        child = next((one for one in children if one.info.run_name == chosen), None)
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
