"""The study's tables compared with ours; each is written to a CSV file and to the page."""

import csv
from dataclasses import dataclass
from decimal import Decimal

from pipelines.studies.study_a.class_reports import METRICS, ClassReport
from pipelines.studies.study_a.published import DATASET, PAIRS, Pair, Published
from pipelines.studies.study_a.results import DIGITS, ClassifierResult, Results
from reelflow.contracts import Interval

Row = tuple[str, ...]
Number = Decimal | float | None


@dataclass(frozen=True)
class Table:
    """Rows of text; an empty cell is something that was not published or not run."""

    name: str
    header: Row
    rows: tuple[Row, ...]


def shown_pairs(results: Results) -> list[Pair]:
    """The study's pairs, then what else was run."""
    return [*PAIRS, *(pair for pair in results.by_pair if pair not in PAIRS)]


def summary(results: Results, published: Published) -> Table:
    """Accuracy and top-5 accuracy, with our 95 % intervals."""
    rows = []
    for pair in shown_pairs(results):
        theirs, ours = published.accuracies.get(pair), results.by_pair.get(pair)
        top1 = _measured(ours, "accuracy")
        top5 = _measured(ours, "top5_accuracy")
        clips = str(len(ours.report.clip_ids)) if ours else ""
        rows.append(
            (
                *pair,
                text(theirs.top1 if theirs else None),
                *top1,
                text(theirs.top5 if theirs else None),
                *top5,
                clips,
            )
        )
    measured = ("", "_low", "_high")
    header = (
        *("backbone", "head", "accuracy_published", *(f"accuracy_here{end}" for end in measured)),
        *("top5_published", *(f"top5_here{end}" for end in measured), "test_clips"),
    )
    return Table("summary", header, tuple(rows))


def averages(results: Results, published: Published) -> Table:
    """Precision, recall and F1 averaged over the classes, weighted by their clips and plainly."""
    rows = []
    for pair in shown_pairs(results):
        theirs, ours = published.averages.get(pair), results.by_pair.get(pair)
        found = {row.label: row for row in ours.report.averages} if ours else {}
        rows.append(
            (
                *pair,
                *(
                    cell
                    for name in METRICS
                    for cell in (
                        text(theirs[name] if theirs else None, digits=2),
                        *(text(getattr(found.get(kind), name, None)) for kind in ("weighted", "macro")),
                    )
                ),
            )
        )
    kinds = ("published", "weighted", "macro")
    header = ("backbone", "head", *(f"{name}_{kind}" for name in METRICS for kind in kinds))
    return Table("averages", header, tuple(rows))


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
    measured = ("", "_low", "_high")
    header = (
        *("backbone", "head", "baseline", *(f"baseline_accuracy{end}" for end in measured)),
        *(*(f"ahead{end}" for end in measured), "clearly_above"),
    )
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


def dataset(results: Results) -> Table:
    """The study's table of its data beside that of the clips at hand."""
    with (results.dataset / "table.csv").open(encoding="utf-8", newline="") as file:
        ours = {row["property"]: row["value"] for row in csv.DictReader(file)}
    names = dict.fromkeys((*ours, *DATASET))
    rows = tuple((name, DATASET.get(name, ""), ours.get(name, "")) for name in names)
    return Table("dataset", ("property", "published", "here"), rows)


def per_class(pair: Pair, result: ClassifierResult, published: Published) -> tuple[Table, ...]:
    """Our per-class report, in the columns of the study's, and both side by side where there are both."""
    ours, theirs = result.class_report(), published.per_class.get(pair)
    name = f"per_class_{pair[0]}_{pair[1]}"
    rows = tuple(
        (label, *(text(row.metrics[metric]) for metric in METRICS), str(row.support))
        for label, row in ours.rows.items()
    )
    own = Table(name, ("label", *METRICS, "support"), rows)
    return (own, _side_by_side(f"{name}_beside_published", ours, theirs)) if theirs else (own,)


def _side_by_side(name: str, ours: ClassReport, theirs: ClassReport) -> Table:
    """Every class of either report."""
    rows = []
    for label in dict.fromkeys((*theirs.rows, *ours.rows)):
        one, other = theirs.rows.get(label), ours.rows.get(label)
        metrics = (
            text(row.metrics[metric] if row else None, digits)
            for metric in METRICS
            for row, digits in ((one, 2), (other, DIGITS))
        )
        rows.append((label, *metrics, *(str(row.support) if row else "" for row in (one, other))))
    names = (f"{metric}{end}" for metric in (*METRICS, "support") for end in ("_published", ""))
    return Table(name, ("label", *names), tuple(rows))


def text(value: Number, digits: int = DIGITS) -> str:
    """A number as a cell."""
    return "" if value is None else f"{value:.{digits}f}"


def _measured(result: ClassifierResult | None, metric: str) -> Row:
    if result is None:
        return ("",) * 3
    return (text(result.report.metrics[metric]), *interval(result.report.intervals[metric]))


def interval(found: Interval) -> Row:
    """Its ends, as cells."""
    return text(found.low), text(found.high)
