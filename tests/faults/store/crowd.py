"""Writers and readers of the same shards at once, in processes of their own; writers are killed.

`python -m tests.faults.store.crowd ADDRESS ROUNDS SEED` prints what was counted, as JSON. In each round
two writers publish the same shards and two readers fetch them, over and over. The writers are killed at
random moments; another one then finishes, as a run does that is started again.
"""

import hashlib
import json
import multiprocessing
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory

from reelflow.files import write_bytes, write_text
from reelflow.objectstore.client import TransferPolicy
from reelflow.objectstore.directory import DirectoryStore
from reelflow.objectstore.interface import ObjectStore
from reelflow.objectstore.s3 import S3Store
from reelflow.objectstore.shards import Listing, SharedShards
from reelflow.settings import Settings

KIND = "features"
NAMES = ("shard.npy", "shard.json")
SHARDS = 6
PART_BYTES = 100_000
KILLED_WITHIN_S = 0.1
FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Crowd:
    """The shards of one round, and where they are kept."""

    address: str
    round: int

    def store(self) -> ObjectStore:
        if not self.address.startswith("s3://"):
            return DirectoryStore(Path(self.address))
        bucket, _, prefix = self.address.removeprefix("s3://").partition("/")
        return S3Store(bucket, prefix, Settings(), policy=TransferPolicy(part_bytes=PART_BYTES))

    @property
    def keys(self) -> list[str]:
        return [hashlib.sha256(f"{self.round} {number}".encode()).hexdigest() for number in range(SHARDS)]


def content_of(key: str, writer: int) -> bytes:
    """Half of the shards have other bytes from each writer, and half of each are uploaded in parts."""
    number = int(key, 16)
    start = f"{key} {writer if number % 2 else ''} ".encode()
    return start.ljust(PART_BYTES * 3 if number % 4 < 2 else 5000, b".")


def write(crowd: Crowd, store: ObjectStore, writer: int) -> None:
    """Publish every shard, in an order of one's own."""
    shards, keys = SharedShards(store, KIND), crowd.keys
    random.Random(writer).shuffle(keys)
    with TemporaryDirectory() as temporary:
        for key in keys:
            content = content_of(key, writer)
            write_bytes(Path(temporary, NAMES[0]), content)
            write_text(Path(temporary, NAMES[1]), hashlib.sha256(content).hexdigest())
            shards.publish(key, Path(temporary), NAMES)


def read(crowd: Crowd, store: ObjectStore, counts: Path) -> None:
    """Fetch every shard over and over, until the counts are asked for."""
    shards, counted, keys = SharedShards(store, KIND), Counter[str](), crowd.keys
    while not counts.exists():
        for key in keys:
            counted[look(shards, key)] += 1
        time.sleep(0.002)
    counts.with_name(f"{counts.name}-{os.getpid()}").write_text(json.dumps(counted))


def look(shards: SharedShards, key: str) -> str:
    """What a reader finds of a shard."""
    with TemporaryDirectory() as temporary:
        if not shards.fetch(key, Path(temporary), NAMES):
            return "absent"
        content, note = (Path(temporary, name).read_bytes() for name in NAMES)
        own = content.startswith(key.encode()) and hashlib.sha256(content).hexdigest() == note.decode()
        return "whole" if own else "broken"


def start(work: Callable[..., None], *arguments: object) -> BaseProcess:
    process = FORK.Process(target=work, args=arguments)
    process.start()
    return process


def play(crowd: Crowd, chance: random.Random) -> Counter[str]:
    """One round."""
    counted, store = Counter[str](), crowd.store()
    with TemporaryDirectory() as temporary:
        counts = Path(temporary, "counts")
        readers = [start(read, crowd, store, counts) for _ in range(2)]
        writers = [start(write, crowd, store, writer) for writer in (1, 2)]
        for writer in writers:
            time.sleep(chance.uniform(0, KILLED_WITHIN_S))
            writer.kill()
            writer.join()
            counted["killed" if writer.exitcode else "finished"] += 1
        start(write, crowd, store, 3).join()
        counts.touch()
        for reader in readers:
            reader.join()
        for file in counts.parent.glob("counts-*"):
            counted.update(json.loads(file.read_text()))
        counted["readers"] = sum(reader.exitcode == 0 for reader in readers)
    return counted + audit(crowd)


def audit(crowd: Crowd) -> Counter[str]:
    """What is in the store when all is done."""
    store, counted = crowd.store(), Counter[str]()
    names = {one.name for one in store.list()}
    with TemporaryDirectory() as temporary:
        path, listed = Path(temporary, "object"), set()
        for key in crowd.keys:
            store.get(f"{KIND}/{key}.json", path)
            listed |= {f"{KIND}/files/{sha256}" for sha256 in Listing.read(path).files.values()}
        for name in names:
            if "/files/" in name:
                whole = store.get(name, path, sha256=Path(name).name)
                counted[("listed" if name in listed else "orphans") if whole else "torn"] += 1
        counted["missing"] = len(listed - names)
    return counted


def main(address: str, rounds: int, seed: int) -> None:
    chance, counted = random.Random(seed), Counter[str]()
    for number in range(rounds):
        where = f"{address.rstrip('/')}/round-{seed}-{number}"
        counted += play(Crowd(where, number), chance)
    zeros = dict.fromkeys(("broken", "torn", "missing", "orphans"), 0)
    sys.stdout.write(json.dumps({**zeros, **counted}, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
