"""Lets DVC follow clips that have changed, where it followed them before."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from reelflow.errors import DataError, StorageError, some_of
from reelflow.progress import emit
from reelflow.sources.dvc import may_be_tracked

MOST_TOLD = 3


def check_followed(clips: Path) -> None:
    """Check that a later `dvc add` adds to what DVC follows, and forgets nothing.

    Raises:
        DataError: clips that DVC follows are not there, or the folder is an output of a stage.
        StorageError: DVC refuses.
    """
    clips = clips.resolve()
    followed = [*filter(None, [_followed(clips)]), *_followed_below(clips)]
    if not followed and may_be_tracked(clips):
        raise DataError(
            f"{clips} is an output of a DVC stage, which would overwrite it: take the clips into the folder "
            "that the stage reads"
        )
    for place in followed:
        _check_whole(place)


def _check_whole(place: Path) -> None:
    """Check that everything is there that DVC follows at a place; more may be there."""
    told = json.loads(_dvc(place.parent, "data", "status", "--granular", "--json") or "{}")
    found = told.get("uncommitted", {})
    below = os.path.relpath(place, _root(place))

    def those(kind: str) -> list[str]:
        return [name for name in found.get(kind, ()) if Path(name).is_relative_to(below)]

    if gone := those("deleted"):
        raise DataError(
            f"{place} lacks files that DVC tracks: {some_of(gone, MOST_TOLD)}: run dvc checkout "
            "or dvc pull; if they were removed on purpose, run dvc add first"
        )
    if those("unknown"):
        raise DataError(
            f"{place} differs from the version that DVC tracks, whose list is not in DVC's cache here: "
            "dvc pull, and run the same command again"
        )


def follow(places: Iterable[Path]) -> list[Path]:
    """Let DVC follow folders and files as they are now, those that it followed before; returns its files.

    Args:
        places: what has changed.

    Raises:
        StorageError: DVC refuses.
    """
    followed = sorted({found for place in places if (found := _followed(place.resolve()))})
    for place in followed:
        emit("notice", message=f"dvc add {place}")
        try:
            _dvc(place.parent, "add", "--quiet", "--", place.name)
        except StorageError as error:
            raise StorageError(f"the clips are copied, and {error}; run the same command again") from error
    return [_dvc_file(place) for place in followed]


def _followed(place: Path) -> Path | None:
    """The path that DVC tracks: this one, or a folder above it in the same repository."""
    for one in (place, *list(place.parents)[:-1]):
        if _dvc_file(one).is_file():
            return one
        if (one / ".dvc").is_dir():
            return None
    return None


def _followed_below(clips: Path) -> list[Path]:
    """Folders of classes that DVC follows each on its own."""
    return [file.with_suffix("") for file in sorted(clips.glob("*.dvc")) if file.is_file()]


def _root(place: Path) -> Path:
    """The repository of DVC around a path."""
    return next((one for one in place.parents if (one / ".dvc").is_dir()), place.parent)


def _dvc(folder: Path, *arguments: str) -> str:
    """Run DVC's own command; returns its output.

    Raises:
        StorageError: it refuses.
    """
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=folder,
        env=os.environ | {"DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        told = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise StorageError(f"dvc {' '.join(arguments)} fails in {folder}: {told}")
    return done.stdout


def _dvc_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.dvc")
