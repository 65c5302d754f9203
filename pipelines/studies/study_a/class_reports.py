"""Per-class reports: `label,precision,recall,f1,support`, ours, those of the studies and scikit-learn's."""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from unicodedata import normalize

from pipelines.studies.study_a.report_forms import Line, read_lines
from reelflow.errors import DataError, ParamsError

METRICS = ("precision", "recall", "f1")
COLUMNS = ("label", *METRICS, "support")
MAX_BYTES = 16 * 1024 * 1024
NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,2})?", re.ASCII)
LONGEST_NUMBER = 30
FLOAT = Decimal("1e-12")  # of numbers with all digits, which are rounded in binary
SHOWN = 60  # characters of an invalid number


@dataclass(frozen=True)
class ClassRow:
    """One class: its metrics exactly as printed, and its test clips."""

    metrics: Mapping[str, Decimal]
    support: int


@dataclass(frozen=True)
class ClassReport:
    """A per-class report, by label in the file's order, and the accuracy that the file gives, if any."""

    rows: Mapping[str, ClassRow]
    accuracy: Decimal | None = None

    @property
    def support(self) -> int:
        """Test clips of all classes."""
        return sum(row.support for row in self.rows.values())

    @property
    def weighted_recall(self) -> Decimal | None:
        """Mean recall, weighted by support: the accuracy, by definition. None without any clip."""
        if not self.support:
            return None
        return sum(row.metrics["recall"] * row.support for row in self.rows.values()) / Decimal(self.support)

    @property
    def rounding(self) -> Decimal:
        """How far the weighted recall may be off, as recalls are printed with few digits.

        The longest one counts: others may have lost zeros at their end.
        """
        return max(FLOAT, min(half_unit(row.metrics["recall"]) for row in self.rows.values()))


def half_unit(value: Decimal) -> Decimal:
    """Half of one unit of the last digit that is printed."""
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)  # only infinities and NaN have others
    return Decimal(5).scaleb(min(exponent, 0) - 1)


def read_class_report(path: Path) -> ClassReport:
    """Read and check a per-class report; further columns and rows of averages are passed over.

    Raises:
        ParamsError: there is no such file.
        DataError: it is not a per-class report, or has an invalid value.
    """
    rows: dict[str, ClassRow] = {}
    lines, accuracy = _lines(path, COLUMNS)
    for where, values in _rows(lines, path, COLUMNS):
        label = normalize("NFC", values["label"].strip())
        if not label or label in rows:
            raise DataError(f"{where}: found the label {label!r}, expected a new one on each line")
        metrics = {name: fraction(values[name], f"{where}, {name}") for name in METRICS}
        rows[label] = ClassRow(metrics, _count(values["support"], f"{where}, support"))
    if not rows:
        raise DataError(f"{path} holds no classes below its header; expected one line a class")
    return ClassReport(rows, fraction(accuracy, f"{path}, accuracy") if accuracy else None)


def read_rows(path: Path, columns: tuple[str, ...]) -> list[tuple[str, dict[str, str]]]:
    """The lines of a CSV file with these columns, each with its position.

    Raises:
        ParamsError: there is no such file.
        DataError: too large, no CSV in UTF-8, or other columns.
    """
    lines, _ = _lines(path, columns)
    return _rows(lines, path, columns)


def _lines(path: Path, columns: tuple[str, ...]) -> tuple[list[Line], str | None]:
    """The lines of a file, and the accuracy that scikit-learn's averages give."""
    try:
        if not path.is_file():
            raise ParamsError(f"there is no file {path}: name a CSV file with the columns {_list(columns)}")
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path} is larger than {MAX_BYTES // 1024**2} MB: it is not a table of classes")
        return read_lines(path.read_bytes().decode("utf-8-sig"))
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a CSV file in UTF-8: {error}") from error
    except ValueError as error:
        raise DataError(f"{path} is not a report in JSON: {error}") from error
    except OSError as error:
        raise ParamsError(f"{path} cannot be read: {error.strerror}") from error


def _rows(lines: list[Line], path: Path, columns: tuple[str, ...]) -> list[tuple[str, dict[str, str]]]:
    first = lines[0][1] if lines else []
    header = [name.strip() for name in first]
    missing = [name for name in columns if header.count(name) != 1]
    if missing:
        raise DataError(
            f"{path} has the columns {_list(header)[:500] or 'of an empty file'}; expected each of "
            f"{_list(columns)} once"
        )
    rows = []
    for line, values in lines[1:]:
        where = f"{path}, line {line}"
        if values and len(values) != len(header):
            raise DataError(f"{where}: found {len(values)} values, expected {len(header)} as in the header")
        if values:
            rows.append((where, dict(zip(header, values, strict=True))))
    return rows


def fraction(text: str, where: str) -> Decimal:
    """A number from 0 to 1, digit for digit.

    Raises:
        DataError: it is none.
    """
    value = _number(text, where, "a number from 0 to 1, such as 0.85")
    if value > 1:
        raise DataError(f"{where}: found {text.strip()}, expected a number from 0 to 1, such as 0.85")
    return value


def _count(text: str, where: str) -> int:
    value = _number(text, where, "a number of clips")
    if value != value.to_integral_value() or value >= 10**12:
        raise DataError(f"{where}: found {text.strip()}, expected a number of clips")
    return int(value)


def _number(text: str, where: str, expected: str) -> Decimal:
    text = text.strip()
    if len(text) > LONGEST_NUMBER or not NUMBER.fullmatch(text):
        raise DataError(f"{where}: found {text[:SHOWN]!r}, expected {expected}")
    return Decimal(text)


def _list(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names)
