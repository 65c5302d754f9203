"""`python -m pipelines inbox sheet|take`: uncertain clips of devices come back as data."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.console import wide_console
from reelflow.commandline import printable
from reelflow.progress import Line, watched_by

if TYPE_CHECKING:
    from pipelines.inbox.build import BuiltSheet
    from pipelines.inbox.take import TakenClips

EXIT_CODES = (
    "Exit codes: 0 success; 2 a wrong command line; 3 the inbox, the sheet or its labels cannot be used; "
    "5 the sheet is damaged; 6 the store or the disk refuses."
)
MOST_SHOWN = 10
commands = typer.Typer(
    help="Uncertain clips of devices: a labelling sheet, and from there into the clips.", no_args_is_help=True
)
SheetFolder = Annotated[Path, typer.Argument(metavar="SHEET", help="Folder of the sheet.")]


@commands.command(epilog=EXIT_CODES)
def sheet(
    inbox: Annotated[
        str, typer.Argument(help="Where devices' clips are: a folder with folders, or s3://BUCKET/PREFIX.")
    ],
    folder: SheetFolder,
    clips: Annotated[
        Path | None,
        typer.Option(help="Folder of training clips: their labels are offered; clips in it are left out."),
    ] = None,
    labels: Annotated[str, typer.Option(help="Labels, or more labels, separated by commas.")] = "",
    most: Annotated[
        int, typer.Option(min=1, help="Clips to add; the most uncertain of each camera first.")
    ] = 200,
) -> None:
    """Make a labelling sheet of uncertain clips, or add those that have come since."""
    from pipelines.inbox.build import build_sheet
    from pipelines.inbox.clips import labels_of
    from pipelines.inbox.gather import open_inbox
    from reelflow.settings import Settings

    chosen = labels_of(clips, labels)
    with watched_by(Line()):
        _tell_built(build_sheet(open_inbox(inbox, Settings()), folder, chosen, most, clips), folder)


@commands.command(epilog=EXIT_CODES)
def take(
    folder: SheetFolder,
    clips: Annotated[Path, typer.Argument(metavar="CLIPS", help="Folder with a folder per class.")],
    labels: Annotated[
        Path | None, typer.Option(help="The CSV file with labels.", show_default="SHEET/labels.csv")
    ] = None,
    with_dvc: Annotated[
        bool, typer.Option("--dvc/--no-dvc", help="Add the clips to DVC, if it tracks the folder.")
    ] = True,
) -> None:
    """Copy labelled clips into the folders of their classes; nothing is copied if one of them cannot be."""
    from pipelines.inbox.dvc import check_followed, follow
    from pipelines.inbox.sheet import LABELS, Sheet, read_labels
    from pipelines.inbox.take import take_clips

    found = Sheet.of(folder)
    given = read_labels(labels or folder / LABELS, found)
    with watched_by(Line()):
        if with_dvc:
            check_followed(clips)
        taken = take_clips(folder, found, given, clips)
        tracked = follow(taken.places) if with_dvc else []
    _tell_taken(taken, clips, tracked)


def _tell_built(built: "BuiltSheet", folder: Path) -> None:
    console = wide_console()
    for what, those in (("left out", built.rejected), ("without its note", built.notes)):
        for one in those[:MOST_SHOWN]:
            console.print(f"{what}: {printable(one.path)}: {printable(one.reason)}", markup=False)
        if len(those) > MOST_SHOWN:
            console.print(f"{what}: {len(those) - MOST_SHOWN} more", markup=False)
    known = f", {built.known} among the clips already" if built.known else ""
    more = f"; {built.left} more are in the inbox: run it again" if built.left else ""
    console.print(
        f"{built.added} new clips, {len(built.sheet.clips)} in the sheet, {built.labelled} with a label, "
        f"{len(built.rejected)} left out{known}{more}",
        markup=False,
    )
    console.print(f"label them in {folder / 'index.html'}, or in {folder / 'labels.csv'}", markup=False)


def _tell_taken(taken: "TakenClips", clips: Path, tracked: Sequence[Path]) -> None:
    console = wide_console()
    console.print(
        f"{taken.added} clips are new in {clips}; {taken.there} were there, {taken.unlabelled} have no "
        f"label, {taken.unusable} are unusable",
        markup=False,
    )
    if tracked:
        files = " ".join(shlex.quote(_short(file)) for file in tracked)
        console.print(f"DVC tracks them: git add {files}, and dvc push", markup=False)
    console.print(f"next: python -m pipelines run --data {shlex.quote(str(clips))}", markup=False)


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
