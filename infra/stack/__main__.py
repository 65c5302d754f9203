"""`python -m infra.stack`: start, stop, look after a team's tracking server."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from infra.stack.backup import KEEP, back_up, backups, read_backup, restore
from infra.stack.compose import Containers, has_compose
from infra.stack.processes import Processes
from infra.stack.programs import Programs
from infra.stack.server import Server
from infra.stack.settings import CLIENT, SETTINGS, Kind, StackSettings, client_variables
from reelflow.commandline import run_command
from reelflow.errors import ParamsError, TrackingError
from reelflow.files import locked, write_text

EXIT_CODES = (
    "Exit codes: 0 success; 2 a wrong command line, no stack, no whole backup; 6 PostgreSQL, the object "
    "store or the disk refuses; 7 MLflow does not answer, or refuses."
)
BACKUPS, VERSION = "backups", "mlflow.version"
app = typer.Typer(help=__doc__, epilog=EXIT_CODES, no_args_is_help=True)

Folder = Annotated[Path, typer.Option("--folder", help="Of the stack: settings, data, logs, backups.")]
To = Annotated[Path | None, typer.Option(help="Where backups go; else `backups` in the folder.")]
HERE = Path(".reelflow/stack")


@app.command(epilog=EXIT_CODES)
def up(
    folder: Folder = HERE,
    kind: Annotated[Kind | None, typer.Option(help="docker where Compose works, else processes.")] = None,
    bind: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 at first.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of MLflow; 5000 at first.")] = None,
    names: Annotated[
        str | None, typer.Option(help="Further hosts that clients name, as mlflow.example.com,10.0.0.7:5000.")
    ] = None,
) -> None:
    """Start a stack, or make a new one; the database is backed up before another MLflow migrates it."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock", f"another call for {folder}"):
        given = {"kind": kind, "bind": bind, "port": port, "names": names}
        settings = _settings(folder, {name: value for name, value in given.items() if value is not None})
        programs = programs_of(folder, settings)
        _back_up_before_migration(folder, programs)
        programs.start()
        Server(settings).wait(programs.ended)
        write_text(folder / VERSION, version("mlflow"))
    typer.echo(f"MLflow  {settings.address}")
    typer.echo(f"login   admin, with the password in {folder / CLIENT}")
    typer.echo(f"use     set -a; . {folder / CLIENT}; set +a")


@app.command(epilog=EXIT_CODES)
def down(folder: Folder = HERE) -> None:
    """Stop a stack; its data stays."""
    folder, programs, _ = _existing(folder)
    with locked(folder / ".lock", f"another call for {folder}"):
        programs.stop()


@app.command(epilog=EXIT_CODES)
def status(folder: Folder = HERE) -> None:
    """Tell what answers; exit code 7 if something does not."""
    _, _, settings = _existing(folder)
    health = Server(settings).health()
    for one in health:
        typer.echo(f"{one.part:<14}{one.problem or 'ok'}")
    if any(one.problem for one in health):
        raise TrackingError(f"the stack at {settings.address} is not whole: make stack starts it")


@app.command(epilog=EXIT_CODES)
def user(
    name: Annotated[str, typer.Argument(help="Of the account.")],
    folder: Folder = HERE,
    admin: Annotated[bool, typer.Option("--admin", help="May do everything.")] = False,
    new_password: Annotated[bool, typer.Option("--new-password", help="Of an existing account.")] = False,
) -> None:
    """Make an account, and print what its user puts into the environment."""
    _, _, settings = _existing(folder)
    password = Server(settings).add_user(name, admin=admin, again=new_password)
    for variable, value in client_variables(settings.address, name, password).items():
        typer.echo(f"export {variable}={value}")


@app.command(epilog=EXIT_CODES)
def backup(
    folder: Folder = HERE,
    to: To = None,
    keep: Annotated[int, typer.Option(min=1, help="How many backups stay.")] = KEEP,
) -> None:
    """Back up database and objects while MLflow runs."""
    folder, programs, _ = _existing(folder)
    with locked(folder / ".lock", f"another call for {folder}"):
        typer.echo(back_up(programs, (to or folder / BACKUPS).resolve(), version("mlflow"), keep))


@app.command("restore", epilog=EXIT_CODES)
def put_back(
    source: Annotated[Path | None, typer.Argument(help="The backup; else the newest.")] = None,
    folder: Folder = HERE,
    replace: Annotated[bool, typer.Option("--replace", help="Lose what the stack holds now.")] = False,
) -> None:
    """Put a backup in place of what a stack holds."""
    folder, programs, settings = _existing(folder)
    if not replace:
        raise ParamsError("a restore replaces all runs, artifacts and accounts: say --replace")
    found = [source] if source else backups(folder / BACKUPS)[-1:]
    if not found:
        raise ParamsError(f"{folder / BACKUPS} holds no backup: name one")
    with locked(folder / ".lock", f"another call for {folder}"):
        manifest = read_backup(found[0].resolve())
        programs.stop()
        programs.start(stores_only=True)
        restore(programs, found[0].resolve())
        programs.stop()
        programs.start()
        Server(settings).wait(programs.ended)
    typer.echo(
        f"{found[0]}: {manifest.objects} objects, {manifest.object_bytes / 1e6:.1f} MB, and the database"
    )


def programs_of(folder: Path, settings: StackSettings) -> Programs:
    """The programs of a stack."""
    return (Containers if settings.kind == "docker" else Processes)(folder, settings)


def _settings(folder: Path, given: dict[str, object]) -> StackSettings:
    """Those of the stack, changed as the command line says."""
    if (folder / SETTINGS).exists():
        before = StackSettings.read(folder)
        if given.get("kind", before.kind) != before.kind:
            raise ParamsError(
                f"{folder} holds a stack of {before.kind}: back it up, and restore into a new one"
            )
        settings = StackSettings.made_of(before.model_dump() | given, "command line")
    else:
        kind = "docker" if has_compose() else "processes"
        settings = StackSettings.made_of({"kind": kind} | given, "command line")
    settings.write(folder)
    return settings


def _back_up_before_migration(folder: Path, programs: Programs) -> None:
    path = folder / VERSION
    before = path.read_text() if path.exists() else version("mlflow")
    if before == version("mlflow"):
        return
    programs.stop()
    programs.start(stores_only=True)
    typer.echo(f"MLflow {before} becomes {version('mlflow')}; a backup first:")
    typer.echo(back_up(programs, folder / BACKUPS, before))
    programs.stop()


def _existing(folder: Path) -> tuple[Path, Programs, StackSettings]:
    folder = folder.resolve()
    settings = StackSettings.read(folder)
    return folder, programs_of(folder, settings), settings


if __name__ == "__main__":
    run_command(app)
