"""Waiting for the end of a run."""

import time
from collections.abc import Callable

from pipelines.cluster.api.client import KubeflowClient
from pipelines.cluster.api.errors import ApiError
from pipelines.cluster.runs.model import ClusterRun
from pipelines.cluster.runs.orphans import is_orphan
from pipelines.cluster.runs.read import RunReader

MAX_LOST_POLLS = 10
SERVERS_FAULT = 500  # HTTP status; KFP answers 500 while its database is away


def wait(
    client: KubeflowClient, run_id: str, every_s: float, tell: Callable[[ClusterRun], None]
) -> ClusterRun:
    """The run once it has ended, or can never end; a server that does not answer a few polls is asked again.

    Args:
        client: of the server.
        run_id: of the run.
        every_s: seconds between two polls.
        tell: gets the run of each poll.

    Raises:
        ApiError: the server refused, or did not answer many polls in a row.
    """
    reader, lost = RunReader(client, run_id), 0
    while True:
        try:
            run = reader.read()
            over = run.ended or is_orphan(client, run)
            lost = 0
        except ApiError as error:
            lost += 1
            if not (error.transient or error.status >= SERVERS_FAULT) or lost == MAX_LOST_POLLS:
                raise
        else:
            tell(run)
            if over:
                return run
        time.sleep(every_s)
