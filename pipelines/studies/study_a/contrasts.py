"""Backbone against backbone and head against head: the study's two hypotheses, and class by class."""

from collections.abc import Mapping
from decimal import Decimal

from pipelines.studies.comparison.tables import Row, Table, interval, text
from pipelines.studies.study_a.compare import Named, ReportComparison, compare
from pipelines.studies.study_a.published import (
    BACKBONES,
    HEADS,
    LARGE,
    RECURRENT,
    SINGLE,
    SMALL,
    Published,
)
from pipelines.studies.study_a.tables import our_report, shown_pairs
from pipelines.studies.ucf101.results import Difference, Pair, Results


def gaps(results: Results, published: Published) -> Table:
    """Hypothesis 1: how far the large backbone is ahead, by head, and less so than by single frames."""
    rows = []
    single = ((LARGE, SINGLE), (SMALL, SINGLE))
    for head in HEADS:
        pair = ((LARGE, head), (SMALL, head))
        theirs, base = published_gap(published, *pair), published_gap(published, *single)
        less: Row = ("",) * 4
        if head != SINGLE:
            less = (text(_less(theirs, base)), *_difference(results.gap_difference(pair, single)))
        rows.append((head, text(theirs), *_difference(results.difference(*pair)), *less))
    return Table(
        "gaps",
        (
            *("head", "gap_published", "gap_here", "gap_here_low", "gap_here_high"),
            *("change_published", "change_here", "change_here_low", "change_here_high"),
        ),
        tuple(rows),
    )


def recurrent_gains(results: Results, published: Published) -> Table:
    """Hypothesis 2: how far recurrent heads are ahead of a single frame, by backbone."""
    rows = []
    others = dict.fromkeys(backbone for backbone, _ in shown_pairs(results))
    for backbone in others:
        for head in RECURRENT:
            pair = ((backbone, head), (backbone, SINGLE))
            gain = _difference(results.difference(*pair))
            rows.append((backbone, head, text(published_gap(published, *pair)), *gain))
    header = ("backbone", "head", "gain_published", "gain_here", "gain_here_low", "gain_here_high")
    return Table("recurrent_gains", header, tuple(rows))


def backbone_comparisons(results: Results, published: Published) -> dict[str, ReportComparison]:
    """Backbone against backbone by class: what was run here by head, and what was published."""
    found = {}
    for head in HEADS:
        reports = [published.per_class.get((backbone, head)) for backbone in BACKBONES]
        accuracies = [published.accuracies.get((backbone, head)) for backbone in BACKBONES]
        sides = [
            Named(backbone, report, accuracy.top1 if accuracy else None)
            for backbone, report, accuracy in zip(BACKBONES, reports, accuracies, strict=True)
            if report
        ]
        if len(sides) == len(BACKBONES):
            found[f"{head}, published"] = compare(*sides)
        ours = [results.by_pair.get((backbone, head)) for backbone in BACKBONES]
        own = [Named(b, our_report(one)) for b, one in zip(BACKBONES, ours, strict=True) if one]
        if len(own) == len(BACKBONES):
            found[f"{head}, here"] = compare(*own)
    return found


def comparison(found: Mapping[str, ReportComparison]) -> Table:
    """The counts of the comparisons, a line each."""
    header = ["head"]
    rows = []
    for name, one in found.items():
        counts = {"metrics_equal": one.metrics.equal, "classes_all_equal": one.classes_all_equal}
        for backbone, metrics, classes in (
            (LARGE, one.metrics.higher_in_a, one.classes_higher_in_a),
            (SMALL, one.metrics.higher_in_b, one.classes_higher_in_b),
        ):
            counts[f"metrics_{backbone}"] = metrics
            counts[f"classes_some_higher_{backbone}"] = classes.at_least_one_higher
            counts[f"classes_none_lower_{backbone}"] = classes.none_lower_not_all_equal
            counts[f"classes_all_higher_{backbone}"] = classes.all_higher
        header = ["head", *sorted(counts)]
        rows.append((name, *(str(counts[column]) for column in sorted(counts))))
    return Table("backbone_comparison", tuple(header), tuple(rows))


def published_gap(published: Published, one: Pair, other: Pair) -> Decimal | None:
    """Difference of two published accuracies."""
    pair = published.accuracies.get(one), published.accuracies.get(other)
    return pair[0].top1 - pair[1].top1 if pair[0] and pair[1] else None


def _less(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one - other


def _difference(difference: Difference | None) -> Row:
    return (text(difference.value), *interval(difference.interval)) if difference else ("",) * 3
