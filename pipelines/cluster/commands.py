"""`python -m pipelines submit|runs|status|logs|cancel|schedule`: Kubeflow Pipelines from a shell."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cluster.connection import DEFAULT_CLUSTER, ClusterFile, Every, Wait, connected, say
from pipelines.cluster.recurring.commands import schedule
from pipelines.cluster.runs.commands import commands as run_commands
from pipelines.cluster.runs.commands import wait_and_tell
from pipelines.overrides import names_in

commands = typer.Typer()


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
    protocol: Annotated[str, typer.Option(help="How clips are held out, such as group_kfold(5).")] = "",
    model: Annotated[str, typer.Option(help="Name in the registry; by default that of the data.")] = "",
    name: Annotated[str, typer.Option(help="Name of the run; by default from the time.")] = "",
    if_changed: Annotated[
        bool, typer.Option("--if-changed", help="End early if data, params and code have not changed.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run every task, without KFP's cache.")] = False,
    wait: Wait = False,
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
    config, client = connected(cluster)
    text = submission.package(chosen, config, always=not if_changed, cached=not fresh)
    run_id = submission.submit(client, config.kfp, text, name)
    say(f"run   {run_id}")
    say(f"link  {submission.run_link(client.host, run_id)}")
    if wait:
        wait_and_tell(config, client, run_id, every)


commands.add_typer(run_commands)
commands.add_typer(schedule, name="schedule")
