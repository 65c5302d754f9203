"""Split lists, one clip per line, as UCF101's: `Class/v_Class_g01_c01.avi 1`."""

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from reelflow.contracts import Split
from reelflow.errors import DataError, ParamsError
from reelflow.params import SplitLists

CLASS_NUMBER = re.compile(r"[ \t,;]+\d+$")
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
    train, test = _read(lists.train), _read(lists.test)
    for file, listed in ((lists.train, train), (lists.test, test)):
        if not listed:
            raise DataError(f"{file} lists no clips")
    both = sorted(train & test)
    if both:
        raise DataError(f"{len(both)} clip(s) are in both {lists.train} and {lists.test}, such as {both[0]}")
    given: dict[str, Split] = {**dict.fromkeys(train, "train"), **dict.fromkeys(test, "test")}
    there = {normalize("NFC", path): path for path in paths}
    return {there.get(path, path): split for path, split in given.items()}


def _read(file: str) -> set[str]:
    """Paths of a list; the class number that UCF101 puts after them in train lists is dropped."""
    path = Path(file)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ParamsError(f"dataset.split_lists: {file} is too large for a list of clips")
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise ParamsError(f"dataset.split_lists: {file}: {error.strerror}; name an existing list") from error
    except UnicodeDecodeError as error:
        raise ParamsError(f"dataset.split_lists: {file} is not UTF-8 text") from error
    return {_path(line.strip()) for line in lines} - {HERE}


def _path(line: str) -> str:
    """A path below the clips' folder, however it is written; `HERE` for the folder itself and empty lines."""
    text = CLASS_NUMBER.sub("", line)
    if quoted := QUOTED.fullmatch(text):
        text = quoted[1]
    return normalize("NFC", PurePosixPath(text.replace("\\", "/")).as_posix())
