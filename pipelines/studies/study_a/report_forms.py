"""The forms in which people save a per-class report, as one table: a line a class.

Ours and the studies' are CSV with the columns `label,precision,recall,f1,support`. scikit-learn's
`classification_report(output_dict=True)` comes as JSON, or as CSV of a DataFrame in either orientation; it
says `f1-score`, has no name for the column of labels, and rows of averages.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from io import StringIO
from itertools import zip_longest
from typing import Any

F1_NAMES = ("f1-score", "f1_score")
INDEX_NAMES = ("", "index", "class", "unnamed: 0")
METRICS = ("precision", "recall", "f1-score", "support")
AVERAGES = ("accuracy", "micro avg", "macro avg", "weighted avg", "samples avg")

Line = tuple[int, list[str]]
"""A line's number and its values."""


def read_lines(text: str) -> tuple[list[Line], str | None]:
    """The header and a line a class, and the accuracy that scikit-learn's averages give.

    Raises:
        csv.Error: it is not CSV.
        ValueError: it begins like JSON, and is not a report in JSON.
    """
    is_json = text.lstrip().startswith("{")
    lines = _from_json(text) if is_json else list(_from_csv(text))
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
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    filled = ((reader.line_num, values) for values in reader if any(value.strip() for value in values))
    for place, (line, values) in enumerate(filled):
        yield line, values if place else [value.strip() for value in values]


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
