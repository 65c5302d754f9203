"""Cache of fetched clips: `files/` by content, `trees/` in the layout of their source.

A tree's files are links to `files/`, so that another version of a source brings only what it adds. Files
appear atomically; a tree with all files of its source has a note, written last.
"""

import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar, Protocol, Self

from reelflow.contracts import DatasetReport
from reelflow.documents import Report
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

    @classmethod
    def on(cls, report: DatasetReport) -> Self:
        """The note on the clips of a data set."""
        return cls(source=report.source, revision=report.revision, version=report.version)

    @property
    def key(self) -> str:
        """The name of its tree."""
        return sha256_text(self.to_json())[:32]


@dataclass(frozen=True)
class Entry:
    """A file of a source.

    Attributes:
        size_bytes: None if the source does not know it.
        identity: equal identities mean equal content.
    """

    size_bytes: int | None
    identity: str


class ClipSource(Protocol):
    """An opened source with its current content.

    Attributes:
        revision: the opened revision; empty if the source has none.
        entries: its files, by name.
        single: it is a single file.
    """

    revision: str
    entries: Mapping[str, Entry]
    single: bool

    def get(self, name: str, path: Path) -> None:
        """Write a verified file to `path` atomically, or raise a `ReelflowError`."""


@dataclass(frozen=True)
class Tree:
    """The cached files of a source.

    Attributes:
        key: of its note.
        used: when a run last asked for it, in seconds since the epoch.
        files: bytes by inode; files shared by several trees have the same inode.
    """

    key: str
    used: float
    files: Mapping[int, int]


def checked_entries(source: str, entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """The entries by name, hidden ones left out.

    Raises:
        DataError: there are none, too many, or a name is outside of the folder or also a folder.
    """
    for name in entries:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name or path.as_posix() != name:
            raise DataError(f"{source} holds {name!r}, which is not a relative path: rename it")
    shown = {name: entry for name, entry in entries.items() if not f"/{name}".count("/.")}
    if not shown:
        raise DataError(f"{source} holds no clips: expected {source}/<class>/<clip>")
    if len(shown) > MAX_FILES:
        raise DataError(f"{source} holds {len(shown)} files, more than {MAX_FILES}: name a part of it")
    folders = {parent.as_posix() for name in shown for parent in PurePosixPath(name).parents}
    if clash := sorted(folders & shown.keys()):
        raise DataError(f"{source} holds {clash[0]!r} as a file and as a folder: rename one")
    return shown


def version_of(entries: Mapping[str, Entry]) -> str:
    """Hash of a listing."""
    rows = sorted([name, entry.size_bytes, entry.identity] for name, entry in entries.items())
    return sha256_text(json.dumps(rows))


class ClipCache:
    """The cache folder. Safe for several processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def tree(self, note: SourceNote) -> Path:
        """Folder of a source's files."""
        return self._folder / "trees" / note.key

    def fetch(
        self, origin: ClipSource, note: SourceNote, entries: Mapping[str, Entry], *, whole: bool = False
    ) -> Path:
        """Fetch the missing files; resumes a killed attempt.

        Args:
            origin: the source.
            note: the version of the source.
            entries: the files to fetch.
            whole: these are all files of the source.

        Returns:
            Their folder.

        Raises:
            ReelflowError: the source or the disk refuses.
        """
        tree = self.tree(note)
        with self._locked(note.key, f"another fetch of {note.source}"), disk_errors(tree):
            tree.mkdir(parents=True, exist_ok=True)
            os.utime(tree)
            if not (tree / note.file_name).is_file():
                for leftover in tree.rglob(TEMPORARY):
                    leftover.unlink()
                missing = {name: entry for name, entry in entries.items() if not (tree / name).is_file()}
                self._bring_all(origin, missing, tree)
                os.utime(tree)  # `data gc` may have looked meanwhile
                if whole:
                    note.save(tree)
        return tree

    def find(self, note: SourceNote, names: Iterable[str]) -> Path | None:
        """The folder of a source if it has these files."""
        tree = self.tree(note)
        if not all((tree / name).is_file() for name in names):
            return None
        with suppress(OSError):  # the cache may be read-only here
            os.utime(tree)
        return tree

    def keep(self, note: SourceNote) -> Path:
        """Keep the note on clips outside of the cache; returns its file."""
        folder = self._folder / "notes" / note.key
        note.save(folder)
        return folder / note.file_name

    def trees(self) -> list[Tree]:
        """What is kept of each source."""
        return [_tree(path) for path in sorted(self._folder.glob("trees/[!.]*")) if path.is_dir()]

    def files(self) -> Iterator[tuple[Path, os.stat_result]]:
        """The files that trees are linked to."""
        return _files(self._folder.glob("files/*/[!.]*"))

    def remove(self, tree: Tree) -> bool:
        """Remove a tree unless a run has used it since; the next run fetches it again."""
        folder = self._folder / "trees" / tree.key
        with self._locked(tree.key, "a fetch of these clips"), disk_errors(folder):
            if not folder.is_dir() or folder.stat().st_mtime > tree.used:
                return False
            (folder / SourceNote.file_name).unlink(
                missing_ok=True
            )  # first: a tree without a note is incomplete
            shutil.rmtree(folder)
        return True

    def _locked(self, key: str, holder: str) -> AbstractContextManager[None]:
        return locked(self._folder / "trees" / f".{key}.lock", holder)

    def _bring_all(self, origin: ClipSource, missing: Mapping[str, Entry], tree: Path) -> None:
        self._check_room(missing)
        pool = ThreadPoolExecutor(THREADS)
        try:
            done = pool.map(lambda name: self._bring(origin, name, missing[name], tree), missing)
            for _ in track(done, len(missing), "files fetched"):
                pass
        finally:
            pool.shutdown(cancel_futures=True)

    def _bring(self, origin: ClipSource, name: str, entry: Entry, tree: Path) -> None:
        """Link a file of another tree, or fetch it."""
        kept, target = self._kept(entry), tree / name
        if _has_size(kept, entry):
            with suppress(FileNotFoundError):  # `data gc` may remove it at this moment
                _link(kept, target)
                return
        origin.get(name, target)
        if not _has_size(target, entry):
            target.unlink()
            raise StorageError(f"{name} changed while it was fetched: run the same command again")
        _link(target, kept)

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


def _tree(folder: Path) -> Tree:
    used = folder.stat().st_mtime
    return Tree(folder.name, used, {one.st_ino: one.st_size for _, one in _files(folder.rglob("[!.]*"))})


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    for path in paths:
        with suppress(FileNotFoundError):  # others fetch meanwhile
            if stat.S_ISREG((found := path.stat()).st_mode):
                yield path, found


def _has_size(path: Path, entry: Entry) -> bool:
    return path.is_file() and entry.size_bytes in (None, path.stat().st_size)


def _link(source: Path, target: Path) -> None:
    with atomic(target) as partial:
        link_file(source, partial)
