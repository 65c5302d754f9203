"""Checks of the clips' source before a run."""

from pathlib import Path

from reelflow.errors import ParamsError
from reelflow.files import exists
from reelflow.sources.address import is_remote
from reelflow.sources.dvc import may_be_tracked


def check_source(source: str, out: Path) -> None:
    """Check that the source exists and that the output folder is outside of it.

    Raises:
        ParamsError: the source does not exist, or contains the output folder.
    """
    if is_remote(source):
        return
    path = Path(source)
    if not exists(path) and not may_be_tracked(path):
        raise ParamsError(f"there is no {path}: name a folder of clips (--data)")
    if path.is_dir() and out.resolve().is_relative_to(path.resolve()):
        raise ParamsError(
            f"{out} is inside the folder of the clips, {path}: choose another output folder (--out)"
        )
