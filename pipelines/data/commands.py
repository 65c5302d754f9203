"""`python -m pipelines data status|pull|push|gc`: the caches of frames and features from a shell."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.console import wide_console
from pipelines.data.outputs import DEFAULT_FOLDERS
from reelflow.errors import ParamsError

if TYPE_CHECKING:
    from pipelines.data.transfer import Outcome
    from reelflow.stores.objects import ObjectStore

commands = typer.Typer(
    help="The caches of frames and features: what is where, pull, push, gc.", no_args_is_help=True
)

Remote = Annotated[
    str, typer.Option(envvar="REELFLOW_REMOTE", help="The other store: s3://BUCKET/PREFIX, or a folder.")
]
Jobs = Annotated[int, typer.Option(min=1, max=64, help="Shards at a time.")]
Outputs = Annotated[list[Path], typer.Option("--out", help="Outputs of runs; may be given several times.")]
JOBS = 8


@commands.command()
def status(
    data: Annotated[str, typer.Option(help="Clips, as given to run.")] = "",
    weights: Annotated[Path | None, typer.Option(help="Folder of weight files, as given to run.")] = None,
    backbones: Annotated[str, typer.Option(help="Comma-separated backbones.")] = "",
    params: Annotated[Path, typer.Option(help="The params file.")] = Path("params.yaml"),
    out: Outputs = list(DEFAULT_FOLDERS),  # noqa: B006
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Show which shards a run needs, and how many are here and in the store (REELFLOW_STORE)."""
    from pipelines.choices import choose
    from pipelines.data.status import read_status
    from pipelines.data.view import print_status
    from reelflow.params import load_params
    from reelflow.settings import Settings
    from reelflow.stores.objects import open_store

    settings = Settings()
    chosen = choose(load_params(params), data, weights, backbones, "", drop_small_classes=False)
    found = read_status(chosen, out, settings.store, open_store(settings))
    if as_json:
        print(found.to_json(), end="")  # noqa: T201
    else:
        print_status(found, wide_console())


@commands.command()
def pull(remote: Remote, jobs: Jobs = JOBS) -> None:
    """Bring shards that are missing here (REELFLOW_STORE) from another store."""
    from pipelines.data.view import print_outcome

    with _stores(remote) as (here, there, staging):
        print_outcome("pulled", _transfer(there, here, staging, jobs), wide_console())


@commands.command()
def push(remote: Remote, jobs: Jobs = JOBS) -> None:
    """Bring shards from here (REELFLOW_STORE) to another store that lacks them."""
    from pipelines.data.view import print_outcome

    with _stores(remote) as (here, there, staging):
        print_outcome("pushed", _transfer(here, there, staging, jobs), wide_console())


@commands.command()
def gc(
    older_than: Annotated[float, typer.Option(min=0, help="Days; what is younger stays.")] = 14.0,
    out: Outputs = list(DEFAULT_FOLDERS),  # noqa: B006
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
    without_models: Annotated[
        bool, typer.Option("--without-models", help="Go on though no model is registered.")
    ] = False,
) -> None:
    """Remove shards from the store that no registered model, no output and no recent run needs."""
    from pipelines.data.catalog import open_shared, read_catalog
    from pipelines.data.roots import outputs, registered
    from pipelines.data.sweep import plan_sweep, sweep
    from pipelines.data.view import print_plan
    from reelflow.progress import Line, watched_by
    from reelflow.settings import Settings
    from reelflow.stores.versions import Versions

    settings, console = Settings(), wide_console()
    store = open_shared(settings.store)
    models = [] if without_models else registered(Versions(settings))
    plan = plan_sweep(read_catalog(store), [*models, *outputs(out)], older_than, time.time())
    print_plan(plan, console)
    if dry_run or not plan.names:
        console.print("nothing was removed (--dry-run)" if dry_run else "nothing to remove")
        return
    if not yes and not typer.confirm(f"Remove {len(plan.names)} objects from {settings.store}?"):
        return
    with watched_by(Line()):
        console.print(f"removed {sweep(store, plan)} objects")


@contextmanager
def _stores(remote: str) -> "Iterator[tuple[ObjectStore, ObjectStore, Path]]":
    """The store here, the other one, and a folder on the disk of the one here."""
    from pipelines.data.catalog import open_shared
    from reelflow.errors import disk_errors
    from reelflow.settings import Settings

    where = Settings().store
    here, there = open_shared(where), open_shared(remote)
    if where == remote:
        raise ParamsError(f"{remote} is REELFLOW_STORE itself: name another store (--remote)")
    staging = Path.cwd() if where.startswith("s3://") else Path(where).absolute().parent
    with disk_errors(staging):
        staging.mkdir(parents=True, exist_ok=True)
    yield here, there, staging


def _transfer(source: "ObjectStore", target: "ObjectStore", staging: Path, jobs: int) -> "Outcome":
    from pipelines.data.transfer import transfer
    from reelflow.progress import Line, watched_by

    with watched_by(Line()):
        return transfer(source, target, staging, jobs)
