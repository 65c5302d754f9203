"""The study's tables compared with ours; each is written to a CSV file and to the page."""

import csv
from collections.abc import Mapping
from decimal import Decimal

from pipelines.studies.comparison.tables import DIGITS, Row, Table, interval, text, with_ends
from pipelines.studies.study_a.class_reports import METRICS, ClassReport, ClassRow
from pipelines.studies.study_a.published import DATASET, PAIRS, Published
from pipelines.studies.ucf101.cuts import Cuts
from pipelines.studies.ucf101.results import ClassifierResult, Pair, Results
from reelflow.contracts import ClassScores


def shown_pairs(results: Results) -> list[Pair]:
    """The study's pairs, then what else was run."""
    return [*PAIRS, *(pair for pair in results.by_pair if pair not in PAIRS)]


def summary(cuts: Cuts, published: Published) -> Table:
    """Accuracy and top-5 accuracy, with our 95 % intervals: on the official lists, and on the random cut."""
    rows = []
    for pair in shown_pairs(cuts.official):
        theirs, ours = published.accuracies.get(pair), cuts.official.by_pair.get(pair)
        random = cuts.random.by_pair.get(pair) if cuts.random else None
        rows.append(
            (
                *pair,
                text(theirs.top1 if theirs else None),
                *(*_measured(ours, "accuracy"), *_measured(random, "accuracy")),
                text(theirs.top5 if theirs else None),
                *(*_measured(ours, "top5_accuracy"), *_measured(random, "top5_accuracy")),
                str(len(ours.report.clip_ids)) if ours else "",
            )
        )
    header = (
        *("backbone", "head", "accuracy_published", *with_ends("accuracy_here", "accuracy_random")),
        *("top5_published", *with_ends("top5_here", "top5_random"), "test_clips"),
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


def dataset(results: Results) -> Table:
    """The study's table of its data beside that of the clips at hand."""
    with (results.dataset / "table.csv").open(encoding="utf-8", newline="") as file:
        ours = {row["property"]: row["value"] for row in csv.DictReader(file)}
    names = dict.fromkeys((*ours, *DATASET))
    rows = tuple((name, DATASET.get(name, ""), ours.get(name, "")) for name in names)
    return Table("dataset", ("property", "published", "here"), rows)


def per_class(pair: Pair, result: ClassifierResult, published: Published) -> tuple[Table, ...]:
    """Our per-class report, in the columns of the study's, and both side by side where there are both."""
    ours, theirs = our_report(result), published.per_class.get(pair)
    name = f"per_class_{pair[0]}_{pair[1]}"
    rows = tuple(
        (label, *(text(row.metrics[metric]) for metric in METRICS), str(row.support))
        for label, row in ours.rows.items()
    )
    own = Table(name, ("label", *METRICS, "support"), rows)
    return (own, _side_by_side(f"{name}_beside_published", ours, theirs)) if theirs else (own,)


def our_report(result: ClassifierResult) -> ClassReport:
    """Per class, with as many digits as our tables have."""
    return ClassReport({row.label: ClassRow(_metrics(row), row.support) for row in result.report.per_class})


def _metrics(row: ClassScores) -> Mapping[str, Decimal]:
    return {name: Decimal(f"{getattr(row, name):.{DIGITS}f}") for name in METRICS}


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


def _measured(result: ClassifierResult | None, metric: str) -> Row:
    if result is None:
        return ("",) * 3
    return (text(result.report.metrics[metric]), *interval(result.report.intervals[metric]))
