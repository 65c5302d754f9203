"""`python -m pipelines drift`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipelines.console import wide_console

if TYPE_CHECKING:
    from pipelines.drift.measure import DriftBounds, DriftFinding
    from pipelines.drift.reference import TestedBundle
    from reelflow.settings import Settings

DUE = 10
EXIT_CODES = (
    f"Exit codes: 0 no drift; {DUE} answers have drifted: retraining is due; 3 no answers to compare; 5 the "
    "version is damaged or has no evaluation; 6 the reports cannot be read; 7 the registry."
)
commands = typer.Typer()


@commands.command(epilog=EXIT_CODES)
def drift(
    fleet: Annotated[str, typer.Argument(help="Where reports are kept: a folder, or s3://BUCKET/PREFIX.")],
    version: Annotated[
        str, typer.Argument(metavar="[VERSION|ALIAS]", help="Of the model registry.")
    ] = "champion",
    model: Annotated[str, typer.Option(help="Name in the registry; may be left out if there is one.")] = "",
    reference: Annotated[
        Literal["test", "first"],
        typer.Option(help="test: answers on the test clips; first: of each device's first days."),
    ] = "test",
    days: Annotated[int, typer.Option(min=1, max=365, help="Last days that are compared.")] = 7,
    index: Annotated[float, typer.Option(min=0.001, help="Bound of the population stability index.")] = 0.25,
    shift: Annotated[float, typer.Option(min=0.001, max=1, help="Bound of the other two figures.")] = 0.1,
    answers: Annotated[int, typer.Option(min=1, help="Answers below which a device tells nothing.")] = 1000,
    out: Annotated[Path | None, typer.Option(help="Write a picture (.png).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Compare what devices answer with what is expected: is it time to train again?"""
    from pipelines.drift.measure import DriftBounds
    from reelflow.settings import Settings

    settings = Settings()
    bounds = DriftBounds(index=index, shift=shift, answers=answers)
    found = _findings(fleet, _tested(version, model, settings), reference, days, bounds, settings)
    if out:
        from pipelines.drift.picture import draw_drift
        from reelflow.charts.canvas import save

        save(draw_drift(found, bounds), out)
    _show(found, as_json=as_json)
    if any(finding.verdict == "drifted" for finding in found):
        raise typer.Exit(DUE)


def _tested(version: str, model: str, settings: "Settings") -> "TestedBundle":
    from pipelines.drift.reference import tested_bundle
    from pipelines.registered import registered_version
    from reelflow.tracking.registry import MlflowRegistry
    from reelflow.tracking.versions import Versions

    chosen = registered_version(Versions(settings), model, version)
    return tested_bundle(MlflowRegistry(settings), chosen.model_name, chosen.number)


def _findings(
    fleet: str, tested: "TestedBundle", reference: str, days: int, bounds: "DriftBounds", settings: "Settings"
) -> "list[DriftFinding]":
    """The findings; the fleet's last.

    Raises:
        DataError: no device has answered with this bundle.
    """
    from pipelines.drift.fleet import against_first_days, against_test
    from pipelines.fleet.store import FleetStore
    from reelflow.errors import DataError
    from reelflow.progress import Line, watched_by

    with watched_by(Line()):
        counts = FleetStore.at(fleet, settings).counts()
    if reference == "test":
        found = against_test(counts, tested.answers, days, bounds)
    else:
        found = against_first_days(counts, tested.bundle, days, bounds)
    if not found:
        enough = "" if reference == "test" else f" on {2 * days} days"
        raise DataError(
            f"{fleet} has no answers of the bundle {tested.bundle[:12]}{enough}: name another version, or "
            "wait until devices have told (reelflow watch --health, reelflow update --report)"
        )
    return found


def _show(found: "list[DriftFinding]", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([finding.model_dump(mode="json") for finding in found], indent=2))
        return
    from pipelines.drift.view import drift_table

    wide_console().print(drift_table(found))
