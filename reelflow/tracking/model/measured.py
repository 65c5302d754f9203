"""Links a model to the run that made it, and to the figures of its evaluation."""

import json
from typing import TYPE_CHECKING

from reelflow.contracts import EvaluationReport
from reelflow.tracking.facts.datasets import CONTEXT, CONTEXTS

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, Run

VERSIONS_TAG = "mlflow.modelVersions"  # MLFLOW_MODEL_VERSIONS of mlflow.utils.mlflow_tags


def link_model(client: "MlflowClient", run_id: str, model_id: str, report: EvaluationReport | None) -> None:
    """Say that a run has made a model, and how good that is; again changes nothing.

    A metric with a model is one of the run too (`log_batch` of MLflow's SqlAlchemyStore). It has the time and
    step of the run's own, so that it is the same point there.

    Args:
        client: of MLflow.
        run_id: of the classifier.
        model_id: of the logged model.
        report: of the classifier's evaluation, if there is one.
    """
    from mlflow.entities import Metric

    run = client.get_run(run_id)
    if not _is_output(run, model_id):
        _add_output(client, run_id, model_id)
    if report is None:
        return
    test = _test_set(run)
    where = (test.name, test.digest) if test else (None, None)
    points = [
        Metric(name, value, run.info.start_time, 0, model_id, *where)
        for name, value in report.metrics.items()
    ]
    client.log_batch(run_id, metrics=points)


def _add_output(client: "MlflowClient", run_id: str, model_id: str) -> None:
    """MLflow repeats a request whose answer is lost, and then finds that its own row is there."""
    from mlflow.entities import LoggedModelOutput
    from mlflow.exceptions import MlflowException

    try:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    except MlflowException:
        if not _is_output(client.get_run(run_id), model_id):
            raise


def _is_output(run: "Run", model_id: str) -> bool:
    known = run.outputs.model_outputs if run.outputs else []
    return model_id in {output.model_id for output in known}


def link_version(client: "MlflowClient", model_id: str, model_name: str, number: int) -> None:
    """Name the registered version on the page of its logged model; a server has done it already.

    With a database only `mlflow.register_model` does it (`_register_model` in
    mlflow.tracking._model_registry.fluent), not a client.
    """
    known = json.loads(client.get_logged_model(model_id).tags.get(VERSIONS_TAG, "[]"))
    if (model_name, str(number)) not in {(one["name"], str(one["version"])) for one in known}:
        known.append({"name": model_name, "version": str(number)})
        client.set_logged_model_tags(model_id, {VERSIONS_TAG: json.dumps(known)})


def _test_set(run: "Run") -> "Dataset | None":
    """The data set that a run is tested on."""
    for one in run.inputs.dataset_inputs if run.inputs else ():
        if (CONTEXT, CONTEXTS["test"]) in {(tag.key, tag.value) for tag in one.tags}:
            return one.dataset
    return None
