"""One worker of a team, in its pod: `python -m components.training.trainjob.pod TEAM WORKERS`."""

import json
import os
import socket
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from components.training.trainjob.exchange import Exchange
from components.training.trainjob.manifest import addresses
from components.training.workers.worker import take_part
from reelflow.errors import ClusterError, ReelflowError
from reelflow.objectstore.open import open_store
from reelflow.progress import Line, watched_by
from reelflow.settings import Settings
from reelflow.workers.cpus import bound_thread_pools
from reelflow.workers.patience import patiently

INDEX = "JOB_COMPLETION_INDEX"  # Kubernetes gives it to the pods of an indexed Job
MEETING_S, POLL_S = 1800.0, 1.0


def main() -> int:
    """Fetch what to train, take part, and store the output as the chief; returns the exit code."""
    team, workers = sys.argv[1], int(sys.argv[2])
    rank, settings = int(os.environ[INDEX]), Settings()
    store = open_store(settings)
    if store is None:
        raise ClusterError("REELFLOW_STORE names no store: this pod is started by a training task")
    bound_thread_pools()
    exchange = Exchange(store, team)
    with TemporaryDirectory() as folder, watched_by(Line()):
        try:
            job = patiently(lambda: exchange.get_inputs(Path(folder)), settings.patience_s)
            meet(addresses(team, workers), rank)
            take_part(job, settings, neighbours=1)
            if rank == 0:
                patiently(lambda: exchange.put_output(job), settings.patience_s)
        except ReelflowError as error:
            exchange.put_error(rank, error)
            return error.exit_code
    return 0


def meet(team: list[str], rank: int) -> None:
    """Tell TensorFlow who the workers are, once all of their names are known.

    Raises:
        ClusterError: some pod has not started in half an hour.
    """
    config = {"cluster": {"worker": team}, "task": {"type": "worker", "index": rank}}
    os.environ["TF_CONFIG"] = json.dumps(config)
    deadline = time.monotonic() + MEETING_S
    while missing := [address for address in team if not _is_known(address.partition(":")[0])]:
        if time.monotonic() > deadline:
            raise ClusterError(
                f"{', '.join(missing)} cannot be found after {MEETING_S / 60:.0f} minutes: do all pods of "
                "the TrainJob start, and may they ask the DNS?"
            )
        time.sleep(POLL_S)


def _is_known(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except socket.gaierror:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
