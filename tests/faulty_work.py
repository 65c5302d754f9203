"""What may happen to a clip in a worker process: run by name, in processes of its own."""

import os
import time

from reelflow.errors import ClipError, StorageError


def work(name: str) -> str:
    """Answer, refuse, hang, crash, or run into a full disk."""
    if name == "refuse":
        raise ClipError("refused")
    if name == "hang":
        time.sleep(600)
    if name == "crash":
        os.abort()
    if name == "full disk":
        raise StorageError("full")
    return name.upper()
