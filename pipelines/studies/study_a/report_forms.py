"""The forms in which people save a per-class report, as one table: a line a class.

Ours and the studies' are CSV with the columns `label,precision,recall,f1,support`. scikit-learn's
`classification_report(output_dict=True)` comes as JSON, or as CSV of a DataFrame in either orientation; it
says `f1-score`, has no name for the column of labels, and rows of averages. Without `output_dict` it is a
printed table. Spreadsheets part columns by semicolons or tabs, and may write decimal commas.
"""

import csv
import json
import re
from collections.abc import Iterator, Mapping
from io import StringIO
from itertools import zip_longest
from typing import Any

from components.dataset.source.groups_csv import form_of

F1_NAMES = ("f1-score", "f1_score")
INDEX_NAMES = ("", "index", "class", "unnamed: 0")
METRICS = ("precision", "recall", "f1-score", "support")
PRINTED = re.compile(r"\s*precision\s+recall\s+f1-score\s+support\s*")
PRINTED_LINE = re.compile(
    r"\s*(?P<label>\S.*?)\s+(?:(?P<precision>\d\.\d+)\s+(?P<recall>\d\.\d+)\s+)?(?P<f1>\d\.\d+)\s+(?P<support>\d+)\s*"
)
DECIMAL_COMMA = re.compile(r"\d*,\d+")
AVERAGES = ("accuracy", "micro avg", "macro avg", "weighted avg", "samples avg")

SHOWN = 60  # characters of a line that is none
LONGEST_LINE = 2000

Line = tuple[int, list[str]]
"""A line's number and its values."""


def read_lines(text: str) -> tuple[list[Line], str | None]:
    """The header and a line a class, and the accuracy that scikit-learn's averages give.

    Raises:
        csv.Error: it is not CSV.
        ValueError: it begins like JSON, and is not a report in JSON.
    """
    first = next((line for line in text.splitlines() if line.strip()), "")
    if first.lstrip().startswith("{"):
        lines = _from_json(text)
    else:
        lines = list(_from_print(text) if PRINTED.fullmatch(first) else _from_csv(text))
    if not lines:
        return [], None
    lines = _upright(lines)
    number, header = lines[0]
    if not set(header) & set(F1_NAMES):
        return lines, None
    if "label" not in header and header[0].lower() in INDEX_NAMES:
        header = ["label", *header[1:]]
    header = ["f1" if name in F1_NAMES else name for name in header]
    averages = {values[0].strip(): values for _, values in lines[1:] if values and _is_average(values)}
    classes = [line for line in lines[1:] if not (line[1] and _is_average(line[1]))]
    return [(number, header), *classes], averages["accuracy"][1] if "accuracy" in averages else None


def _from_csv(text: str) -> Iterator[Line]:
    file = StringIO(text, newline="")
    delimiter, is_header = form_of(file.readline())
    if is_header:
        file.seek(0)
    reader, above = csv.reader(file, delimiter=delimiter, strict=True), 0 if is_header else 1
    filled = ((reader.line_num, values) for values in reader if any(value.strip() for value in values))
    for place, (line, values) in enumerate(filled):
        numbers = values if delimiter == "," else [values[0], *map(_with_point, values[1:])]
        yield line + above, numbers if place else [value.strip() for value in values]


def _with_point(value: str) -> str:
    """A number with a decimal point instead of a comma; other text as it is."""
    return value.replace(",", ".") if DECIMAL_COMMA.fullmatch(value.strip()) else value


def _from_print(text: str) -> Iterator[Line]:
    """Of a report that scikit-learn has printed; the line of the accuracy has two numbers."""
    filled = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    yield filled[0][0], ["label", *METRICS]
    for number, line in filled[1:]:
        found = PRINTED_LINE.fullmatch(line) if len(line) <= LONGEST_LINE else None
        if not found:
            raise csv.Error(
                f"line {number}: found {line.strip()[:SHOWN]!r}, expected a class and its numbers"
            )
        f1 = found["f1"]
        metrics = (found["precision"] or f1, found["recall"] or f1, f1)
        yield number, [found["label"], *metrics, found["support"]]


def _from_json(text: str) -> list[Line]:
    """Of a report as scikit-learn returns it, or of its DataFrame."""
    try:
        found = json.loads(
            text, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_once_each
        )
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if set(METRICS) <= found.keys():
        labels = dict.fromkeys(label for values in found.values() for label in _row(values))
        found = {label: {name: _row(found[name]).get(label) for name in METRICS} for label in labels}
    lines = [(1, ["label", *METRICS])]
    for number, (label, values) in enumerate(found.items(), start=2):
        row = values if isinstance(values, Mapping) else dict.fromkeys(METRICS, values)
        lines.append((number, [label, *(_text(row.get(name)) for name in METRICS)]))
    return lines


def _row(values: Any) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise ValueError("a metric is not a table of classes")  # noqa: TRY004
    return values


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is there twice")
    return dict(pairs)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _upright(lines: list[Line]) -> list[Line]:
    """A line a class, where the report has a line a metric."""
    first = {values[0].strip() for _, values in lines[1:] if values}
    if not set(METRICS) <= first or set(METRICS) & set(lines[0][1]):
        return lines
    columns = zip_longest(*(values for _, values in lines if values), fillvalue="")
    return [(number, [value.strip() for value in column]) for number, column in enumerate(columns, start=1)]


def _is_average(values: list[str]) -> bool:
    """Whether a line of scikit-learn's report is no class; that of the accuracy repeats one number."""
    name = values[0].strip()
    return name in AVERAGES and (name != "accuracy" or len(set(values[1:4])) == 1)
