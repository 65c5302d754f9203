"""Tables of a run that no study has published: shortcut baselines, and how long was trained on what."""

from pipelines.studies.comparison.tables import Table, interval, text, with_ends
from pipelines.studies.ucf101.results import Results


def baselines(results: Results) -> Table:
    """The shortcut baselines on the same test clips."""
    rows = [
        (
            *(*pair, baseline.name, text(baseline.accuracy), *interval(baseline.interval)),
            *(text(baseline.difference), *interval(baseline.difference_interval)),
            "yes" if baseline.clearly_above else "no",
        )
        for pair, result in results.by_pair.items()
        for baseline in result.report.baselines
    ]
    header = ("backbone", "head", "baseline", *with_ends("baseline_accuracy", "ahead"), "clearly_above")
    return Table("baselines", header, tuple(rows))


def training(results: Results) -> Table:
    """How long each head was trained, and on what."""
    rows = []
    for pair, result in results.by_pair.items():
        report = result.report.training
        fold = report.folds[0]
        clips = (fold.train_clips, fold.validation_clips, fold.test_clips)
        figures = (report.best_epoch, report.epochs_run, *clips, report.parameters)
        rows.append((*pair, *map(str, figures), "yes" if report.stopped_early else "no"))
    header = (
        *("backbone", "head", "best_epoch", "epochs_run", "train_clips", "validation_clips", "test_clips"),
        *("parameters", "stopped_early"),
    )
    return Table("training", header, tuple(rows))
