"""Runs in MLflow: one parent run per pipeline run, one child run per (backbone, head).

Only explicit run ids are used, so an active run changes nothing, nor does `MLFLOW_RUN_ID`, unless it is of
the pipeline run that Kubeflow Pipelines tracks itself: then ours are KFP's. A run's parameters never change:
logging them again is fine, other values make a new run of the same name.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from reelflow import __version__
from reelflow.errors import TrackingError
from reelflow.settings import Settings
from reelflow.sources.userinfo import without_credentials
from reelflow.tracking.answers.away import is_away
from reelflow.tracking.answers.told import reason_of
from reelflow.tracking.client import connect, exclusive, run_link, tracking_errors
from reelflow.tracking.facts.folds import FoldRun
from reelflow.tracking.kfp_runs import PARENT_TAG, KfpRuns, kfp_runs
from reelflow.tracking.runs.experiment import ExperimentRuns, quotable
from reelflow.tracking.runs.values import METRICS, batches, params_of, points_of
from reelflow.tracking.sqlite import SQLITE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Run

RUN_TAG = "reelflow.run"
CLASSIFIER_TAG = "reelflow.classifier"
"""In runs of KFP: the id of the pipeline's run, and the classifier."""
PROBE = "reelflow-probe"
FINISHED = "FINISHED"
ABSENT = "RESOURCE_DOES_NOT_EXIST"
SHORT_CURVE = 100  # points; sending them again costs less than asking for those that MLflow has


class Tracker:
    """Finds or creates runs, and logs to them. Idempotent.

    Raises:
        TrackingError: from every method, where MLflow refuses or is not reachable.
    """

    def __init__(self, settings: Settings) -> None:
        self._uri = settings.tracking_uri
        self._client, self._experiment = connect(settings)
        with tracking_errors(self._uri):
            self._kfp = kfp_runs(self._client, settings)
        if self._kfp:
            self._experiment = self._kfp.experiment
        self._runs = ExperimentRuns(self._client, self._uri, self._experiment)

    @property
    def experiment(self) -> str:
        """The id of the experiment that runs are in."""
        return self._experiment

    def parent(
        self, run_name: str, params: Mapping[str, str] | None = None, started_ms: int | None = None
    ) -> str:
        """The id of the pipeline run with this name and these params; a new one starts then, or now."""
        tags = {RUN_TAG: quotable(run_name)}
        if self._kfp:
            return self._adopted(self._kfp.pipeline, tags, params or {})
        return self._runs.get_or_create(run_name, tags, params or {}, started_ms)

    def child(
        self,
        parent_id: str,
        name: str,
        params: Mapping[str, str] | None = None,
        started_ms: int | None = None,
    ) -> str:
        """The id of the child run of one classifier with these params; a new one starts then, or now."""
        if self._kfp:
            return self._kfp_child(self._kfp, name, params or {})
        tags = {PARENT_TAG: parent_id}
        return self._runs.get_or_create(name, tags, params or {}, started_ms)

    def find_child(self, parent_id: str, name: str) -> str | None:
        """The id of the newest child run of this name, if there is one."""
        if self._kfp:
            return self.find({CLASSIFIER_TAG: f"{self._kfp.pipeline} {name}"})
        with tracking_errors(self._uri):
            found = (run for run in self._runs.search({PARENT_TAG: parent_id}) if run.info.run_name == name)
            return next((str(run.info.run_id) for run in found), None)

    def ended_children(self, parent_id: str) -> list[tuple[str, dict[str, str]]]:
        """Names and params of the child runs that have ended: these have everything that was logged."""
        with tracking_errors(self._uri):
            found = self._runs.search({PARENT_TAG: parent_id})
            return [(str(run.info.run_name), dict(run.data.params)) for run in found if run.info.end_time]

    def log(
        self,
        run_id: str,
        *,
        params: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        curves: Mapping[str, Sequence[float]] | None = None,
        tags: Mapping[str, str] | None = None,
        artifacts: Mapping[Path, str] | None = None,
    ) -> None:
        """Log to a run.

        Args:
            run_id: of `parent` or `child`.
            params: by name; see `flatten`.
            metrics: single values.
            curves: one value per epoch, starting at epoch 1.
            tags: by name.
            artifacts: files and folders, with the artifact folder that each goes to.
        """
        from mlflow.entities import RunTag

        with tracking_errors(self._uri):
            for path, where in (artifacts or {}).items():
                copy = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
                copy(run_id, str(path), where)
            with exclusive(self._uri):
                start_ms = _start_ms(self._client, run_id)
                long = (name for name, values in (curves or {}).items() if len(values) > SHORT_CURVE)
                told = {name: self.steps(run_id, name) for name in long}
                points = [
                    one
                    for one in points_of(metrics or {}, curves or {}, start_ms)
                    if one.step not in told.get(one.key, ())
                ]
                parts = zip_longest(
                    params_of(params or {}),
                    batches(points, METRICS),
                    batches([RunTag(*item) for item in (tags or {}).items()]),
                    fillvalue=(),
                )
                for some_params, some_points, some_tags in parts:
                    self._client.log_batch(run_id, metrics=some_points, params=some_params, tags=some_tags)

    def log_points(self, run_id: str, points: Iterable[tuple[str, int, float, int | None]]) -> None:
        """Log points of curves.

        Args:
            run_id: of `parent` or `child`.
            points: name of the metric, step, value, and milliseconds since 1970; without these, the step
                is an epoch, and its time as many milliseconds after the start of the run.
        """
        from mlflow.entities import Metric

        with tracking_errors(self._uri), exclusive(self._uri):
            start_ms = _start_ms(self._client, run_id)
            told = [
                Metric(name, value, start_ms + step if time_ms is None else time_ms, step)
                for name, step, value, time_ms in points
            ]
            for values in batches(told, METRICS):
                self._client.log_batch(run_id, metrics=values)

    def started_ms(self, run_id: str) -> int:
        """When a run started; milliseconds since 1970."""
        with tracking_errors(self._uri):
            return _start_ms(self._client, run_id)

    def steps(self, run_id: str, metric: str) -> set[int]:
        """The steps of which a metric has a point."""
        with tracking_errors(self._uri):
            return {int(point.step) for point in self._client.get_metric_history(run_id, metric)}

    def log_inputs(self, run_id: str, inputs: "Sequence[DatasetInput]") -> None:
        """Log data sets that a run reads; MLflow keeps equal ones once."""
        with tracking_errors(self._uri), exclusive(self._uri):
            self._client.log_inputs(run_id, datasets=list(inputs))

    def inherit_inputs(self, run_id: str, parent_id: str) -> None:
        """Have a run read the data sets of its parent too, if it reads none yet."""
        with tracking_errors(self._uri), exclusive(self._uri):
            if self._client.get_run(run_id).inputs.dataset_inputs:
                return
            if found := self._client.get_run(parent_id).inputs.dataset_inputs:
                self._client.log_inputs(run_id, datasets=found)

    def log_texts(self, run_id: str, texts: Mapping[str, str]) -> None:
        """Write artifacts, by path and content."""
        with tracking_errors(self._uri):
            for path, text in texts.items():
                self._client.log_text(run_id, text, path)

    def log_folds(self, run_id: str, folds: Sequence[FoldRun]) -> None:
        """Log the folds of a classifier as runs below its run, with its times; once."""
        from mlflow.entities import Metric

        if not folds:
            return
        with tracking_errors(self._uri), exclusive(self._uri):
            info = self._client.get_run(run_id).info
            known = {str(run.info.run_name): run for run in self._runs.search({PARENT_TAG: run_id})}
            for fold in folds:
                found = known.get(fold.name)
                if found and found.info.status == FINISHED:
                    continue
                own = (
                    str(found.info.run_id)
                    if found
                    else self._runs.create(fold.name, {PARENT_TAG: run_id}, info.start_time)
                )
                points = [Metric(name, value, info.start_time, 0) for name, value in fold.metrics.items()]
                self._client.log_batch(own, metrics=points)
                self._client.set_terminated(own, FINISHED, info.end_time)

    def describe_version(self, model_name: str, version: int, note: str, model_note: str) -> None:
        """Describe a version, if it is still there; and its model, if nobody has."""
        from mlflow.exceptions import MlflowException

        with tracking_errors(self._uri), exclusive(self._uri):
            try:
                self._client.update_model_version(model_name, str(version), note)
            except MlflowException as error:
                if error.error_code == ABSENT:
                    return
                raise
            if not self._client.get_registered_model(model_name).description:
                self._client.update_registered_model(model_name, model_note)

    def check_writable(self, run_id: str) -> None:
        """Write what the end of a run writes: an artifact and, on a server, a model.

        What cannot be written is told at the start of a run, not after hours of work.
        """
        from mlflow.exceptions import MlflowException

        with tracking_errors(self._uri):
            self._client.log_text(run_id, f"reelflow {__version__}\n", "reelflow.txt")
            if self._uri.startswith(SQLITE):
                return
            try:
                self._client.create_logged_model(self._experiment, PROBE, source_run_id=run_id)
                query = f"name = '{PROBE}' AND source_run_id = '{run_id}'"
                for model in self._client.search_logged_models([self._experiment], query):
                    self._client.delete_logged_model(model.model_id)
            except MlflowException as error:
                if is_away(error):
                    raise
                raise TrackingError(
                    f"MLflow at {without_credentials(self._uri)} keeps no models ({reason_of(error)}): "
                    "reelflow needs a server of MLflow 3 or newer that lets it create models"
                ) from None

    def tags(self, run_id: str) -> dict[str, str]:
        """The tags of a run."""
        with tracking_errors(self._uri):
            return dict(self._client.get_run(run_id).data.tags)

    def untag(self, run_id: str, name: str) -> None:
        """Remove a tag of a run, if it is there: MLflow may have done so, and its answer may be lost."""
        from mlflow.exceptions import MlflowException

        with tracking_errors(self._uri), exclusive(self._uri):
            try:
                self._client.delete_tag(run_id, name)
            except MlflowException as error:
                if error.error_code != ABSENT:
                    raise

    def find(self, tags: Mapping[str, str], status: str = "") -> str | None:
        """The id of the newest run with these tags, and with this status if given."""
        with tracking_errors(self._uri):
            found = (run for run in self._runs.search(tags) if status in ("", run.info.status))
            return next((str(run.info.run_id) for run in found), None)

    def first(self, tags: Mapping[str, str]) -> tuple[str, str] | None:
        """Id and name of the pipeline run that had these tags first, itself or in a child run."""
        with tracking_errors(self._uri):
            found = self._runs.search(tags)
            if not found:
                return None
            oldest = found[-1]
            if parent := oldest.data.tags.get(PARENT_TAG):
                oldest = self._client.get_run(parent)
            return str(oldest.info.run_id), str(oldest.info.run_name)

    def link(self, run_id: str, artifact: str = "") -> str:
        """Link to a run or one of its artifacts, relative to the MLflow UI."""
        return run_link(self._experiment, run_id, artifact)

    def set_end(self, run_id: str, ended_ms: int) -> None:
        """Say when the work of a child run ended; `finish` leaves that as it is."""
        if self._kfp:
            return
        with tracking_errors(self._uri), exclusive(self._uri):
            status = self._client.get_run(run_id).info.status
            self._client.set_terminated(run_id, status, ended_ms)

    def finish(self, run_id: str, status: str = "FINISHED", ended_ms: int | None = None) -> None:
        """End a run then, or now, and those of its children that have not ended; KFP ends its own."""
        if self._kfp:
            return
        with tracking_errors(self._uri), exclusive(self._uri):
            for run in self._runs.search({PARENT_TAG: run_id}):
                if run.info.status != FINISHED:
                    self._terminate(run, status, ended_ms)
            self._terminate(self._client.get_run(run_id), status, ended_ms)

    def _terminate(self, run: "Run", status: str, ended_ms: int | None) -> None:
        """End a run; a child whose end is known keeps it (`set_terminated` of MLflow would take now)."""
        known = run.info.end_time if PARENT_TAG in run.data.tags else None
        self._client.set_terminated(run.info.run_id, status, known or ended_ms)

    def _kfp_child(self, kfp: KfpRuns, name: str, params: Mapping[str, str]) -> str:
        """The run of a classifier in KFP's tree: that of the first task that works on it."""
        tags = {CLASSIFIER_TAG: f"{kfp.pipeline} {name}"}
        if found := self.find(tags):
            return found
        run_id = self._adopted(kfp.task, tags, params)
        with tracking_errors(self._uri):
            self._client.update_run(run_id, name=name)
        return run_id

    def _adopted(self, run_id: str, tags: Mapping[str, str], params: Mapping[str, str]) -> str:
        """A run that KFP has made, with our tags and params."""
        if any(self.tags(run_id).get(name) != value for name, value in tags.items()) or params:
            self.log(run_id, tags=tags, params=params)
        return run_id


@cache
def _start_ms(client: "MlflowClient", run_id: str) -> int:
    """When a run started, which never changes; milliseconds since 1970."""
    return int(client.get_run(run_id).info.start_time)
