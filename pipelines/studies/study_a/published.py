"""What study A (2019) published: `Video classification with a memory- and compute-efficient CNN`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from pipelines.studies.comparison.caveats import CLASSES, CLIPS
from pipelines.studies.study_a.class_reports import (
    METRICS,
    ClassReport,
    fraction,
    read_class_report,
    read_rows,
)
from pipelines.studies.ucf101.results import Pair
from reelflow.errors import ParamsError

LARGE, SMALL = "inception_v3", "mobilenet_v2_quant"
BACKBONES = (LARGE, SMALL)
RECURRENT, SINGLE = ("gru", "lstm"), "single_frame"
HEADS = (*RECURRENT, SINGLE)
PAIRS: tuple[Pair, ...] = tuple((backbone, head) for backbone in BACKBONES for head in HEADS)
SUMMARY = "pipelines_table.csv"
AVERAGES = "averages_table.csv"


@dataclass(frozen=True)
class Accuracies:
    """Of one backbone and head, on the test clips of split 1."""

    top1: Decimal
    top5: Decimal


ACCURACIES: Mapping[Pair, Accuracies] = {
    (LARGE, "gru"): Accuracies(Decimal("0.7961"), Decimal("0.9469")),
    (LARGE, "lstm"): Accuracies(Decimal("0.7875"), Decimal("0.9422")),
    (LARGE, SINGLE): Accuracies(Decimal("0.6969"), Decimal("0.8812")),
    (SMALL, "gru"): Accuracies(Decimal("0.7594"), Decimal("0.9297")),
    (SMALL, "lstm"): Accuracies(Decimal("0.7430"), Decimal("0.9117")),
    (SMALL, SINGLE): Accuracies(Decimal("0.6425"), Decimal("0.8473")),
}
DATASET: Mapping[str, str] = {
    "classes": str(CLASSES),
    "clips": str(CLIPS),
    "train clips": "62 %",
    "validation clips": "10 %",
    "test clips": "28 %",
    "groups": "2525 (25 a class)",
    "clips of a class in a group": "4 to 7",
    "mean duration": "7.21 s",
    "min duration": "1.06 s",
    "max duration": "71.04 s",
    "frame rate": "25 fps",
    "resolution": "320x240",
}


@dataclass(frozen=True)
class Published:
    """The study's figures: the accuracies always, the rest only from a folder of its tables."""

    accuracies: Mapping[Pair, Accuracies] = field(default_factory=lambda: ACCURACIES)
    averages: Mapping[Pair, Mapping[str, Decimal]] = field(default_factory=dict)
    per_class: Mapping[Pair, ClassReport] = field(default_factory=dict)

    @property
    def top1(self) -> Mapping[Pair, Decimal]:
        """The accuracies alone."""
        return {pair: found.top1 for pair, found in self.accuracies.items()}

    @classmethod
    def read(cls, folder: Path | None) -> "Published":
        """Read the tables that a folder holds: summary, averages, per-class reports.

        Raises:
            ParamsError: there is no such folder, or it holds none of them.
            DataError: a table cannot be used.
        """
        if folder is None:
            return cls()
        per_class = {
            pair: read_class_report(path)
            for pair in PAIRS
            if (path := folder / f"thesis_per_class_{pair[0]}_{pair[1]}.csv").is_file()
        }
        accuracies = _accuracies(folder / SUMMARY) or ACCURACIES
        averages = _averages(folder / AVERAGES)
        if not per_class and not averages and accuracies is ACCURACIES:
            raise ParamsError(
                f"{folder} holds none of {SUMMARY}, {AVERAGES} and thesis_per_class_<backbone>_<head>.csv: "
                "name the folder of the study's tables (--reference), or leave it out"
            )
        return cls(accuracies, averages, per_class)


def _accuracies(path: Path) -> dict[Pair, Accuracies]:
    columns = ("accuracy", "top5_accuracy")
    return {pair: Accuracies(*(row[name] for name in columns)) for pair, row in _table(path, columns).items()}


def _averages(path: Path) -> dict[Pair, dict[str, Decimal]]:
    return _table(path, METRICS)


def _table(path: Path, columns: tuple[str, ...]) -> dict[Pair, dict[str, Decimal]]:
    if not path.is_file():
        return {}
    return {
        (row["backbone"].strip(), row["head"].strip()): {
            name: fraction(row[name], f"{where}, {name}") for name in columns
        }
        for where, row in read_rows(path, ("backbone", "head", *columns))
    }
