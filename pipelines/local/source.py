"""What every driver on this machine refuses before it starts."""

from pathlib import Path

from reelflow.errors import ParamsError
from reelflow.files import exists
from reelflow.sources.address import is_remote
from reelflow.sources.dvc import may_be_tracked


def check_source(source: str, out: Path) -> None:
    """See that there may be clips, and that results will not mix with them.

    Raises:
        ParamsError: there are none, or the output folder lies among them.
    """
    if is_remote(source):
        return
    path = Path(source)
    if not exists(path) and not may_be_tracked(path):
        raise ParamsError(f"there is no {path}: name a folder of clips (--data)")
    if path.is_dir() and out.resolve().is_relative_to(path.resolve()):
        raise ParamsError(f"{out} lies in the clips' folder {path}: choose another output folder (--out)")
