"""Content hash of a folder, equal on every machine; unchanged files are read once."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from reelflow.files import is_readable, sha256_readable, sha256_text, walk_links, write_text
from reelflow.progress import track
from reelflow.settings import Settings
from reelflow.workers.cpus import granted_cpus

Row = list[int | str]  # size, time of change, sha256


def content_hash(folder: Path, settings: Settings) -> str:
    """Hash of the names and contents of all files below a folder that can be read, without hidden ones.

    Raises:
        StorageError: the hashes cannot be cached.
    """
    name = sha256_text(str(folder.absolute()))[:16]
    memo = settings.clips / "hashes" / f"{name}.json"
    known = _read(memo)
    stats = {path: _stat(folder / path) for path in _files(folder)}
    missing = [path for path, stat in stats.items() if known.get(path, [])[:2] != stat]
    with ThreadPoolExecutor(granted_cpus()) as pool:
        read = pool.map(lambda path: sha256_readable(folder / path), missing)
        fresh = dict(zip(missing, track(read, len(missing), "files hashed"), strict=True))
    hashes = {path: fresh[path] if path in fresh else known[path][2] for path in stats}
    rows = {path: [*stat, hashes[path]] for path, stat in stats.items() if hashes[path]}
    if rows != known:
        write_text(memo, json.dumps(rows))
    return sha256_text(json.dumps(sorted([path, row[2]] for path, row in rows.items())))


def _files(folder: Path) -> Iterator[str]:
    for place, folders, names in walk_links(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and is_readable(place / name):
                yield os.path.relpath(place / name, folder)


def _stat(path: Path) -> Row:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _read(memo: Path) -> dict[str, Row]:
    with suppress(OSError, ValueError):
        found: dict[str, Row] = json.loads(memo.read_text(encoding="utf-8"))
        return found
    return {}
