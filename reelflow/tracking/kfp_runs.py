"""The runs that Kubeflow Pipelines itself makes in MLflow (KFP 2.17, KEP-12862): ours are in the same tree.

Its API server makes a run of the pipeline, with the tag `kfp.pipeline_run_id` (`BuildKFPTags` in
backend/src/apiserver/plugins/mlflow/util.go), and its driver one of each task, a child of that or of the
run of a group of tasks, whose id a container finds in MLFLOW_RUN_ID (`OnTaskStart` and
`RetrieveUserContainerEnvVars` in backend/src/v2/common/plugins/mlflow/handler.go; all read at commit
7b70c7b95f6832772efd6fd0029a4024491a0f44).
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from reelflow.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PIPELINE_RUN_TAG = "kfp.pipeline_run_id"
PARENT_TAG = "mlflow.parentRunId"
MOST_LEVELS = 10
UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


@dataclass(frozen=True)
class KfpRuns:
    """Ids in MLflow.

    Attributes:
        pipeline: the run of the pipeline.
        task: the run of this task.
        experiment: of both.
    """

    pipeline: str
    task: str
    experiment: str


@cache
def kfp_runs(client: "MlflowClient", settings: Settings) -> KfpRuns | None:
    """The runs that KFP has made for this task; None if it does not, or elsewhere."""
    from mlflow.exceptions import MlflowException

    if not (settings.task_run and settings.run_name):
        return None
    try:
        run: Run = client.get_run(settings.task_run)
        for _ in range(MOST_LEVELS):
            if run.data.tags.get(PIPELINE_RUN_TAG) == settings.run_name:
                return KfpRuns(str(run.info.run_id), settings.task_run, str(run.info.experiment_id))
            if not (parent := run.data.tags.get(PARENT_TAG)):
                return None
            run = client.get_run(parent)
    except MlflowException as error:
        if error.error_code not in UNKNOWN:
            raise
    return None
