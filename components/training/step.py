"""The training step: one head on one backbone's features, by one worker or by several that train together."""

import shutil
from pathlib import Path

from components.training.job import TrainingJob
from components.training.train import train
from components.training.trainjob.launch import train_on_cluster
from components.training.workers.local import train_here
from reelflow.artifacts.shard_files import ShardAccess
from reelflow.contracts import TrainingReport
from reelflow.nets.heads import check_heads, is_linear
from reelflow.params import TrainingParams
from reelflow.progress import emit
from reelflow.settings import Settings


def run(
    params: TrainingParams,
    *,
    head: str,
    protocol: str,
    dataset: Path,
    features: Path,
    model: Path,
    teachers: Path | None = None,
    inflate: Path | None = None,
    access: ShardAccess | None = None,
    settings: Settings | None = None,
) -> TrainingReport:
    """Train on every fold, score its held-out clips, and write one model to deploy.

    Args:
        params: optimiser, schedule, sizes, and the number of workers.
        head: one of `reelflow.nets.heads.HEAD_NAMES`.
        protocol: the evaluation protocol, as text of `reelflow.splitting.protocols.Protocol`.
        dataset: folder of the dataset step.
        features: folder of the features step.
        model: the output; holds `model.keras`, `curves.csv`, scores and `training.json`.
        access: how features in a store are reached.
        teachers: the models of `params.teacher`, as `reelflow.tracking.teachers.gathered` lays them out.
        inflate: the file of `params.video.inflate`.
        settings: say whether workers are pods of a cluster; else they are processes of this machine.

    Raises:
        ParamsError: unknown head or protocol, features that do not go with the head, a protocol that allows
            no teacher, a loss that is NaN or infinite, a network that cannot be inflated, or one that does
            not fit into memory.
        WeightsError: the file to inflate is missing, damaged, or of another network.
        DataError: a fold has no clips to train or validate on, or a class has no training clips.
        BundleError: an input is damaged, the features are of other clips, or a teacher does not match.
        StepError: a worker was killed.
        ClusterError: the Kubernetes API refused or is not reachable.
    """
    check_heads([head])
    job = TrainingJob(
        params=params,
        head=head,
        protocol=protocol,
        dataset=dataset,
        features=features,
        model=model,
        teachers=teachers,
        inflate=inflate,
    )
    workers = params.workers
    if workers > 1 and is_linear(head):
        emit("notice", message=f"{head} is fitted in closed form, by one worker")
        workers = 1
    if workers == 1:
        train(job, access)
    elif settings and settings.trainjob:
        train_on_cluster(job, workers, settings, access.store if access else None)
    else:
        train_here(job, workers)
    shutil.rmtree(job.work, ignore_errors=True)
    return TrainingReport.open(model)
