"""A comparison of two reports as tables on a terminal."""

from rich.console import Console
from rich.table import Table

from pipelines.studies.study_a.compare import Metrics, ReportComparison, ReportFacts, in_words
from reelflow.commandline import printable


def print_comparison(found: ReportComparison, console: Console) -> None:
    """Print what was counted, in tables and in words, and what contradicts itself."""
    for side, name in (("A", found.a.name), ("B", found.b.name)):
        console.print(f"{side}: {printable(name)}", highlight=False, markup=False, soft_wrap=True)
    for table in (_reports(found), _metrics(found), _classes(found)):
        console.print(table)
    for line in in_words(found):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    for note in found.notes:
        console.print(
            printable(f"Note: {note}"), style="yellow", highlight=False, markup=False, soft_wrap=True
        )


def _reports(found: ReportComparison) -> Table:
    table = _table("report", "classes", "clips", "weighted recall", "published accuracy")
    for side, facts in (("A", found.a), ("B", found.b)):
        figures = (str(facts.classes), str(facts.support), _figure(facts.weighted_recall))
        table.add_row(side, *figures, _published(facts))
    return table


def _metrics(found: ReportComparison) -> Table:
    table = _table("metric", "higher in A", "higher in B", "equal")
    for name, counts in (*found.by_metric.items(), ("all", found.metrics)):
        table.add_row(name, *_counts(counts), end_section=name == "f1")
    return table


def _classes(found: ReportComparison) -> Table:
    table = _table("classes with", "in A", "in B")
    a, b, equal = found.classes_higher_in_a, found.classes_higher_in_b, str(found.classes_all_equal)
    table.add_row("at least one metric higher", str(a.at_least_one_higher), str(b.at_least_one_higher))
    table.add_row(
        "all three at least equal, not all equal",
        str(a.none_lower_not_all_equal),
        str(b.none_lower_not_all_equal),
    )
    table.add_row("all three higher", str(a.all_higher), str(b.all_higher))
    table.add_row("all three equal", equal, equal)
    return table


def _table(*columns: str) -> Table:
    table = Table(*columns)
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _counts(counts: Metrics) -> tuple[str, str, str]:
    return str(counts.higher_in_a), str(counts.higher_in_b), str(counts.equal)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _published(facts: ReportFacts) -> str:
    return _figure(facts.accuracy) + (" (contradicts)" if facts.contradicts else "")
