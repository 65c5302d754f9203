"""`groups.csv`: path, label and group of every clip, as people and spreadsheets write it.

Commas, semicolons or tabs, also as Excel's first line `sep=;` says; empty rows; paths with backslashes, or
absolute ones inside the folder, or in another case. What is not certain is an error that says what to write.
"""

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from textwrap import shorten
from typing import TextIO

from components.dataset.source.labels import clean, has_control
from components.dataset.source.listing import GROUPS
from reelflow.errors import DataError, some_of

COLUMNS = ("path", "label", "group")
DELIMITERS = ",;\t"
SHOWN, SHOWN_COLUMNS = 60, 6
SPLIT_COLUMNS = frozenset({"split", "set", "subset", "partition", "fold", "usage", "phase"})
SEPARATOR_LINE = re.compile(r"\"?sep=(?P<delimiter>[,;\t])\"?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """One clip as `groups.csv` lists it. `label` is as written, `group` is cleaned."""

    path: str
    label: str
    group: str


class GroupsTable:
    """`groups.csv` of a folder, read once.

    Raises:
        DataError: it is not a CSV file in UTF-8, or cannot be read.
    """

    def __init__(self, source: Path) -> None:
        self._source, self._path = source, source / GROUPS
        self._lines = _lines(self._path)
        self._header = [name.strip().lower() for name in self._lines[0][1]] if self._lines else []

    def rows(self, files: Collection[str]) -> list[Row]:
        """The listed clips.

        Args:
            files: the paths in the folder, by which other spellings of a path are recognised.

        Raises:
            DataError: a line is wrong; the message says which, and what to write.
        """
        path, header = self._path, self._header
        for column in COLUMNS:
            if header.count(column) != 1:
                found = ", ".join(header) or "of an empty file"
                problem = "twice" if column in header else "not there"
                raise DataError(
                    f"{path} has the columns {found}; {column} is {problem}. "
                    f"Its first line must hold {', '.join(COLUMNS)} once each"
                )
        places = _Places(self._source, files)
        rows: dict[str, Row] = {}
        for number, values in self._lines[1:]:
            where = f"{path}, line {number}"
            row = _row(dict(zip(header, values, strict=False)), values, header, places, where)
            if rows.setdefault(row.path, row) != row:
                raise DataError(f"{where}: {row.path} is listed twice, with different values")
        if rows and files and rows.keys().isdisjoint(files):
            raise DataError(
                f"none of the {len(rows)} clips that {path} lists is there; the first is {next(iter(rows))}, "
                f"and the folder holds {min(files)}: write paths below the folder of {GROUPS}"
            )
        return list(rows.values())

    def note_on_columns(self) -> tuple[str, ...]:
        """A note on columns that are not read; empty if there are none."""
        others = [name for name in self._header if name and name not in COLUMNS]
        if not others:
            return ()
        split = "; split folders or dataset.split_lists give a split" if set(others) & SPLIT_COLUMNS else ""
        return (f"{GROUPS}: columns that are not read: {some_of(others, SHOWN_COLUMNS)}{split}",)


def read_groups(source: Path, files: Collection[str]) -> list[Row]:
    """The clips that `groups.csv` of a folder lists; arguments and errors as of `GroupsTable`."""
    return GroupsTable(source).rows(files)


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """The rows that are not empty, with the numbers of the lines in which they begin."""
    if not path.is_file():
        raise DataError(f"{path} is not a readable file: put the CSV file there, or remove it")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(_rows(file))
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a CSV file in UTF-8: {error}; save it as CSV in UTF-8") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; change its rights") from error


def _rows(file: TextIO) -> Iterator[tuple[int, list[str]]]:
    first = file.readline()
    delimiter, is_header = form_of(first)
    if is_header:
        file.seek(0)
    reader = csv.reader(file, delimiter=delimiter)
    begins = before = 1 if is_header else 2  # lines count from 1
    for row in reader:
        if any(value.strip() for value in row):
            yield begins, row
        begins = reader.line_num + before


def form_of(first: str) -> tuple[str, bool]:
    """The delimiter that the first line of a table tells, and whether the line is the table's header."""
    if said := SEPARATOR_LINE.fullmatch(first):
        return said["delimiter"], False
    return max(DELIMITERS, key=first.count), True


def _row(
    named: dict[str, str], values: Sequence[str], header: Sequence[str], places: "_Places", where: str
) -> Row:
    given = [named.get(column, "").strip() for column in COLUMNS]
    if not all(given):
        raise DataError(f"{where}: found {given}; {', '.join(COLUMNS)} must all be given")
    if any(value.strip() for value in values[len(header) :]):
        raise DataError(
            f"{where}: found {len(values)} values, expected {len(header)}: put values that hold the "
            'separator in quotes ("...")'
        )
    path, label, group = (named[column] for column in COLUMNS)
    if not clean(label) or not clean(group):
        raise DataError(f"{where}: found {given}; label and group must hold visible characters")
    row = Row(places.find(path, where), label, clean(group))
    _check_whole(row, places, where)
    return row


def _check_whole(row: Row, places: "_Places", where: str) -> None:
    """A quote that is not closed takes all up to the next one: rows would be lost without a word."""
    values = (row.label, row.group, "" if row.path in places else row.path)
    if broken := next(filter(has_control, values), ""):
        raise DataError(
            f"{where}: {shorten(repr(broken), SHOWN)} holds a line break or another control character: "
            'close the quote ("), or remove it'
        )


class _Places:
    """Recognises the files of a folder by the ways in which people write their paths."""

    def __init__(self, source: Path, files: Collection[str]) -> None:
        self._roots = sorted({source.absolute().as_posix(), source.resolve().as_posix()})
        self._files = files
        self._composed = {_nfc(file): file for file in files}
        cases = Counter(map(_any_case, files))
        self._any_case = {_any_case(file): file for file in files if cases[_any_case(file)] == 1}

    def __contains__(self, path: str) -> bool:
        return path in self._files

    def find(self, text: str, where: str) -> str:
        """The path relative to the folder.

        Raises:
            DataError: it is not inside the folder.
        """
        if "\0" in text:
            raise DataError(f"{where}: {text!r} is not a path: it has a zero byte")
        for spelling in (text, text.strip(), text.strip().replace("\\", "/")):
            path = self._relative(spelling)
            if path in self._files:
                return path
            if _nfc(path) in self._composed:
                return self._composed[_nfc(path)]
        if path_in_any_case := self._any_case.get(_any_case(path)):
            return path_in_any_case
        if not _is_inside(path):
            raise DataError(f"{where}: {text} is outside of the folder; {self._advice(path)}")
        return path

    def _relative(self, text: str) -> str:
        """Without the folder at its beginning, `.` and doubled slashes."""
        for root in self._roots:
            if text.startswith(f"{root}/"):
                text = text.removeprefix(f"{root}/")
        return PurePosixPath(text).as_posix()

    def _advice(self, path: str) -> str:
        """What to write instead: the file of the folder whose path ends alike, if there is one."""
        parts = PurePosixPath(path).parts
        ends = ("/".join(parts[start:]) for start in range(1, len(parts)))
        alike = next((end for end in ends if end in self._files), None)
        example = alike or min(self._files, default="class/clip.mp4")
        return f"paths must be inside it: write {example}" + ("" if alike else ", say")


def _is_inside(path: str) -> bool:
    return not (
        PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive or ".." in PurePosixPath(path).parts
    )


def _any_case(path: str) -> str:
    """A path as Windows and macOS compare it."""
    return _nfc(path).casefold()


def _nfc(path: str) -> str:
    return unicodedata.normalize("NFC", path)
