"""Study A on UCF101: runs its six classifiers with its own values, and compares the tables."""

import shutil
from pathlib import Path

from rich.console import Console

from pipelines.studies.comparison import run_tables
from pipelines.studies.comparison.chart import save_cuts
from pipelines.studies.comparison.gap import gap_table, groups_table
from pipelines.studies.comparison.tables import Table, named, write_folder
from pipelines.studies.comparison.view import show_cuts
from pipelines.studies.study_a import contrasts, tables
from pipelines.studies.study_a.page import CHART, write_page
from pipelines.studies.study_a.published import Published
from pipelines.studies.ucf101.choice import Asked
from pipelines.studies.ucf101.cuts import Cuts, run_cuts
from reelflow.files import write_text
from reelflow.settings import Settings

FOLDER = "study-a"
PAGE = "study-a.md"


def reproduce(asked: Asked, published: Published, out: Path, console: Console, settings: Settings) -> Path:
    """Run or resume the pipeline on both cuts, and write the tables into `out/study-a`.

    Returns:
        The page.

    Raises:
        WeightsError: a backbone's weights are missing; before anything runs.
        ReelflowError: a step failed.
    """
    page = out / FOLDER / PAGE
    cuts = run_cuts(asked, out, page, console, settings)
    write_all(cuts, asked, published, page.parent)
    show_cuts(cuts, published.top1, console)
    return page


def write_all(cuts: Cuts, asked: Asked, published: Published, target: Path) -> None:
    """Write the page, its tables and its charts as one folder.

    Raises:
        StorageError: the disk is full or read-only.
    """
    results = cuts.official
    comparisons = contrasts.backbone_comparisons(results, published)
    all_tables = (*_tables(cuts, published), contrasts.comparison(comparisons))
    page = write_page(cuts, asked, published, named(all_tables), comparisons)

    def add(folder: Path) -> None:
        for name, found in comparisons.items():
            write_text(folder / f"backbone_comparison_{name.replace(', ', '_')}.json", found.to_json())
        shutil.copyfile(results.dataset / CHART, folder / CHART)
        if cuts.random:
            save_cuts(cuts, published.top1, folder)

    write_folder(target, all_tables, (PAGE, page), add)


def _tables(cuts: Cuts, published: Published) -> tuple[Table, ...]:
    results = cuts.official
    per_class = (tables.per_class(pair, result, published) for pair, result in results.by_pair.items())
    return (
        tables.summary(cuts, published),
        gap_table(cuts, published.top1),
        groups_table(cuts),
        tables.averages(results, published),
        run_tables.baselines(results),
        contrasts.gaps(results, published),
        contrasts.recurrent_gains(results, published),
        tables.dataset(results),
        run_tables.training(results),
        *(table for two in per_class for table in two),
    )
