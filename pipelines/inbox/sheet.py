"""A labelling sheet: a folder with clips, `sheet.json`, `labels.csv` for people, and a page to pick labels.

`sheet.json` says what the clips are; of `labels.csv`, which people edit, only the clip's name and its label
count.
"""

import csv
import io
import re
from collections.abc import Callable, Mapping
from itertools import chain, count
from pathlib import Path

from pydantic import Field

from reelflow.contracts import Rejected, Sha256
from reelflow.documents import Document
from reelflow.errors import DataError
from reelflow.files import write_text

SHEET, LABELS, PAGE, CLIPS, STRIPS = "sheet.json", "labels.csv", "index.html", "clips", "strips"
UNUSABLE = "unusable"
COLUMNS = ("clip", "label", "best_guess", "score", "camera", "began_at", "duration_s")
DELIMITERS = ",;\t"
OF_EXCEL = re.compile(r"\Asep=.(?=\r?\n)", re.IGNORECASE)  # names the delimiter, in a line of its own
FORMULAS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")  # spreadsheets compute what begins so
MOST_BYTES = 16_000_000


class SheetClip(Document):
    """A clip of a sheet.

    Attributes:
        name: of its file in the sheet.
        origin: its name in the inbox.
        identity: of the content there, as the inbox knows it.
        camera: as its note says, or its name.
        score: of the best guess; null where no note tells.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=250)
    origin: str
    identity: str
    sha256: Sha256
    duration_s: float
    camera: str = ""
    began_at: str = ""
    best_guess: str = ""
    score: float | None = None


class Sheet(Document):
    """`sheet.json`.

    Attributes:
        labels: that people choose from.
        clips: in the order in which they are shown.
        rejected: what lies in the inbox and is no clip, with reasons.
        passed: identities of what is not looked at again: the rejected, and second copies.
    """

    labels: tuple[str, ...]
    clips: tuple[SheetClip, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    passed: tuple[str, ...] = ()

    @classmethod
    def of(cls, folder: Path) -> "Sheet":
        """The sheet of a folder.

        Raises:
            DataError: there is none.
            BundleError: it is damaged.
        """
        if not (folder / SHEET).is_file():
            raise DataError(
                f"{folder} is not a sheet: python -m pipelines inbox sheet INBOX {folder} makes one"
            )
        return cls.read(folder / SHEET)


def free_name(name: str, sha256: str, is_taken: Callable[[str], bool]) -> str:
    """A name that no other clip has, of the hash where the own one is taken; devices choose names.

    Args:
        name: of the clip's file.
        sha256: of the clip.
        is_taken: whether another clip has a name.
    """
    stem, dot, suffix = name.rpartition(".")
    others = (f"{stem}-{sha256[:12]}{f'-{number}' if number else ''}{dot}{suffix}" for number in count())
    return next(one for one in chain([name], others) if not is_taken(one))


def write_labels(folder: Path, sheet: Sheet, given: Mapping[str, str]) -> None:
    """Write `labels.csv`.

    Args:
        folder: of the sheet.
        sheet: its clips.
        given: labels, by the name of the clip.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for clip in sheet.clips:
        score = "" if clip.score is None else f"{clip.score:.3f}"
        label = given.get(clip.name, "")
        facts = (clip.best_guess, score, clip.camera, clip.began_at, f"{clip.duration_s:.1f}")
        writer.writerow([clip.name, label, *map(_harmless, facts)])
    write_text(folder / LABELS, text.getvalue())


def read_labels(path: Path, sheet: Sheet) -> dict[str, str]:
    """The labels that people have given, by the name of the clip; `unusable` is one of them.

    Args:
        path: of the CSV file, as the page or a spreadsheet has written it.
        sheet: what it belongs to.

    Raises:
        DataError: it is not such a file; the message names the line.
    """
    rows = _rows(path)
    header = [name.strip().lower() for name in rows[0][1]] if rows else []
    if any(header.count(column) != 1 for column in ("clip", "label")):
        found_columns = ", ".join(header) or "of an empty file"
        raise DataError(f"{path} has the columns {found_columns}: expected clip and label, once each")
    names, allowed = {clip.name for clip in sheet.clips}, {*sheet.labels, UNUSABLE}
    found: dict[str, str] = {}
    for line, values in rows[1:]:
        row = dict(zip(header, values, strict=False))
        clip, label = row.get("clip", "").strip(), row.get("label", "").strip()
        where = f"{path}, line {line}"
        if clip not in names:
            raise DataError(f"{where}: {clip!r} is not a clip of this sheet: restore the column clip")
        if label and label not in allowed:
            raise DataError(
                f"{where}: the label {label!r} is not one of {', '.join(sorted(allowed))}: correct it"
            )
        if found.setdefault(clip, label) != label:
            raise DataError(f"{where}: {clip} has two labels, {found[clip]!r} and {label!r}: leave one")
    return {clip: label for clip, label in found.items() if label}


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The rows that are not empty, with their line numbers."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} has {path.stat().st_size} bytes, expected at most {MOST_BYTES}")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing: save the labels there") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: save it as CSV in UTF-8") from error
    text = OF_EXCEL.sub("", text, count=1)
    first = text.lstrip("\r\n").partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(DELIMITERS, key=first.count))
    try:
        return [(reader.line_num, row) for row in reader if any(value.strip() for value in row)]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}; save it as CSV") from error


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULAS) else text
