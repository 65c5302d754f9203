"""Every fault of a server, on every kind of request: got over, or told, and nothing half is left."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from reelflow.errors import StorageError
from reelflow.files import sha256_file
from reelflow.objectstore.interface import ObjectStore, Stored
from tests.faults.store import proxy as faults
from tests.faults.store.conftest import CALM, PART_BYTES, Place
from tests.s3_server import SECRET_KEY

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

ANY = (faults.busy, faults.broken, faults.reset, faults.reset_when_done)
READ = (*ANY, faults.throttled, faults.truncate, faults.stall, faults.stall_half_way)
SENT = (*ANY, faults.cut_sent, faults.stall, faults.stall_when_done, faults.flip_sent)
TABLE = {
    "get": (*READ, faults.flip, faults.flip_anywhere),
    "head": (*ANY, faults.stall),
    "list": (*READ, faults.garble, faults.other),
    "delete": (*ANY, faults.stall),
    "put": (*SENT, faults.throttled),
    "create": (*ANY, faults.garble, faults.stall),
    "part": SENT,
    "complete": (*ANY, faults.stall, faults.stall_when_done),
}
MUTE = (faults.stall, faults.stall_half_way, faults.stall_when_done)
QUICK = [("get", faults.stall_half_way), ("put", faults.stall_when_done)]
"""Of the cases that wait for a server that sends nothing, those in the ordinary tests."""
LIKE_BUSY = (faults.broken, faults.throttled, faults.flip_anywhere)
"""Faults that are got over in the way of another one, which is in the ordinary tests."""


def cases(*busy: str) -> list[object]:
    """Every fault on every kind of request; most of them only in the slow tests.

    Args:
        busy: kinds whose busy servers are in the ordinary tests, beside those of `get` and `put`.
    """

    def is_slow(kind: str, fault: faults.Fault) -> bool:
        other_kind = kind not in ("get", "put") and (fault is not faults.busy or kind not in busy)
        return (kind, fault) not in QUICK and (other_kind or fault in (*MUTE, *LIKE_BUSY))

    return [
        pytest.param(
            *(kind, fault),
            id=f"{kind}-{fault.__name__}",
            marks=[pytest.mark.slow] if is_slow(kind, fault) else [],
        )
        for kind in TABLE
        for fault in TABLE[kind]
    ]


@dataclass(frozen=True)
class Work:
    """What is asked of a store, and whether it has been done, as another reader sees it."""

    do: Callable[[ObjectStore], object]
    done: Callable[[ObjectStore], bool]


def work_of(kind: str, place: Place, folder: Path) -> Work:
    """Work that sends a request of a kind; what it needs is there."""
    small, large, back, name = folder / "small", folder / "large", folder / "back", folder.name
    small.write_bytes(os.urandom(PART_BYTES // 2))
    large.write_bytes(os.urandom(PART_BYTES * 5 // 2))
    digest = sha256_file(small)
    if kind in ("create", "part", "complete"):
        return Work(lambda store: store.put_new(name, large), lambda store: holds(store, name, large))
    if kind in ("put", "head"):
        return Work(lambda store: store.put_new(name, small), lambda store: holds(store, name, small))
    place.beside.put_new(name, small)
    if kind == "get":
        return Work(lambda store: store.get(name, back, sha256=digest), lambda _: sha256_file(back) == digest)
    if kind == "delete":
        return Work(lambda store: store.delete(name), lambda store: store.size_of(name) is None)
    listed = [Stored(name, PART_BYTES // 2)]
    return Work(lambda store: list(store.list(name)), lambda store: list(store.list(name)) == listed)


def holds(store: ObjectStore, name: str, path: Path) -> bool:
    """Whether the store gives back the content of a file."""
    given = path.with_name("given")
    return store.get(name, given, sha256=sha256_file(path)) and given.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("kind", "fault"), cases(*TABLE))
def test_what_passes_is_got_over(place, tmp_path, kind, fault):
    work = work_of(kind, place, tmp_path)
    place.proxy.spoil(kind, fault, times=1)
    work.do(place.hasty if fault in MUTE else place.calm)
    assert work.done(place.beside)
    assert sum(place.proxy.seen.values()) > 1


@pytest.mark.parametrize(("kind", "fault"), cases("part"))
def test_what_stays_is_told_and_a_later_attempt_succeeds(place, tmp_path, kind, fault):
    work = work_of(kind, place, tmp_path)
    before, name = set(tmp_path.iterdir()), tmp_path.name
    store = place.hasty if fault in MUTE else place.calm
    place.proxy.spoil(kind, fault)
    with pytest.raises(StorageError, match=f"s3://bucket/shared/{name}: .*run the same command") as told:
        work.do(store)
    assert SECRET_KEY not in str(told.value)
    assert place.proxy.seen[kind] == CALM.attempts
    assert set(tmp_path.iterdir()) == before
    place.proxy.heal()
    if fault is faults.flip:
        place.beside.put_new(name, tmp_path / "small")  # taken for an object that is damaged in the store
    work.do(place.calm)
    assert work.done(place.beside)
