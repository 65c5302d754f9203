"""`python -m pipelines track replay`."""

import typer

from pipelines.console import wide_console
from reelflow.errors import TrackingError

commands = typer.Typer(help="What MLflow has not got yet of runs.", no_args_is_help=True)
EXIT_CODES = "Exit codes: 0 MLflow has everything; 7 it is away, or refuses a run: what is left waits."


@commands.callback()
def track() -> None:
    """Records of runs that could not be sent to MLflow wait on disk."""


@commands.command(epilog=EXIT_CODES)
def replay() -> None:
    """Send what waits, the oldest run first, and register bundles that could not be."""
    from pipelines.local.replay import replay as replay_all
    from reelflow.settings import Settings

    console, settings = wide_console(), Settings()
    found = replay_all(settings, console)
    for run in found.sent:
        console.print(f"{run or 'steps'} is in MLflow", markup=False, highlight=False)
    for owed in found.elsewhere:
        told = f"{owed.run or 'steps'} waits for {owed.server}: set MLFLOW_TRACKING_URI to it"
        console.print(told, markup=False, highlight=False)
    if found.refused:
        names = ", ".join(run or "steps" for run in found.refused)
        raise TrackingError(f"not everything is in MLflow: {names} could not be sent, as told above")
    if found.unreadable:
        raise TrackingError(f"{len(found.unreadable)} documents could not be read, as told above")
    if not found.sent and not found.elsewhere:
        console.print(f"nothing waits in {settings.spool}", markup=False, highlight=False)
