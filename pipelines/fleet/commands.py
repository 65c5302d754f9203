"""`python -m pipelines fleet receive|status`."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.console import wide_console
from reelflow.errors import ParamsError

if TYPE_CHECKING:
    from pipelines.fleet.store import HeardReport

commands = typer.Typer(help="Devices: receive their reports, and show them.", no_args_is_help=True)

Fleet = Annotated[str, typer.Argument(help="Where reports are kept: a folder, or s3://BUCKET/PREFIX.")]
Silent = Annotated[str, typer.Option(help="Time without a report after which a device counts as silent.")]


@commands.command()
def receive(
    fleet: Fleet,
    token: Annotated[
        str,
        typer.Option(
            help="Secret that all devices share, so any may report for another: env:NAME or file:PATH."
        ),
    ] = "",
    tokens: Annotated[
        Path | None,
        typer.Option(help="Folder with a file for each device, DEVICE, that holds its own secret."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8081,
) -> None:
    """Receive reports of devices (`reelflow update --report`), until it is stopped."""
    import uvicorn

    from pipelines.fleet.access import DeviceTokens, SharedToken
    from pipelines.fleet.receiver import make_receiver
    from pipelines.fleet.store import FleetStore
    from reelflow.edge.serve.access import read_token
    from reelflow.settings import Settings

    if bool(token) == (tokens is not None):
        raise ParamsError("name one: --token env:NAME for all devices, or --tokens FOLDER with one for each")
    access = DeviceTokens(tokens) if tokens else SharedToken(read_token(token))
    app = make_receiver(FleetStore.at(fleet, Settings()), access)
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)


@commands.command()
def status(
    fleet: Fleet,
    silent_after: Silent = "24h",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """List the devices: which bundle each runs, how its watchers do, when it was last heard of."""
    from pipelines.fleet.store import FleetStore
    from pipelines.fleet.view import device_table
    from reelflow.commandline import seconds_of
    from reelflow.progress import Line, watched_by
    from reelflow.settings import Settings

    with watched_by(Line()):
        reports = FleetStore.at(fleet, Settings()).reports()
    if as_json:
        typer.echo(json.dumps([_document(heard) for heard in reports], indent=2))
        return
    silence = timedelta(seconds=seconds_of(silent_after, "--silent-after"))
    wide_console().print(device_table(reports, datetime.now(UTC), silence))


def _document(heard: "HeardReport") -> dict[str, object]:
    return {"heard_at": heard.heard_at.isoformat(timespec="seconds"), **heard.report.model_dump(mode="json")}
