"""`python -m pipelines schedule apply|list`."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cluster.connection import DEFAULT_CLUSTER, ClusterFile, connected, say
from pipelines.console import wide_console

schedule = typer.Typer(help="Recurring runs on the cluster.", no_args_is_help=True)
DEFAULT_SCHEDULES = Path("infra/schedules.yaml")


@schedule.command()
def apply(
    file: Annotated[Path, typer.Option(help="The schedules.")] = DEFAULT_SCHEDULES,
    cluster: ClusterFile = DEFAULT_CLUSTER,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    now: Annotated[
        bool, typer.Option("--now", help="Delete old schedules at once, and kill their active runs.")
    ] = False,
) -> None:
    """Create, update, replace, enable, disable and remove recurring runs until they are as declared."""
    from pipelines.cluster.recurring import apply as applying
    from pipelines.cluster.recurring.schedules import DeclaredSchedule, load_schedules
    from pipelines.cluster.recurring.view import changes_table
    from pipelines.cluster.submit import package
    from pipelines.cluster.tables import print_table

    declared = load_schedules(file).schedules
    chosen = [(one, one.chosen()) for one in declared]
    config, client = connected(cluster)
    wanted = [
        DeclaredSchedule(one.name, one.cron, one.enabled, package(params, config, always=False))
        for one, params in chosen
    ]
    changes = applying.apply(client, config.kfp, wanted, dry_run=dry_run, now=now)
    print_table(wide_console(), changes_table(changes))
    if dry_run:
        say("nothing was changed (--dry-run)")


@schedule.command(name="list")
def list_(cluster: ClusterFile = DEFAULT_CLUSTER) -> None:
    """List the recurring runs on the cluster, including those of others."""
    from pipelines.cluster.recurring.server import recurring_runs
    from pipelines.cluster.recurring.view import schedules_table
    from pipelines.cluster.tables import print_table

    config, client = connected(cluster)
    print_table(wide_console(), schedules_table(recurring_runs(client), config.kfp.pipeline))
