"""A separate temporary folder per run: kfp, DVC, MLflow and TensorFlow leave files behind.

It is in the system's temporary folder: names of sockets must be short, and the disk of the results may be
slow, or may not support sockets.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.util import get_temp_dir
from pathlib import Path

from reelflow.errors import StorageError


@contextmanager
def own_temporary() -> Iterator[Path]:
    """Give this process, and all that it starts, a temporary folder that goes with the block.

    Raises:
        StorageError: there is no place for one.
    """
    try:
        get_temp_dir()  # multiprocessing keeps one folder until this process ends: not within ours
        made = tempfile.TemporaryDirectory(prefix="reelflow-", ignore_cleanup_errors=True)
    except OSError as error:
        raise StorageError(
            f"cannot create a temporary folder ({error}): free some space, or set TMPDIR to another folder"
        ) from None
    with made as folder:
        tempfile.tempdir = os.environ["TMPDIR"] = folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = os.environ["TMPDIR"] = str(Path(folder).parent)
