"""Lets DVC follow a folder of clips that has changed."""

import os
import subprocess
import sys
from pathlib import Path

from reelflow.errors import StorageError

TIMEOUT_S = 3600


def track_by_dvc(clips: Path) -> Path | None:
    """Let DVC follow the folder as it is now, if it followed it before; returns its file.

    Raises:
        StorageError: DVC refuses.
    """
    tracked = next(
        (one for one in (clips.absolute(), *list(clips.absolute().parents)[:-1]) if _dvc_file(one).is_file()),
        None,
    )
    if tracked is None:
        return None
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "add", "--quiet", tracked.name],
        cwd=tracked.parent,
        env=os.environ | {"DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        told = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise StorageError(f"the clips are copied, and dvc add {tracked} fails: {told}")
    return _dvc_file(tracked)


def _dvc_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.dvc")
