"""`python -m pipelines reproduce|compare-reports`: published studies."""

import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from pipelines.given import path_option, text_option
from pipelines.overrides import names_in
from reelflow.errors import ParamsError
from reelflow.params import load_params
from reelflow.settings import Settings

commands = typer.Typer()

OUT = {"study-a": Path("out/reproduction"), "study-b": Path("out/reproduction-b")}


@commands.command()
def compare_reports(
    a: Annotated[
        Path, typer.Argument(help="A per-class report: label,precision,recall,f1,support, or scikit-learn's.")
    ],
    b: Annotated[Path, typer.Argument(help="Another one, of the same classes.")],
    accuracy_a: Annotated[str, typer.Option(help="Accuracy published with A, from 0 to 1.")] = "",
    accuracy_b: Annotated[str, typer.Option(help="Accuracy published with B, from 0 to 1.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Count the metrics and classes in which one per-class report is higher than another."""
    from pipelines.studies.study_a.compare import compare_files
    from pipelines.studies.study_a.compare_view import print_comparison

    found = compare_files(a, b, accuracy_a, accuracy_b)
    if as_json:
        print(found.to_json(), end="")  # noqa: T201
    else:
        print_comparison(found, Console())


@commands.command()
def reproduce(
    study: Annotated[Literal["study-a", "study-b"], typer.Argument(help="The study.")],
    data: Annotated[Path, path_option("UCF101: DIR/<Class>/v_*.avi, or DIR/UCF-101/<Class>/v_*.avi.")],
    split: Annotated[int, typer.Option(min=1, max=3, help="Which of the official lists.")] = 1,
    lists: Annotated[Path | None, path_option("Folder of the official lists.")] = None,
    weights: Annotated[Path | None, path_option("Folder of weight files; else a download.")] = None,
    backbones: Annotated[str | None, text_option("Comma-separated backbones.")] = None,
    heads: Annotated[str | None, text_option("Comma-separated heads.")] = None,
    validation: Annotated[
        Literal["group", "random"], typer.Option(help="Validation clips: by whole groups, or clip by clip.")
    ] = "group",
    epochs: Annotated[int | None, typer.Option(min=1, help="Limit of epochs.")] = None,
    random_cut: Annotated[
        bool, typer.Option(help="Run a random cut of the same clips too, which shows the gap between both.")
    ] = True,
    reference: Annotated[Path | None, path_option("Folder of study A's own tables.")] = None,
    out: Annotated[
        Path | None, path_option("Where the results go; else out/reproduction or out/reproduction-b.")
    ] = None,
    params: Annotated[Path | None, path_option("The params file; else params.STUDY.yaml.")] = None,
) -> None:
    """Run a study with its own values on UCF101, on the official lists and on a random cut of the same clips.

    Writes a comparison of its tables and ours.
    """
    from pipelines.studies.comparison.caveats import changes
    from pipelines.studies.study_a import reproduce as study_a
    from pipelines.studies.study_a.published import Published
    from pipelines.studies.study_b import reproduce as study_b
    from pipelines.studies.ucf101.choice import Asked, Choice

    console = Console(file=sys.stdout)  # kfp's own output is redirected while it runs
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if study == "study-b" and reference:
        raise ParamsError("study-b has no tables beside the published one: leave --reference out")
    published = Published.read(reference)
    choice = Choice(
        *(data, lists, split, validation, weights), tuple(names_in(backbones)), tuple(names_in(heads)), epochs
    )
    own = Path(f"params.{study}.yaml")
    chosen, folder = choice.within(load_params(params or own)), out or OUT[study]
    asked = Asked(chosen, split, random_cut, changes(chosen, load_params(own)))
    if study == "study-a":
        page = study_a.reproduce(asked, published, folder, console, Settings())
    else:
        page = study_b.reproduce(asked, folder, console, Settings())
    console.print(f"tables  {page}", highlight=False, markup=False, soft_wrap=True)
