"""Study A on UCF101: runs its six classifiers with its own values, and compares the tables."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table as Grid

from pipelines.local.driver import run_local
from pipelines.studies.study_a import contrasts, tables
from pipelines.studies.study_a.page import CHART, write_page
from pipelines.studies.study_a.published import Published
from pipelines.studies.study_a.results import Results, read_results
from pipelines.studies.study_a.tables import Table
from pipelines.studies.study_a.ucf101 import find_clips, find_lists
from pipelines.studies.study_a.weights import check_weights
from reelflow.commandline import printable
from reelflow.errors import StorageError, disk_errors
from reelflow.files import replace_folder, write_csv, write_text
from reelflow.nets.candidates import candidates
from reelflow.nets.heads import check_heads
from reelflow.params import Params
from reelflow.settings import Settings

FOLDER = "study-a"
PAGE = "study-a.md"


@dataclass(frozen=True)
class Request:
    """What to reproduce.

    Attributes:
        params: the study's own values, with the data, lists and weights of this machine.
        split: of the official lists, for the page.
        published: what the study found.
    """

    params: Params
    split: int
    published: Published


@dataclass(frozen=True)
class Choice:
    """Values of the command line; None and empty ones keep those of the study."""

    data: Path
    lists: Path | None = None
    split: int = 1
    validation: Literal["group", "random"] = "group"
    weights: Path | None = None
    backbones: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    epochs: int | None = None

    def within(self, params: Params) -> Params:
        """The params with this in their place.

        Raises:
            ParamsError: the clips' folder or the lists are not there, or a value cannot be used.
            DataError: the folder holds no clips of UCF101.
        """
        train, test = (str(path.absolute()) for path in find_lists(self.data, self.lists, self.split))
        return params.with_values(
            dataset={
                "source": str(find_clips(self.data).absolute()),
                "split": self.validation,
                "split_lists": {"train": train, "test": test, "incomplete": "split"},
            },
            features=_given(
                weights=str(self.weights.absolute()) if self.weights else None, backbones=self.backbones
            ),
            training=_given(heads=self.heads, epochs=self.epochs),
        )


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value}


def reproduce(request: Request, out: Path, console: Console, settings: Settings) -> Path:
    """Run or resume the pipeline in `out`, and write the tables into `out/study-a`.

    Returns:
        The page.

    Raises:
        WeightsError: a backbone's weights are missing; before anything runs.
        ReelflowError: a step failed.
    """
    target = out / FOLDER
    if target.exists() and not (target / PAGE).is_file():
        raise StorageError(
            f"{target} is not an output of this command and is left unchanged: choose another folder (--out)"
        )
    check_heads(request.params.training.heads)
    check_weights(request.params.features.backbones, request.params.features.weights, settings)
    run_local(request.params, out, console, settings)
    results = read_results(out / "work", candidates(request.params), request.params.evaluation)
    summary = write_all(results, request, target)
    _show(summary, console)
    return target / PAGE


def write_all(results: Results, request: Request, target: Path) -> Table:
    """Write the page, its tables and its chart as one folder; returns the summary.

    Raises:
        StorageError: the disk is full or read-only.
    """
    published = request.published
    comparisons = contrasts.backbone_comparisons(results, published)
    all_tables = (
        tables.summary(results, published),
        tables.averages(results, published),
        tables.baselines(results),
        contrasts.gaps(results, published),
        contrasts.recurrent_gains(results, published),
        contrasts.comparison(comparisons),
        tables.dataset(results),
        tables.training(results),
        *(
            one
            for pair, result in results.by_pair.items()
            for one in tables.per_class(pair, result, published)
        ),
    )
    named = {table.name: table for table in all_tables}
    page = write_page(results, published, named, comparisons, request.params, request.split)
    partial = target.with_name(f".{target.name}.partial")
    with disk_errors(target):
        shutil.rmtree(partial, ignore_errors=True)
        for table in all_tables:
            write_csv(partial / f"{table.name}.csv", table.header, table.rows)
        for name, found in comparisons.items():
            write_text(partial / f"backbone_comparison_{name.replace(', ', '_')}.json", found.to_json())
        shutil.copyfile(results.dataset / CHART, partial / CHART)
        write_text(partial / PAGE, page)
        replace_folder(partial, target)
    return all_tables[0]


def _show(summary: Table, console: Console) -> None:
    """The two accuracies of each classifier, as far as it was run."""
    grid = Grid(caption="top-1 accuracy, with a 95 % interval", caption_justify="left")
    for column in ("backbone", "head", "published", "here", "interval"):
        grid.add_column(column, justify="left" if column in ("backbone", "head") else "right")
    for backbone, head, published, here, low, high, *_ in summary.rows:
        between = f"{low} to {high}" if here else ""
        grid.add_row(printable(backbone), head, published or "-", here or "not run", between)
    console.print()
    console.print(grid)
