"""What a file that is no clip holds instead, by its first bytes."""

import os
from pathlib import Path

FIRST_BYTES = 512
STARTS = {
    b"version https://git-lfs.github.com/spec/": "it is a Git LFS pointer, not the clip: run git lfs pull",
    b"<!doctype html": "it is a web page, not a clip: download the clip again",
    b"<html": "it is a web page, not a clip: download the clip again",
    b"<?xml": "it is an XML document, not a clip: download the clip again",
    b"#extm3u": "it is a playlist, not a clip: download the clip itself",
    b"outs:": "it is a pointer of DVC, not the clip: run dvc pull",
    b"pk\x03\x04": "it is a ZIP archive, not a clip: unpack it",
    b"rar!": "it is a RAR archive, not a clip: unpack it",
}


def reason_by_content(path: Path) -> str:
    """The reason why a file is no clip; empty if its content does not tell.

    Args:
        path: of a file that does not decode.
    """
    if not os.path.isfile(path):  # noqa: PTH113
        return ""
    if not os.access(path, os.R_OK):
        return "permission denied: give this user the right to read it"
    try:
        with path.open("rb") as file:
            start = file.read(FIRST_BYTES)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    if start and not any(start):
        return "it begins with zeros: the copy or download was not finished"
    words = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return next((reason for begin, reason in STARTS.items() if words.startswith(begin)), "")
