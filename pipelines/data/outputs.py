"""Finished steps in folders of this machine: outputs of `make run` in `out`, and of DVC in `artifacts`."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from reelflow.contracts import DatasetReport, FeatureShard, FrameShard
from reelflow.documents import Report
from reelflow.files import files_below
from reelflow.params import DatasetParams
from reelflow.provenance.step import PROVENANCE, Provenance

DEFAULT_FOLDERS = (Path("artifacts"), Path("out"))
Found = TypeVar("Found", bound=Report)


def finished(folders: Iterable[Path], kind: type[Found]) -> Iterator[tuple[Path, Found]]:
    """Every finished step of this kind below the folders, oldest first.

    Raises:
        BundleError: a report is damaged.
    """
    paths = {path for folder in folders for path in files_below(folder) if path.name == kind.file_name}
    steps = [path.parent for path in paths if (path.parent / PROVENANCE).is_file()]
    for folder in sorted(steps, key=lambda step: ((step / PROVENANCE).stat().st_mtime, step)):
        yield folder, kind.open(folder)


def find_dataset(params: DatasetParams, folders: Iterable[Path]) -> Path | None:
    """The latest data set that was made with these params."""
    latest = None
    for folder, _ in finished(folders, DatasetReport):
        if Provenance.read(folder / PROVENANCE).params == params.of_one_task():
            latest = folder
    return latest


def kept_bytes(folder: Path, shards: Iterable[FrameShard | FeatureShard]) -> dict[str, int]:
    """Bytes of the existing shards, by sha256."""
    paths = ((shard.sha256, folder / shard.file) for shard in shards)
    return {sha256: path.stat().st_size for sha256, path in paths if path.is_file()}
