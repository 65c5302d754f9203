"""`python -m pipelines runs|status|logs|cancel`."""

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cluster.connection import (
    DEFAULT_CLUSTER,
    ClusterFile,
    Every,
    Wait,
    connected,
    mlflow_of_runs,
    say,
)
from pipelines.console import wide_console
from reelflow.errors import ClusterError, StepError
from reelflow.objectstore.open import NO_STORE

if TYPE_CHECKING:
    from pipelines.cluster.api.client import KubeflowClient
    from pipelines.cluster.config import ClusterConfig
    from pipelines.cluster.runs.model import ClusterRun

commands = typer.Typer()
STANDALONE = "kubeflow"  # where a single-user installation runs pods

RunId = Annotated[str, typer.Argument(help="The run's id, as `submit` and `runs` print it.")]


@commands.command()
def runs(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Number of runs.")] = 20,
    cluster: ClusterFile = DEFAULT_CLUSTER,
) -> None:
    """List the latest runs on the cluster."""
    from pipelines.cluster.runs.read import list_runs
    from pipelines.cluster.runs.view import runs_table
    from pipelines.cluster.tables import print_table

    config, client = connected(cluster)
    print_table(wide_console(), runs_table(list_runs(client, config.kfp.experiment, limit)))


@commands.command()
def status(
    run: RunId,
    cluster: ClusterFile = DEFAULT_CLUSTER,
    wait: Wait = False,
    every: Every = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Show the state of a run on the cluster: one row a task."""
    from pipelines.cluster.runs.read import get_run

    config, client = connected(cluster)
    if wait:
        wait_and_tell(config, client, run, every, as_json=as_json)
    else:
        _tell(config, client, get_run(client, run), as_json=as_json)


@commands.command()
def logs(
    run: RunId,
    task: Annotated[list[str], typer.Argument(help="The task, as `status` prints it.")],
    cluster: ClusterFile = DEFAULT_CLUSTER,
    namespace: Annotated[
        str, typer.Option(help=f"Namespace of the run's pods; by default kfp.namespace, else {STANDALONE}.")
    ] = "",
    follow: Annotated[bool, typer.Option("--follow", help="Follow the log until the task ends.")] = False,
) -> None:
    """Print the log of a task, which kubectl reads."""
    from pipelines.cluster.runs.logs import print_log
    from pipelines.cluster.runs.read import get_run
    from pipelines.cluster.submit import run_link

    config, client = connected(cluster)
    where = namespace or namespace_of(config)
    print_log(get_run(client, run), " ".join(task), where, run_link(client.host, run), follow=follow)


@commands.command()
def cancel(run: RunId, cluster: ClusterFile = DEFAULT_CLUSTER) -> None:
    """End a run; its exit handler still runs."""
    from pipelines.cluster.runs.cancel import cancel as end

    _, client = connected(cluster)
    found = end(client, run)
    if found.ended:
        say(f"the run {found.id} has already ended: {found.state}")
    else:
        say(f"the run {found.id} ends once its exit handler has run: `python -m pipelines status {found.id}`")


def namespace_of(config: "ClusterConfig") -> str:
    """The namespace of the pods of runs."""
    return config.kfp.namespace or STANDALONE


def wait_and_tell(
    config: "ClusterConfig", client: "KubeflowClient", run_id: str, every_s: float, *, as_json: bool = False
) -> None:
    """Wait until a run ends, and show it.

    Raises:
        StepError: it did not end well.
        ClusterError: it can never end, or the server refused or did not answer.
    """
    from pipelines.cluster.runs.failures import explain_failure
    from pipelines.cluster.runs.view import Progress
    from pipelines.cluster.runs.wait import wait
    from pipelines.cluster.submit import run_link

    ended = wait(client, run_id, every_s, Progress(_be_silent if as_json else say))
    told, note = _tell(config, client, ended, as_json=as_json)
    if not told.ended:
        raise ClusterError(f"the run {told.id} is {note}")
    if not told.well:
        raise StepError(explain_failure(told, run_link(client.host, run_id)))


def _tell(
    config: "ClusterConfig", client: "KubeflowClient", run: "ClusterRun", *, as_json: bool
) -> "tuple[ClusterRun, str]":
    """Show a run; returns it with the reason of a failure, and what was noted about it."""
    from pipelines.cluster.runs.failures import with_reason
    from pipelines.cluster.runs.orphans import explain_orphan, is_orphan
    from pipelines.cluster.runs.records import recorded_tags, with_transfers
    from pipelines.cluster.runs.view import print_run, run_document
    from pipelines.cluster.runs.waiting import with_waiting
    from pipelines.cluster.submit import run_link

    link = run_link(client.host, run.id)
    if config.store.address != NO_STORE or any(task.failed and not task.error for task in run.tasks):
        tags = recorded_tags(mlflow_of_runs(config), run.id)
        run = with_transfers(with_reason(run, tags), tags)
    note = explain_orphan(run, link) if is_orphan(client, run) else ""
    shown, unknown = (run, "") if run.ended or note else with_waiting(run, namespace_of(config))
    if as_json:
        typer.echo(run_document(shown, link, note or unknown), nl=False)
    else:
        print_run(shown, wide_console(), note or unknown)
    return run, note


def _be_silent(text: str) -> None:
    """Say nothing: a JSON document is all that is printed."""
