"""Study B on UCF101: its networks on both cuts, and what they cost, beside its published table."""

from pathlib import Path

from rich.console import Console

from pipelines.studies.comparison import run_tables
from pipelines.studies.comparison.chart import save_cuts
from pipelines.studies.comparison.gap import gap_table, groups_table
from pipelines.studies.comparison.tables import named, write_folder
from pipelines.studies.comparison.view import show_cuts
from pipelines.studies.study_b.cost import Costs, inference_table, published_table, training_table
from pipelines.studies.study_b.page import write_page
from pipelines.studies.study_b.published import ACCURACIES
from pipelines.studies.study_b.speed import measured_speed
from pipelines.studies.ucf101.choice import Asked
from pipelines.studies.ucf101.cuts import Cuts, run_cuts
from pipelines.studies.ucf101.results import Pair, Results
from pipelines.studies.ucf101.times import NO_TIME, TrainingTime, kept_time, training_times
from reelflow.nets.candidates import name_of
from reelflow.settings import Settings

FOLDER = "study-b"
PAGE = "study-b.md"
MEASURED, SPEED = "measured", "speed"


def reproduce(asked: Asked, out: Path, console: Console, settings: Settings) -> Path:
    """Run or resume the pipeline on both cuts, measure the networks, and write `out/study-b`.

    Returns:
        The page.

    Raises:
        ReelflowError: a step failed.
    """
    page = out / FOLDER / PAGE
    cuts = run_cuts(asked, out, page, console, settings)
    write_all(cuts, measure_costs(cuts, out), asked, page.parent)
    show_cuts(cuts, ACCURACIES, console)
    return page


def measure_costs(cuts: Cuts, out: Path) -> Costs:
    """The times of the trainings, and the speed of the networks trained on the official lists.

    Raises:
        StorageError: the disk is full or read-only.
    """
    folder = out / MEASURED
    speeds = {pair: measured_speed(result, folder / SPEED) for pair, result in cuts.official.by_pair.items()}
    return Costs({cut: _times(results, out, cut) for cut, results in cuts.by_name.items()}, speeds)


def _times(results: Results, out: Path, cut: str) -> dict[Pair, TrainingTime]:
    found = training_times(out / cut / "work" / "events.jsonl")
    folder = out / MEASURED / f"{cut}-training"
    return {
        pair: kept_time(
            found.get(f"training {name_of(*pair)}", NO_TIME), result, folder / f"{name_of(*pair)}.json"
        )
        for pair, result in results.by_pair.items()
    }


def write_all(cuts: Cuts, costs: Costs, asked: Asked, target: Path) -> None:
    """Write the page, its tables and its chart as one folder.

    Raises:
        StorageError: the disk is full or read-only.
    """
    tables = (
        gap_table(cuts, ACCURACIES),
        groups_table(cuts),
        training_table(cuts, costs),
        inference_table(cuts, costs),
        run_tables.baselines(cuts.official),
        run_tables.training(cuts.official),
        published_table(),
    )
    page = write_page(cuts, asked, named(tables))

    def add(folder: Path) -> None:
        if cuts.random:
            save_cuts(cuts, ACCURACIES, folder)

    write_folder(target, tables, (PAGE, page), add)
