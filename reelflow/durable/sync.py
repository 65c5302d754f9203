"""Brings what was written to the disk itself: until then a power cut may undo it, in any order."""

import errno
import os
from pathlib import Path

UNABLE = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
"""What file systems answer that cannot sync a folder: fsync(2), and network file systems."""


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a file that was renamed into it keeps its new name.

    Raises:
        OSError: the disk failed.
    """
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in UNABLE:
            raise
    finally:
        os.close(opened)


def sync_file(path: Path) -> None:
    """Make the content of a file durable, but not its name.

    Raises:
        OSError: the disk failed.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_tree(folder: Path) -> None:
    """Make a folder durable with all that is below it; links are names, and are not followed.

    Raises:
        OSError: the disk failed.
    """
    for place, _, names in os.walk(folder, topdown=False):
        for path in (Path(place, name) for name in names):
            if path.is_file() and not path.is_symlink():
                sync_file(path)
        sync_folder(Path(place))
