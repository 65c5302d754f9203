"""Opens sources of clips: a path, DVC, a git repository, or S3.

Remote clips are fetched into a cache that outlives the run. The version of a source is known before
the first fetch.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from reelflow.contracts import Clip, DatasetReport
from reelflow.errors import DataError
from reelflow.files import exists, fingerprint
from reelflow.settings import Settings
from reelflow.sources.address import GitPath, LocalPath, S3Prefix, is_remote, parse_source
from reelflow.sources.cache import (
    ClipCache,
    ClipSource,
    Entry,
    SourceNote,
    checked_entries,
    version_of,
)
from reelflow.sources.content import content_hash


@dataclass(frozen=True)
class Opened:
    """An opened source.

    Attributes:
        here: the workspace has exactly this version.
    """

    origin: ClipSource
    entries: Mapping[str, Entry]
    note: SourceNote
    here: bool


@dataclass(frozen=True)
class SourceFiles:
    """The files of a source, of which at most one was fetched.

    Attributes:
        folder: holds that file, if there is one.
        names: of the files; None if all of them are in `folder`.
    """

    folder: Path
    names: tuple[str, ...] | None = None


@contextmanager
def fetched(source: str, settings: Settings, expected: str = "") -> Iterator[Mapping[str, Path]]:
    """The inputs of the dataset step: the clips' folder or recipe, and the note on it if it has one.

    Args:
        source: as in params.
        settings: name the cache of clips, and the server of `s3://`.
        expected: the version that the clips must have, if it matters.

    Raises:
        ReelflowError: the clips do not exist, have changed, or cannot be fetched.
    """
    with _opened(source, settings) as found:
        if expected and _version(source, found) != expected:
            raise DataError(f"{source} has changed since this run began: run it again")
        given = _bring(found, ClipCache(settings.clips)) if found else {"source": Path(source)}
    yield given


def data_version(source: str, settings: Settings) -> str:
    """Version of the clips, without fetching them.

    Raises:
        ReelflowError: the clips do not exist, or cannot be reached.
    """
    with _opened(source, settings) as found:
        return _version(source, found)


def content_version(source: str, settings: Settings) -> str:
    """Like `data_version`, but equal on every machine: clips of a plain folder are hashed.

    Raises:
        ReelflowError: the clips do not exist, or cannot be reached.
    """
    with _opened(source, settings) as found:
        if not found and Path(source).is_dir():
            return content_hash(Path(source), settings)
        return _version(source, found)


def list_files(source: str, settings: Settings, wanted: str) -> SourceFiles:
    """List the files of a source; of a remote one, only the file `wanted` is fetched.

    Raises:
        ReelflowError: the clips do not exist or cannot be reached.
    """
    with _opened(source, settings) as found:
        if found is None or found.here:
            return SourceFiles(Path(source))
        entries = {name: entry for name, entry in found.entries.items() if name == wanted}
        folder = ClipCache(settings.clips).fetch(found.origin, found.note, entries)
        return SourceFiles(folder, tuple(found.entries))


def bring_clips(report: DatasetReport, dataset: Path, clips: Sequence[Clip], settings: Settings) -> Path:
    """The root folder of these clips of a data set; missing ones are fetched, and no others.

    Args:
        report: of the data set.
        dataset: its folder.
        clips: the needed clips.
        settings: name the cache of clips, and the server of `s3://`.

    Raises:
        ReelflowError: the source has changed, or the clips cannot be fetched.
    """
    root = report.clips_root(dataset)
    if not clips or not (report.revision or is_remote(report.source)):
        return root
    cache, note = ClipCache(settings.clips), SourceNote.on(report)
    names = [clip.path for clip in clips]
    if tree := cache.find(note, names):
        return tree
    with _opened(report.source, settings, report.revision) as found:
        if found is None or found.here:
            return root
        if found.note.version != report.version:
            raise DataError(f"{report.source} has changed since the dataset step: run that step again")
        return cache.fetch(found.origin, note, {name: found.entries[name] for name in names})


def _bring(found: Opened, cache: ClipCache) -> dict[str, Path]:
    if found.here:
        return {"source": Path(found.note.source), "note": cache.keep(found.note)}
    tree = cache.fetch(found.origin, found.note, found.entries, whole=True)
    path = tree / next(iter(found.entries)) if found.origin.single else tree
    return {"source": path, "note": tree / SourceNote.file_name}


def _version(source: str, found: Opened | None) -> str:
    if found:
        return found.note.version
    if not exists(Path(source)):
        raise DataError(f"there is no {source}: name a folder of clips (--data)")
    return fingerprint(Path(source))


@contextmanager
def _opened(source: str, settings: Settings, revision: str = "") -> Iterator[Opened | None]:
    """Open a source, at `revision` if given; None for a path without DVC."""
    with ExitStack() as stack:
        origin, here = _open(source, settings, revision, stack)
        if origin is None:
            yield None
            return
        entries = checked_entries(source, origin.entries)
        note = SourceNote(source=source, revision=origin.revision, version=version_of(entries))
        yield Opened(origin, entries, note, here)


def _open(source: str, settings: Settings, revision: str, stack: ExitStack) -> tuple[ClipSource | None, bool]:
    """The origin, and whether its content is here already."""
    match parse_source(source):
        case S3Prefix() as address:
            from reelflow.sources.s3 import S3Origin

            return S3Origin(address, settings), False
        case GitPath() as address:
            from reelflow.sources.dvc import open_git

            address = replace(address, revision=revision or address.revision)
            return stack.enter_context(open_git(source, address, settings)), False
        case LocalPath(path):
            from reelflow.sources.dvc import may_be_tracked, open_tracked

            if may_be_tracked(path):
                return stack.enter_context(open_tracked(path, settings))
            return None, False
