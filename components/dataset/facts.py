"""Facts of clips (size, duration, codec, ...) by content, shared with other runs and machines.

Clips are assigned to packs by their sha256: a new clip costs the decoding of one pack. Unusable clips
are not in a pack: every run finds their reason itself.
"""

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from reelflow.contracts import Sha256
from reelflow.documents import Document
from reelflow.errors import BundleError
from reelflow.files import sha256_readable, sha256_text, write_text
from reelflow.objectstore.shards import SharedShards
from reelflow.provenance.code import content_code
from reelflow.video.decode import VideoFacts
from reelflow.workers.cpus import granted_cpus

KIND = "facts"
FILE = "facts.json"
PACKS = 64


class Pack(Document):
    """`facts.json`: facts by the clip's sha256."""

    facts: dict[Sha256, dict[str, int | float | str | bool]]


def hash_clips(root: Path, paths: Iterable[str]) -> dict[str, Sha256]:
    """The sha256 of every clip that can be read, by its path."""
    names = list(paths)
    with ThreadPoolExecutor(granted_cpus()) as pool:
        found = dict(zip(names, pool.map(lambda path: sha256_readable(root / path), names), strict=True))
    return {path: sha256 for path, sha256 in found.items() if sha256}


class SharedFacts:
    """Facts of these clips in an object store."""

    def __init__(self, shared: SharedShards, clips: Iterable[Sha256]) -> None:
        self._shared = shared
        packs: dict[int, set[Sha256]] = {}
        for sha256 in clips:
            packs.setdefault(int(sha256[:8], 16) % PACKS, set()).add(sha256)
        self._missing = {_key(pack): pack for pack in packs.values()}

    def fetch(self) -> dict[Sha256, VideoFacts]:
        """Fetch the facts that other runs and machines have found.

        Raises:
            StorageError: the store refuses, or is not reachable.
        """
        with ThreadPoolExecutor(8) as pool:
            found = dict(zip(self._missing, pool.map(self._fetch, self._missing), strict=True))
        self._missing = {key: pack for key, pack in self._missing.items() if not found[key]}
        return {sha256: facts for pack in found.values() for sha256, facts in pack.items()}

    def publish(self, facts: Mapping[Sha256, VideoFacts]) -> None:
        """Publish the facts that the store does not have.

        Raises:
            StorageError: the store refuses, or is not reachable.
        """
        for key, clips in self._missing.items():
            pack = {sha256: asdict(facts[sha256]) for sha256 in clips if sha256 in facts}
            with TemporaryDirectory() as folder:
                write_text(Path(folder, FILE), Pack(facts=pack).to_json())
                if pack:
                    self._shared.publish(key, Path(folder), [FILE])

    def _fetch(self, key: Sha256) -> dict[Sha256, VideoFacts]:
        with TemporaryDirectory() as folder:
            if not self._shared.fetch(key, Path(folder), [FILE]):
                return {}
            try:
                pack = Pack.read(Path(folder, FILE))
                return {sha256: VideoFacts(**facts) for sha256, facts in pack.facts.items()}  # type: ignore[arg-type]
            except (BundleError, TypeError):
                return {}


def _key(clips: Iterable[Sha256]) -> Sha256:
    return sha256_text(json.dumps([made_by(), *sorted(clips)]))


def made_by() -> Sha256:
    """Hash of the code and the libraries that facts depend on."""
    return content_code("reelflow.video.decode", libraries=("av", "numpy"))
