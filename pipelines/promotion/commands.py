"""`python -m pipelines promote|rollback|hold|history`."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.console import wide_console

if TYPE_CHECKING:
    from reelflow.tracking.journal.entry import JournalEntry
    from reelflow.tracking.promotion.moves import Promotions

commands = typer.Typer()
EXIT_CODES = (
    "Exit codes: 0 success; 2 no such model; 5 the version was not registered by reelflow; 7 the registry; "
    "12 nothing is moved: gates, a hold, a broken journal, or another process was faster."
)
Model = Annotated[str, typer.Option(help="Name in the registry; may be left out if there is one.")]
Reason = Annotated[str, typer.Option(help="Why; the journal keeps it.")]


@commands.command(epilog=EXIT_CODES)
def promote(
    version: Annotated[str, typer.Argument(metavar="VERSION|ALIAS", help="As 3, or challenger.")],
    model: Model = "",
    reason: Reason = "",
    force: Annotated[bool, typer.Option("--force", help="Overrule gates; needs --reason.")] = False,
) -> None:
    """Make a version champion, if it passes its gates."""
    from pipelines.promotion.promote import promote as promote_version
    from pipelines.registered import registered_version
    from reelflow.settings import Settings
    from reelflow.tracking.versions import Versions

    found = registered_version(Versions(Settings()), model, version)
    promotions = _promotions(found.model_name, "promote")
    _tell(found.model_name, promote_version(promotions, found.number, reason=reason, force=force))


@commands.command(epilog=EXIT_CODES)
def rollback(model: Model = "", reason: Reason = "") -> None:
    """Make the champion before this one champion again."""
    from pipelines.promotion.promote import roll_back

    name = _model(model)
    _tell(name, roll_back(_promotions(name, "rollback"), reason=reason))


@commands.command(epilog=EXIT_CODES)
def hold(
    model: Model = "",
    reason: Reason = "",
    release: Annotated[bool, typer.Option("--release", help="Let the champion be moved again.")] = False,
) -> None:
    """Let nothing move the champion until it is released."""
    name = _model(model)
    journal = _promotions(name, "hold").hold(reason, held=not release)
    if journal.last:
        _tell(name, journal.last)


@commands.command(epilog=EXIT_CODES)
def history(
    model: Model = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Show who moved the champion, when, by which figures and why; tells where the journal was altered."""
    from pipelines.promotion.view import entry_table
    from reelflow.errors import PromotionError

    name = _model(model)
    promotions = _promotions(name, "history")
    journal = promotions.read()
    astray = promotions.astray(journal)
    problems = [*filter(None, (journal.trouble, astray)), *(one.what for one in journal.problems)]
    if as_json:
        entries = [entry.model_dump(mode="json") for entry in journal.entries]
        typer.echo(json.dumps({"model": name, "entries": entries, "problems": problems}, indent=2))
    elif journal.entries:
        wide_console().print(entry_table(journal.entries))
    else:
        wide_console().print(f"{name} has no journal yet: nothing has moved its champion", markup=False)
    if problems:
        raise PromotionError(f"{name}: {'; '.join(problems)}")


def _model(model: str) -> str:
    from pipelines.registered import registered_model
    from reelflow.settings import Settings
    from reelflow.tracking.versions import Versions

    return registered_model(Versions(Settings()), model)


def _promotions(model: str, command: str) -> "Promotions":
    from reelflow.settings import Settings
    from reelflow.tracking.promotion.moves import Promotions
    from reelflow.tracking.registry import MlflowRegistry

    return Promotions(MlflowRegistry(Settings()), model, f"python -m pipelines {command}")


def _tell(model: str, entry: "JournalEntry") -> None:
    from pipelines.promotion.view import told_entry

    wide_console().print(f"{model}: {told_entry(entry)}", markup=False)
