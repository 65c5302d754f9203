"""Clips from elsewhere, kept on this disk: `files/` by what they are, `trees/` as a source lays them out.

A tree's files are links to `files/`, so that another version of a source brings only what it adds. Every
file is whole or absent; a tree that holds all of its source has a note, written last.
"""

import json
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar, Protocol

from reelflow.contracts import Report
from reelflow.errors import DataError, StorageError, disk_errors
from reelflow.files import TEMPORARY, atomic, link_file, locked, sha256_text
from reelflow.progress import track

MAX_FILES = 1_000_000
THREADS = 8


class SourceNote(Report):
    """`.source.json`: what was fetched.

    Attributes:
        source: as in params.
        revision: the commit, or DVC's hash; empty for S3.
        version: hash of the listing: names, sizes, and the hashes or ETags that the source knows.
    """

    file_name: ClassVar[str] = ".source.json"

    source: str
    revision: str
    version: str

    @property
    def key(self) -> str:
        """The name of its tree."""
        return sha256_text(self.to_json())[:32]


@dataclass(frozen=True)
class Entry:
    """A file of a source.

    Attributes:
        size_bytes: None where the source does not say.
        identity: equal ones stand for equal content.
    """

    size_bytes: int | None
    identity: str


class Origin(Protocol):
    """A source that is opened: what it holds right now.

    Attributes:
        revision: what it was opened at; empty where there is no such thing.
        entries: its files, by name.
        single: it is one file, no folder.
    """

    revision: str
    entries: Mapping[str, Entry]
    single: bool

    def get(self, name: str, path: Path) -> None:
        """Write a file to `path`, whole and verified, or raise a `ReelflowError`."""


def checked_entries(source: str, entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """The entries by name, hidden ones left out.

    Raises:
        DataError: there are none, too many, or a name leads out of the folder.
    """
    for name in entries:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name or path.as_posix() != name:
            raise DataError(f"{source} holds {name!r}, which is no path below a folder: rename it")
    shown = {name: entry for name, entry in entries.items() if not f"/{name}".count("/.")}
    if not shown:
        raise DataError(f"{source} holds no clips: expected {source}/<class>/<clip>")
    if len(shown) > MAX_FILES:
        raise DataError(f"{source} holds {len(shown)} files, more than {MAX_FILES}: name a part of it")
    return shown


def version_of(entries: Mapping[str, Entry]) -> str:
    """Hash of a listing."""
    rows = sorted([name, entry.size_bytes, entry.identity] for name, entry in entries.items())
    return sha256_text(json.dumps(rows))


class ClipCache:
    """The folder of all clips that were fetched. Several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def tree(self, note: SourceNote) -> Path:
        """Where a source's files lie once they are fetched."""
        return self._folder / "trees" / note.key

    def fetch(
        self, origin: Origin, note: SourceNote, entries: Mapping[str, Entry], *, whole: bool = False
    ) -> Path:
        """Bring the files that are not here yet, or go on where an earlier attempt was killed.

        Args:
            origin: where they come from.
            note: what the origin holds.
            entries: the files that are wanted.
            whole: they are all that the origin holds.

        Returns:
            The folder they lie in.

        Raises:
            ReelflowError: the source or the disk refuses.
        """
        tree = self.tree(note)
        with locked(tree.with_name(f".{note.key}.lock")), disk_errors(tree):
            if not (tree / note.file_name).is_file():
                for torn in tree.rglob(TEMPORARY):
                    torn.unlink()
                missing = {name: entry for name, entry in entries.items() if not (tree / name).is_file()}
                self._bring_all(origin, missing, tree)
                if whole:
                    note.save(tree)
        return tree

    def keep(self, note: SourceNote) -> Path:
        """The file of a note on clips that lie elsewhere on this disk."""
        folder = self._folder / "notes" / note.key
        note.save(folder)
        return folder / note.file_name

    def _bring_all(self, origin: Origin, missing: Mapping[str, Entry], tree: Path) -> None:
        self._check_room(missing)
        pool = ThreadPoolExecutor(THREADS)
        try:
            done = pool.map(lambda name: self._bring(origin, name, missing[name], tree), missing)
            for _ in track(done, len(missing), "files fetched"):
                pass
        finally:
            pool.shutdown(cancel_futures=True)

    def _bring(self, origin: Origin, name: str, entry: Entry, tree: Path) -> None:
        """Link a file that another tree has brought, or fetch it."""
        kept, target = self._kept(entry), tree / name
        if not _has_size(kept, entry):
            origin.get(name, target)
            if not _has_size(target, entry):
                target.unlink()
                raise StorageError(f"{name} changed while it was fetched: run the same command again")
            _link(target, kept)
        else:
            _link(kept, target)

    def _kept(self, entry: Entry) -> Path:
        name = sha256_text(f"{entry.identity}\0{entry.size_bytes}")
        return self._folder / "files" / name[:2] / name

    def _check_room(self, missing: Mapping[str, Entry]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._folder).free
        needed = sum(entry.size_bytes or 0 for entry in missing.values() if not self._kept(entry).is_file())
        if needed > free:
            raise StorageError(
                f"{self._folder} has {free / 1e6:.0f} MB free and the clips need {needed / 1e6:.0f} MB: free "
                "some space, or choose another folder by REELFLOW_CLIPS"
            )


def _has_size(path: Path, entry: Entry) -> bool:
    return path.is_file() and entry.size_bytes in (None, path.stat().st_size)


def _link(source: Path, target: Path) -> None:
    with atomic(target) as partial:
        link_file(source, partial)
