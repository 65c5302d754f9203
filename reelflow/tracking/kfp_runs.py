"""The runs that Kubeflow Pipelines itself makes in MLflow (KFP 2.17, KEP-12862): ours are in the same tree.

Its API server makes a run of the pipeline, with the tag `kfp.pipeline_run_id` (`BuildKFPTags` in
backend/src/apiserver/plugins/mlflow/util.go), and its driver one of each task, a child of that or of the
run of a group of tasks, whose id a container finds in MLFLOW_RUN_ID (`OnTaskStart` and
`RetrieveUserContainerEnvVars` in backend/src/v2/common/plugins/mlflow/handler.go; all read at commit
7b70c7b95f6832772efd6fd0029a4024491a0f44).

At the end of a task its launcher logs what the task's outputs of type `system.Metrics` hold, each figure by
its own name, to the run of that task (`Execute` in backend/src/v2/component/launcher_v2.go, which calls
`FormatScalarMetricArtifacts` in backend/src/v2/metadata/client.go and `OnTaskEnd`); for a task that KFP's
cache answers its driver does so (`Container` in backend/src/v2/driver/container.go). Our records have the
same figures in the runs of the classifier and of the pipeline: such outputs stay empty where both are in one
tree.
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from reelflow.settings import Settings
from reelflow.tracking.answers.away import UNKNOWN

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PIPELINE_RUN_TAG = "kfp.pipeline_run_id"
PARENT_TAG = "mlflow.parentRunId"
MOST_LEVELS = 10
NOT_OURS = (*UNKNOWN, "PERMISSION_DENIED")
"""Of a run that is no more, or of an experiment that is not ours: somebody's MLFLOW_RUN_ID."""


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


def launcher_logs_metrics(settings: Settings) -> bool:
    """Whether KFP's launcher logs a task's `Metrics` to MLflow, into the tree that our runs are in.

    It does so where it finds KFP_MLFLOW_CONFIG (`IsEnabled` in v2/common/plugins/mlflow/config.go), and its
    variables are those of the step. With the run's id the driver sets MLflow's address, after our own.
    """
    return bool(settings.launcher_tracking and settings.task_run and settings.run_name)


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
        if error.error_code not in NOT_OURS:
            raise
    return None
