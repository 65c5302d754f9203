"""`python -m pipelines submit|runs|status|schedule`: a Kubeflow Pipelines installation from a shell."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from pipelines.overrides import names_in
from reelflow.errors import StepError

if TYPE_CHECKING:
    from pipelines.cluster.api.client import KubeflowClient
    from pipelines.cluster.config import ClusterConfig

commands = typer.Typer()
schedule = typer.Typer(help="Recurring runs on the cluster.", no_args_is_help=True)
commands.add_typer(schedule, name="schedule")

ClusterFile = Annotated[Path, typer.Option(help="The cluster file.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until the run ends; exit code 8 if it failed.")]
Every = Annotated[float, typer.Option(min=0.1, help="Seconds between two polls with --wait.")]
DEFAULT_CLUSTER = Path("infra/cluster.yaml")
DEFAULT_SCHEDULES = Path("infra/schedules.yaml")


@commands.command()
def submit(
    params: Annotated[Path, typer.Option(help="The params file.")] = Path("params.yaml"),
    cluster: ClusterFile = DEFAULT_CLUSTER,
    data: Annotated[
        str, typer.Option(help="Clips as pods see them: a folder, a recipe, git+https:// or s3://.")
    ] = "",
    weights: Annotated[str, typer.Option(help="Folder of weight files as pods see it.")] = "",
    backbones: Annotated[str, typer.Option(help="Comma-separated backbones.")] = "",
    heads: Annotated[str, typer.Option(help="Comma-separated heads.")] = "",
    protocol: Annotated[str, typer.Option(help="How clips are held out, as group_kfold(5).")] = "",
    model: Annotated[str, typer.Option(help="Name in the registry; else after the data.")] = "",
    name: Annotated[str, typer.Option(help="The name of the run; else after the time.")] = "",
    if_changed: Annotated[
        bool, typer.Option("--if-changed", help="End early if data, params and code have not changed.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the run ends; exit code 8 if it failed.")
    ] = False,
    every: Every = 10.0,
) -> None:
    """Start the training pipeline on a Kubeflow cluster."""
    from pipelines.cluster import submit as submission
    from pipelines.cluster.run_options import RunOptions

    chosen = RunOptions(
        params=params,
        data=data,
        weights=weights,
        backbones=names_in(backbones),
        heads=names_in(heads),
        protocol=protocol,
        model=model,
    ).chosen()
    config, client = _connected(cluster)
    text = submission.package(chosen, config, always=not if_changed)
    run_id = submission.submit(client, config.kfp, text, name)
    _say(f"run   {run_id}")
    _say(f"link  {submission.run_link(client.host, run_id)}")
    if wait:
        _wait(client, run_id, every)


@commands.command()
def runs(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Number of runs.")] = 20,
    cluster: ClusterFile = DEFAULT_CLUSTER,
) -> None:
    """List the latest runs on the cluster."""
    from pipelines.cluster.runs import list_runs
    from pipelines.cluster.view import runs_table

    config, client = _connected(cluster)
    _console().print(runs_table(list_runs(client, config.kfp.experiment, limit)))


@commands.command()
def status(
    run: Annotated[str, typer.Argument(help="The run's id, as `submit` and `runs` print it.")],
    cluster: ClusterFile = DEFAULT_CLUSTER,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the run ends; exit code 8 if it failed.")
    ] = False,
    every: Every = 10.0,
) -> None:
    """Show the state of a run on the cluster and of its tasks."""
    from pipelines.cluster.runs import get_run
    from pipelines.cluster.view import print_run

    _, client = _connected(cluster)
    if wait:
        _wait(client, run, every)
    else:
        print_run(get_run(client, run), _console())


@schedule.command()
def apply(
    file: Annotated[Path, typer.Option(help="The schedules.")] = DEFAULT_SCHEDULES,
    cluster: ClusterFile = DEFAULT_CLUSTER,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
) -> None:
    """Create, replace, enable, disable and remove recurring runs until they are as declared."""
    from pipelines.cluster.recurring import schedules
    from pipelines.cluster.submit import package
    from pipelines.cluster.view import changes_table

    declared = schedules.load_schedules(file).schedules
    chosen = [(one, one.chosen()) for one in declared]
    config, client = _connected(cluster)
    wanted = [
        schedules.DeclaredSchedule(one.name, one.cron, one.enabled, package(params, config, always=False))
        for one, params in chosen
    ]
    _console().print(changes_table(schedules.apply(client, config.kfp, wanted, dry_run=dry_run)))
    if dry_run:
        _say("nothing was changed (--dry-run)")


@schedule.command(name="list")
def list_(cluster: ClusterFile = DEFAULT_CLUSTER) -> None:
    """List the recurring runs on the cluster, including those of others."""
    from pipelines.cluster.recurring.schedules import recurring_runs
    from pipelines.cluster.view import schedules_table

    config, client = _connected(cluster)
    _console().print(schedules_table(recurring_runs(client), config.kfp.pipeline))


def _connected(cluster: Path) -> "tuple[ClusterConfig, KubeflowClient]":
    from pipelines.cluster.api.client import connect
    from pipelines.cluster.config import load_cluster
    from reelflow.settings import Settings

    config = load_cluster(cluster)
    return config, connect(config.kfp, Settings())


def _wait(client: "KubeflowClient", run_id: str, every_s: float) -> None:
    from pipelines.cluster.runs import wait
    from pipelines.cluster.submit import run_link
    from pipelines.cluster.view import Progress, print_run

    ended = wait(client, run_id, every_s, Progress(_say))
    print_run(ended, _console())
    if not ended.well:
        link = run_link(client.host, run_id)
        raise StepError(f"the run {run_id} ended as {ended.state}; its tasks and their logs are at {link}")


def _console() -> Console:
    return Console(file=sys.stdout)


def _say(text: str) -> None:
    _console().print(text, highlight=False, markup=False, soft_wrap=True)
