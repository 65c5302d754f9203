"""One worker of a team: `python -m components.training.workers.worker JOB EVENTS NEIGHBOURS`.

`TF_CONFIG` says who the others are. Standard input is a pipe of the process that started it: the worker ends
when that process does, however it does.
"""

import os
import sys
from pathlib import Path
from threading import Thread

from components.training.job import TrainingJob
from components.training.learners.team import DistributedTeam, Team
from components.training.train import train
from reelflow.artifacts.shard_files import shard_access
from reelflow.errors import ReelflowError
from reelflow.nets.runtime import prepare
from reelflow.objectstore.open import open_store
from reelflow.progress import EventFile, emit, watched_by
from reelflow.settings import Settings

STANDARD_INPUT = 0
LEFT_ALONE = 1  # exit code


def take_part(job: TrainingJob, settings: Settings, neighbours: int) -> None:
    """Train as one of the team that `TF_CONFIG` names.

    Args:
        job: what to train.
        settings: say where shards are.
        neighbours: workers on this machine.

    Raises:
        ReelflowError: as training by one worker.
    """
    train(job, shard_access(settings, open_store(settings)), join_team(neighbours))


def join_team(neighbours: int) -> Team:
    """Wait for the other workers that `TF_CONFIG` names. A worker uses one GPU, if there is one."""
    prepare()
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    tf.config.set_visible_devices(gpus[:1], "GPU")
    return DistributedTeam(tf.distribute.MultiWorkerMirroredStrategy(), neighbours)


def end_with_parent() -> None:
    """End this process when the other end of standard input is closed."""

    def wait() -> None:
        while os.read(STANDARD_INPUT, 1):
            pass
        os._exit(LEFT_ALONE)

    Thread(target=wait, daemon=True).start()


def main() -> int:
    """Take part; what happens goes to a file, an error of ours as `ended`. Returns the exit code."""
    job, events, neighbours = sys.argv[1:]
    end_with_parent()
    with watched_by(EventFile(Path(events))):
        try:
            take_part(TrainingJob.read(Path(job)), Settings(), int(neighbours))
        except ReelflowError as error:
            emit("ended", error=type(error).__name__, message=str(error))
            return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
