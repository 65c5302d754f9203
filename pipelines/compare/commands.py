"""`python -m pipelines compare`."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from pipelines.console import wide_console

EXIT_CODES = (
    "Exit codes: 0 success; 2 no such run, or fewer than two; 6 the page cannot be written; 7 MLflow."
)
commands = typer.Typer()


@commands.command(epilog=EXIT_CODES)
def compare(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN...]", help="Names or ids of finished runs.")
    ] = None,
    last: Annotated[int, typer.Option(min=2, max=50, help="Without names: how many of the newest.")] = 5,
    out: Annotated[Path | None, typer.Option(help="Write a page (.html).")] = None,
) -> None:
    """Put finished runs side by side: figures, whether they differ beyond noise, and what was changed."""
    from pipelines.compare.conclusions import conclusions
    from pipelines.compare.finished import FinishedRuns
    from pipelines.compare.side_by_side import side_by_side
    from pipelines.compare.view import difference_table, pair_table, run_table, write_page
    from reelflow.commandline import printable
    from reelflow.errors import ParamsError
    from reelflow.settings import Settings

    console = wide_console()
    with tempfile.TemporaryDirectory() as scratch:
        finished = FinishedRuns(Settings())
        found = finished.find(runs or (), last, Path(scratch))
        if len(found) < 2:
            raise ParamsError(f"{len(found)} finished run(s) found, two are needed: run the pipeline again")
        compared = side_by_side(found)
    for table in (run_table(compared), pair_table(compared), difference_table(compared)):
        console.print(table)
    for sentence in conclusions(compared):
        console.print(printable(sentence), markup=False)
    if out:
        write_page(compared, out, [finished.link(run) for run in found])
        console.print(f"page {out}", markup=False)
