"""What every driver on this machine refuses before it starts."""

from pathlib import Path

from reelflow.errors import ParamsError
from reelflow.files import exists


def check_source(source: Path, out: Path) -> None:
    """See that there are clips, and that results will not mix with them.

    Raises:
        ParamsError: there are none, or the output folder lies among them.
    """
    if not exists(source):
        raise ParamsError(f"there is no {source}: name a folder of clips (--data)")
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise ParamsError(f"{out} lies in the clips' folder {source}: choose another output folder (--out)")
