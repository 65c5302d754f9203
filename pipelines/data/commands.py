"""`python -m pipelines data status|pull|push|gc`: the commands for cached frames and features."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.console import wide_console
from pipelines.data.outputs import DEFAULT_FOLDERS
from pipelines.given import path_option, text_option
from reelflow.errors import ParamsError
from reelflow.files import exists

if TYPE_CHECKING:
    from pipelines.data.transfer import TransferResult
    from reelflow.objectstore.interface import ObjectStore

commands = typer.Typer(help="Cached frames and features: status, pull, push, gc.", no_args_is_help=True)

Remote = Annotated[
    str, typer.Option(envvar="REELFLOW_REMOTE", help="The other store: s3://BUCKET/PREFIX, or a folder.")
]
Jobs = Annotated[int, typer.Option(min=1, max=64, help="Shards at a time.")]


def _existing(folders: list[Path]) -> list[Path]:
    """Refuse a folder that does not exist: what a run left there would count as not needed."""
    for folder in folders:
        if folder not in DEFAULT_FOLDERS and not exists(folder):
            raise typer.BadParameter(f"there is no {folder}: name the output folder of a run")
    return folders


Outputs = Annotated[
    list[Path], typer.Option("--out", callback=_existing, help="Outputs of runs; can be repeated.")
]
JOBS = 8


@commands.command()
def status(
    data: Annotated[str | None, text_option("Clips, as given to run.")] = None,
    weights: Annotated[Path | None, path_option("Folder of weight files, as given to run.")] = None,
    backbones: Annotated[str | None, text_option("Comma-separated backbones.")] = None,
    params: Annotated[Path, typer.Option(help="The params file.")] = Path("params.yaml"),
    out: Outputs = list(DEFAULT_FOLDERS),  # noqa: B006
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Show which shards a run needs, and how many are here and in the store (REELFLOW_STORE)."""
    from pipelines.data.status import read_status
    from pipelines.data.view import print_status
    from pipelines.local.checks import check_source_exists, check_weights_exist
    from pipelines.overrides import absolute_path, absolute_source, names_in, override
    from reelflow.objectstore.open import open_store
    from reelflow.params import load_params
    from reelflow.settings import Settings

    settings, source, folder = Settings(), absolute_source(data), absolute_path(weights)
    check_source_exists(source)
    check_weights_exist(folder)
    chosen = override(load_params(params), source=source, weights=folder, backbones=names_in(backbones))
    found = read_status(chosen, out, settings.store, open_store(settings))
    if as_json:
        print(found.to_json(), end="")  # noqa: T201
    else:
        print_status(found, wide_console())


@commands.command()
def pull(remote: Remote, jobs: Jobs = JOBS) -> None:
    """Copy missing shards from another store to this one (REELFLOW_STORE)."""
    from pipelines.data.view import print_outcome

    with _stores(remote) as (here, there, staging):
        print_outcome("pulled", _transfer(there, here, staging, jobs), wide_console())


@commands.command()
def push(remote: Remote, jobs: Jobs = JOBS) -> None:
    """Copy shards of this store (REELFLOW_STORE) to another store that lacks them."""
    from pipelines.data.view import print_outcome

    with _stores(remote) as (here, there, staging):
        print_outcome("pushed", _transfer(here, there, staging, jobs), wide_console())


@commands.command()
def gc(
    older_than: Annotated[float, typer.Option(min=0, help="Days; younger objects are kept.")] = 14.0,
    out: Outputs = list(DEFAULT_FOLDERS),  # noqa: B006
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
    without_models: Annotated[
        bool, typer.Option("--without-models", help="Continue although no model is registered.")
    ] = False,
) -> None:
    """Remove shards and clips that no registered model, no output and no recent run needs."""
    from pipelines.data.catalog import open_shared, read_catalog
    from pipelines.data.clips import plan_clips, sweep_clips
    from pipelines.data.garbage import plan_collection, sweep
    from pipelines.data.leftovers import clear, find_leftovers
    from pipelines.data.roots import outputs, registered
    from pipelines.data.view import print_plan
    from reelflow.progress import Line, watched_by
    from reelflow.settings import Settings
    from reelflow.sources.cache import ClipCache
    from reelflow.tracking.versions import Versions

    settings, console, now = Settings(), wide_console(), time.time()
    store, cache = open_shared(settings), ClipCache(settings.clips)
    models = [] if without_models else registered(Versions(settings))
    roots = [*models, *outputs(out)]
    plan = plan_collection(read_catalog(store), roots, older_than, now)
    clips = plan_clips(cache, roots, older_than, now)
    leftovers = find_leftovers(store, [settings.clips, *out], _staging(settings.store), older_than, now)
    print_plan(plan, clips, leftovers, console)
    others = len(clips.sizes) + len(leftovers)
    if dry_run or not (plan.names or others):
        console.print("nothing was removed (--dry-run)" if dry_run else "nothing to remove")
        return
    beside = f", {others} clips and leftovers" if others else ""
    if not yes and not typer.confirm(f"Remove {len(plan.names)} objects from {settings.store}{beside}?"):
        return
    with watched_by(Line()):
        removed = sweep(store, plan) if plan.names else 0
        others = sweep_clips(cache, clips) + clear(leftovers)
    console.print(f"removed {removed} objects" + (f", {others} clips and leftovers" if others else ""))


@contextmanager
def _stores(remote: str) -> "Iterator[tuple[ObjectStore, ObjectStore, Path]]":
    """This store, the other one, and a folder on the disk of this store."""
    from pipelines.data.catalog import open_shared
    from reelflow.errors import disk_errors
    from reelflow.settings import Settings

    settings = Settings()
    where = settings.store
    if not remote:
        raise ParamsError("the other store is empty: name a folder or s3://BUCKET/PREFIX (--remote)")
    here, there = open_shared(settings), open_shared(settings.model_copy(update={"store": remote}))
    if where == remote:
        raise ParamsError(f"{remote} is REELFLOW_STORE itself: name another store (--remote)")
    staging = _staging(where)
    with disk_errors(staging):
        staging.mkdir(parents=True, exist_ok=True)
    yield here, there, staging


def _staging(where: str) -> Path:
    """The folder for files in transfer: on the disk of this store."""
    return Path.cwd() if where.startswith("s3://") else Path(where).absolute().parent


def _transfer(source: "ObjectStore", target: "ObjectStore", staging: Path, jobs: int) -> "TransferResult":
    from pipelines.data.transfer import transfer
    from reelflow.progress import Line, watched_by

    with watched_by(Line()):
        return transfer(source, target, staging, jobs)
