"""Split lists, one clip per line, as UCF101's: `Class/v_Class_g01_c01.avi 1`.

Further columns, such as a class number, a label or a count of frames, and a first line that names the columns
are passed over, and so are lines that begin with `#`, unless a clip has such a name.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from reelflow.contracts import Split
from reelflow.errors import DataError, ParamsError
from reelflow.params import SplitLists

CLASS_NUMBER = re.compile(r"[ \t,;]+\d+$")
COLUMN = re.compile(r"[ \t,;]+[^ \t,;]*$")
MOST_COLUMNS = 4  # beside the path
QUOTED = re.compile(r'"(.*)"')
HERE = "."
MAX_BYTES = 256 * 1024 * 1024


def read_lists(lists: SplitLists, paths: Iterable[str]) -> dict[str, Split]:
    """The split of every listed clip, by its path relative to the source.

    Args:
        lists: the files.
        paths: of the clips; a list may code their characters in another form of Unicode.

    Raises:
        ParamsError: a list cannot be read.
        DataError: a clip is in both lists, or a list is empty.
    """
    there = {normalize("NFC", path): path for path in paths}
    train, test = _read(lists.train, there), _read(lists.test, there)
    for file, listed in ((lists.train, train), (lists.test, test)):
        if not listed:
            raise DataError(f"{file} lists no clips")
    both = sorted(train & test)
    if both:
        raise DataError(f"{len(both)} clip(s) are in both {lists.train} and {lists.test}, such as {both[0]}")
    return {**dict.fromkeys(train, "train"), **dict.fromkeys(test, "test")}


def _read(file: str, there: Mapping[str, str]) -> set[str]:
    """Paths of a list, as the clips that are there have them."""
    path = Path(file)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ParamsError(f"dataset.split_lists: {file} is too large for a list of clips")
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise ParamsError(f"dataset.split_lists: {file}: {error.strerror}; name an existing list") from error
    except UnicodeDecodeError as error:
        raise ParamsError(f"dataset.split_lists: {file} is not UTF-8 text: save it as UTF-8") from error
    found = (_place(line.strip(), there, is_first=not number) for number, line in enumerate(lines))
    return set(found) - {HERE}


def _place(line: str, there: Mapping[str, str], *, is_first: bool) -> str:
    """The clip that a line names, also if it is not there; `HERE` if the line names none."""
    text = line
    for _ in range(1 + MOST_COLUMNS):
        if (path := _path(text)) in there:
            return there[path]
        text = COLUMN.sub("", text)
    is_header = is_first and not re.search(r"[/\\.]", line)
    return HERE if is_header or line.startswith("#") else _path(CLASS_NUMBER.sub("", line))


def _path(text: str) -> str:
    """A path below the clips' folder, however it is written; `HERE` for the folder itself and empty lines."""
    if quoted := QUOTED.fullmatch(text):
        text = quoted[1]
    return normalize("NFC", PurePosixPath(text.replace("\\", "/")).as_posix())
