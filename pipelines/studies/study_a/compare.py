"""Two per-class reports compared, number by number as printed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import Field

from pipelines.studies.study_a.class_reports import (
    METRICS,
    ClassReport,
    fraction,
    half_unit,
    read_class_report,
    read_rows,
)
from reelflow.commandline import printable
from reelflow.documents import Document
from reelflow.errors import DataError, ParamsError, some_of

Higher = Literal["a", "b", "equal"]
PUBLISHED = "pipelines_table.csv"
PUBLISHED_COLUMNS = ("backbone", "head", "accuracy")
OF_A_STUDY = re.compile(r"thesis_per_class_(?P<name>.+)\.csv")
SHOWN_LABELS = 5


class ReportFacts(Document):
    """Facts of one report."""

    name: str
    classes: int
    support: int = Field(description="test clips of all classes")
    weighted_recall: float | None = Field(description="the accuracy, by definition; null without clips")
    rounding: float = Field(description="how far weighted_recall may be off as recalls are rounded")
    accuracy: float | None = Field(description="as published beside the report, if known")
    contradicts: bool = Field(description="weighted_recall and accuracy differ by more than rounding")


class Metrics(Document):
    """Metrics by where they are higher."""

    higher_in_a: int
    higher_in_b: int
    equal: int


class Classes(Document):
    """Classes in which one report's metrics are higher than the other's."""

    at_least_one_higher: int
    none_lower_not_all_equal: int = Field(description="all three at least equal, and not all equal")
    all_higher: int


class ClassComparison(Document):
    """Where each metric of a class is higher."""

    label: str
    precision: Higher
    recall: Higher
    f1: Higher


class ReportComparison(Document):
    """Report A against report B: `python -m pipelines compare-reports A.csv B.csv --json`."""

    a: ReportFacts
    b: ReportFacts
    metrics: Metrics
    by_metric: dict[str, Metrics]
    classes_higher_in_a: Classes
    classes_higher_in_b: Classes
    classes_all_equal: int
    classes: tuple[ClassComparison, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Named:
    """A report, what it is called, and the accuracy published with it."""

    name: str
    report: ClassReport
    accuracy: Decimal | None = None

    @classmethod
    def read(cls, path: Path, accuracy: str = "", *, name: str = "") -> "Named":
        """Read a report; its accuracy is the given one, the file's own, or the one published beside it.

        Raises:
            ParamsError: there is no such file, or the accuracy is no number from 0 to 1.
            DataError: it is no such report.
        """
        report = read_class_report(path)
        try:
            given = (
                fraction(accuracy, f"the accuracy given for {path.name}")
                if accuracy
                else report.accuracy or published_accuracy(path)
            )
        except DataError as error:
            raise (ParamsError(str(error)) if accuracy else error) from error
        return cls(printable(name or path.name), report, given)


def compare_files(a: Path, b: Path, accuracy_a: str = "", accuracy_b: str = "") -> ReportComparison:
    """Compare two report files; files of the same name are shown with their folders.

    Raises:
        ParamsError: a file is missing, or an accuracy is no number from 0 to 1.
        DataError: a file is no report, or the reports have other classes.
    """
    names = [
        path.name if a.name != b.name else f"{path.absolute().parent.name}/{path.name}" for path in (a, b)
    ]
    return compare(Named.read(a, accuracy_a, name=names[0]), Named.read(b, accuracy_b, name=names[1]))


def published_accuracy(path: Path) -> Decimal | None:
    """What `pipelines_table.csv` beside a `thesis_per_class_<backbone>_<head>.csv` says of it, if anything.

    Raises:
        DataError: the table is there, but cannot be used.
    """
    table, found = path.with_name(PUBLISHED), OF_A_STUDY.fullmatch(path.name)
    if not found or not table.is_file():
        return None
    for where, row in read_rows(table, PUBLISHED_COLUMNS):
        if f"{row['backbone'].strip()}_{row['head'].strip()}" == found["name"]:
            return fraction(row["accuracy"], f"{where}, accuracy")
    return None


def compare(a: Named, b: Named) -> ReportComparison:
    """Count where each report is higher.

    Raises:
        DataError: the reports have other classes.
    """
    _check_same_classes(a, b)
    pairs = {label: (row.metrics, b.report.rows[label].metrics) for label, row in a.report.rows.items()}
    higher = {
        label: {name: _higher(one[name], two[name]) for name in METRICS}
        for label, (one, two) in pairs.items()
    }
    facts = _facts(a), _facts(b)
    return ReportComparison(
        a=facts[0],
        b=facts[1],
        metrics=_metrics([found for row in higher.values() for found in row.values()]),
        by_metric={name: _metrics([row[name] for row in higher.values()]) for name in METRICS},
        classes_higher_in_a=_classes(higher, "a"),
        classes_higher_in_b=_classes(higher, "b"),
        classes_all_equal=sum(set(row.values()) == {"equal"} for row in higher.values()),
        classes=tuple(ClassComparison(label=label, **row) for label, row in higher.items()),
        notes=_notes(a, b, facts),
    )


def in_words(found: ReportComparison, a: str = "A", b: str = "B") -> list[str]:
    """What was counted, in sentences; `a` and `b` are what the reports are called."""
    metrics = found.metrics
    total = metrics.higher_in_a + metrics.higher_in_b + metrics.equal
    lines = [
        f"Of {total} metrics {metrics.higher_in_a} are higher in {a}, {metrics.higher_in_b} are higher "
        f"in {b}, {metrics.equal} are equal."
    ]
    for name, classes in ((b, found.classes_higher_in_b), (a, found.classes_higher_in_a)):
        lines.append(
            f"Of {found.a.classes} classes, at least one metric is higher in {name} in "
            f"{classes.at_least_one_higher}; all three are at least equal and not all equal in "
            f"{classes.none_lower_not_all_equal}; all three are higher in {classes.all_higher}."
        )
    return [*lines, f"All three are equal in {found.classes_all_equal}."]


def contradiction(who: str, found: ReportFacts) -> str:
    """What is wrong with a report that contradicts its published accuracy."""
    return (
        f"{who} contradicts itself: its support-weighted recall is {found.weighted_recall:.4f}, which by "
        f"definition is the accuracy, but the published accuracy is {found.accuracy:.4f}; rounding "
        f"explains {found.rounding:.2g} at most."
    )


def _higher(a: Decimal, b: Decimal) -> Higher:
    return "equal" if a == b else "a" if a > b else "b"


def _metrics(found: list[Higher]) -> Metrics:
    return Metrics(higher_in_a=found.count("a"), higher_in_b=found.count("b"), equal=found.count("equal"))


def _classes(higher: Mapping[str, Mapping[str, Higher]], side: Higher) -> Classes:
    found = [set(row.values()) for row in higher.values()]
    return Classes(
        at_least_one_higher=sum(side in row for row in found),
        none_lower_not_all_equal=sum(side in row and row <= {side, "equal"} for row in found),
        all_higher=sum(row == {side} for row in found),
    )


def _facts(named: Named) -> ReportFacts:
    report, accuracy = named.report, named.accuracy
    recall = report.weighted_recall
    contradicts = False
    if recall is not None and accuracy is not None:
        contradicts = abs(recall - accuracy) > report.rounding + half_unit(accuracy)
    return ReportFacts(
        name=named.name,
        classes=len(report.rows),
        support=report.support,
        weighted_recall=None if recall is None else round(float(recall), 6),
        rounding=float(report.rounding),
        accuracy=None if accuracy is None else float(accuracy),
        contradicts=contradicts,
    )


def _notes(a: Named, b: Named, facts: tuple[ReportFacts, ReportFacts]) -> tuple[str, ...]:
    notes = [contradiction(side, found) for side, found in zip("AB", facts, strict=True) if found.contradicts]
    other = [label for label, row in a.report.rows.items() if row.support != b.report.rows[label].support]
    if other:
        notes.append(
            f"{len(other)} classes have another number of test clips in A than in B, such as {other[0]}: "
            "the reports were not measured on the same clips."
        )
    return tuple(notes)


def _check_same_classes(a: Named, b: Named) -> None:
    only = [
        f"only {side} has {some_of(labels, SHOWN_LABELS)}"
        for side, one, two in (("A", a, b), ("B", b, a))
        if (labels := [label for label in one.report.rows if label not in two.report.rows])
    ]
    if only:
        raise DataError(
            f"the reports have different classes: {'; '.join(only)}. Compare reports of one data set"
        )
