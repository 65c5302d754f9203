"""`data push`, `pull`, `status` and `gc` behind faults: done, or told; nothing half, and nothing twice."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.data.catalog import read_catalog
from reelflow.artifacts.frames import index_path
from reelflow.files import sha256_text
from reelflow.objectstore.directory import DirectoryStore
from reelflow.objectstore.interface import ObjectStore
from reelflow.objectstore.s3 import S3Store
from reelflow.objectstore.shards import SharedShards
from reelflow.provenance.step import PROVENANCE
from reelflow.settings import Settings
from tests.fake_frames import write_frames
from tests.faults.store import proxy as faults
from tests.faults.store.commands import Done, account, cases, check_done, check_told, served, spoiled
from tests.faults.store.conftest import CALM, PART_BYTES, Place
from tests.s3_server import BUCKET
from tests.shard_stores import fetch, publish
from tests.workplace import Workplace

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
SHARDS = {
    key: {"shard.tar": f"{key} tar " * (PART_BYTES // 4), "shard.json": f"{key} index " * (PART_BYTES // 16)}
    for key in "abc"
}
FILES = 6
LISTED, FETCHED = ("list", faults.busy), ("get", faults.truncate)
SENT = [
    *(("head", faults.broken), ("put", faults.flip_sent), ("create", faults.garble)),
    *(("part", faults.cut_sent), ("complete", faults.reset_when_done)),
]
MUTE = ("get", faults.stall_half_way)
DELETED = ("delete", faults.busy)
STAYS, PASSES = True, False


@dataclass(frozen=True)
class Pair:
    """A store on this disk, and one in S3 behind a proxy."""

    place: Place
    folder: Path

    @property
    def here(self) -> DirectoryStore:
        return DirectoryStore(self.folder / "here")

    @property
    def remote(self) -> str:
        return f"s3://{BUCKET}/pairs/{self.folder.name}"

    @property
    def beside(self) -> S3Store:
        """The store in S3, past the proxy."""
        settings = Settings(s3_endpoint=f"http://{self.place.proxy.behind}")
        return S3Store(BUCKET, f"pairs/{self.folder.name}", settings, policy=CALM)

    def data(self, fault: faults.Fault, *arguments: str | Path, store: str = "") -> Done:
        command = ("pipelines", "data", *arguments)
        store = store or str(self.folder / "here")
        return spoiled(self.place.proxy, fault, self.folder, *command, REELFLOW_STORE=store)

    def healed(self, *arguments: str | Path, store: str = "") -> Done:
        self.place.proxy.mend()
        return self.data(faults.pass_on, *arguments, store=store)

    def check_readable(self, store: ObjectStore, at_least: int) -> None:
        """Every shard that a reader finds is whole."""
        catalog = read_catalog(store)
        assert all(map(catalog.is_whole, catalog.shards.values()))
        assert at_least <= len(catalog.shards) <= len(SHARDS)
        for key, files in SHARDS.items():
            back = self.folder / "back" / key
            if fetch(store, key, back, list(files)):
                assert {name: (back / name).read_text() for name in files} == files
                at_least -= 1
        assert at_least <= 0


@pytest.fixture(scope="module")
def server() -> str:
    """One kind of server: test_requests has every fault on each kind."""
    return "rclone"


@pytest.fixture
def pair(place: Place, tmp_path: Path) -> Pair:
    return Pair(place, tmp_path)


@pytest.mark.parametrize(("kind", "fault"), cases([FETCHED, SENT[1]]))
def test_a_push_gets_over_what_passes(pair, kind, fault):
    proxy = publish_and_spoil(pair, pair.here, kind, fault, times=1)
    publish(pair.beside, "a", SHARDS["a"])
    done = pair.data(fault, "push", "--remote", pair.remote)
    check_done(done, proxy)
    assert proxy.injected[kind] == 1, account(done, proxy)
    assert "pushed 2 shards" in done.stdout
    pair.check_readable(pair.beside, len(SHARDS))


@pytest.mark.parametrize(
    ("kind", "fault"), cases([LISTED, FETCHED, *SENT], ("complete", faults.reset_when_done))
)
def test_a_push_that_fails_is_told_and_the_same_command_goes_on(pair, kind, fault):
    proxy = publish_and_spoil(pair, pair.here, kind, fault, after=int(kind in ("head", "put", "complete")))
    publish(pair.beside, "a", SHARDS["a"])
    done = pair.data(fault, "push", "--remote", pair.remote)
    check_told(done, proxy)
    pair.check_readable(pair.beside, 1)
    check_done(done := pair.healed("push", "--remote", pair.remote), proxy)
    pair.check_readable(pair.beside, len(SHARDS))
    assert set(served(proxy, "put", "complete").values()) == {1}, account(done, proxy)


@pytest.mark.parametrize(("kind", "fault"), cases([FETCHED]))
def test_a_pull_gets_over_what_passes(pair, kind, fault):
    proxy = publish_and_spoil(pair, pair.beside, kind, fault, times=1)
    done = pair.data(fault, "pull", "--remote", pair.remote)
    check_done(done, proxy)
    assert proxy.injected[kind] == 1, account(done, proxy)
    pair.check_readable(pair.here, len(SHARDS))


@pytest.mark.parametrize(("kind", "fault"), cases([LISTED, FETCHED, MUTE]))
def test_a_pull_that_fails_is_told_and_the_same_command_goes_on(pair, kind, fault):
    after = len(SHARDS) + 2 if kind == "get" else 1
    proxy = publish_and_spoil(pair, pair.beside, kind, fault, after=after)
    check_told(pair.data(fault, "pull", "--remote", pair.remote), proxy)
    pair.check_readable(pair.here, 0)
    check_done(done := pair.healed("pull", "--remote", pair.remote), proxy)
    pair.check_readable(pair.here, len(SHARDS))
    pair.check_readable(pair.beside, len(SHARDS))
    assert sorted(served(proxy, "get", part="/files/").values()) == [1] * FILES, account(done, proxy)


@pytest.mark.slow
@pytest.mark.parametrize("requests", [0, 5, 12])
def test_a_server_that_dies_at_any_request_of_a_push_and_of_a_pull(pair, requests):
    proxy = publish_and_spoil(pair, pair.here, "none", faults.reset)
    for store, verb in ((pair.beside, "push"), (DirectoryStore(pair.folder / "third"), "pull")):
        name = str(pair.folder / ("third" if verb == "pull" else "here"))
        proxy.heal()
        proxy.die_after(requests, faults.cut_sent)
        done = pair.data(faults.reset, verb, "--remote", pair.remote, store=name)
        if proxy.seen.total() > requests:
            check_told(done, proxy)
        pair.check_readable(store, 0)
        check_done(done := pair.healed(verb, "--remote", pair.remote, store=name), proxy)
        pair.check_readable(store, len(SHARDS))
        twice = [*served(proxy, "put", "complete").values(), *served(proxy, "get", part="/files/").values()]
        assert set(twice) == {1}, account(done, proxy)


@pytest.mark.parametrize(("kind", "fault", "stays"), cases([(*LISTED, PASSES), (*FETCHED, STAYS)]))
def test_status_counts_what_is_there_or_says_that_it_cannot(pair, kind, fault, stays):
    proxy = publish_and_spoil(pair, pair.beside, kind, fault, **({} if stays else {"times": 1}))
    params = Workplace(pair.folder).params
    command = ("status", "--json", "--params", params, "--out", pair.folder)
    done = pair.data(fault, *command, store=pair.remote)
    if stays:
        check_told(done, proxy)
        done = pair.healed(*command, store=pair.remote)
    check_done(done, proxy)
    totals = json.loads(done.stdout)["totals"]
    assert (totals["shards"], totals["files"], totals["torn"]) == (len(SHARDS), FILES, 0)


@pytest.mark.parametrize(
    ("kind", "fault", "stays"),
    cases([(*DELETED, PASSES), (*LISTED, STAYS), (*FETCHED, STAYS), (*DELETED, STAYS)]),
)
def test_gc_never_removes_what_is_needed(pair, kind, fault, stays):
    keys = keep_needed(pair)
    proxy = publish_and_spoil(pair, pair.beside, kind, fault, after=2, **({} if stays else {"times": 1}))
    command = ("gc", "--yes", "--without-models", "--older-than", "0", "--out", pair.folder / "out")
    done = pair.data(fault, *command, store=pair.remote)
    failed = done.returncode != 0
    if failed:
        check_told(done, proxy)
    assert failed == stays or proxy.injected[kind] == 0, account(done, proxy)
    check_needed(pair, keys, "s after the fault")
    check_done(pair.healed(*command, store=pair.remote), proxy)
    check_needed(pair, keys, "s at the end")
    left = read_catalog(pair.beside)
    assert {shard.name for shard in left.shards.values()} == {f"frames/{key}.json" for key in keys}
    assert not left.orphans()


def publish_and_spoil(
    pair: Pair, store: ObjectStore, kind: str, fault: faults.Fault, **which: int
) -> faults.FaultyProxy:
    for key, files in SHARDS.items():
        publish(store, key, files)
    pair.place.proxy.spoil(kind, fault, **which)
    return pair.place.proxy


def keep_needed(pair: Pair) -> list[str]:
    """Publish the frames of an output of this machine; returns their keys."""
    folder = pair.folder / "out" / "frames"
    report = write_frames(folder, clips=4)
    (folder / PROVENANCE).write_text("{}")
    keys = [sha256_text(shard.file) for shard in report.shards]
    for key, shard in zip(keys, report.shards, strict=True):
        names = [shard.file, index_path(folder / shard.file).name]
        SharedShards(pair.beside, "frames").publish(key, folder, names)
    return keys


def check_needed(pair: Pair, keys: list[str], when: str) -> None:
    folder = pair.folder / "out" / "frames"
    names = [sorted(path.name for path in folder.glob(f"shard-0000{number}*")) for number in range(len(keys))]
    for key, files in zip(keys, names, strict=True):
        back = pair.folder / "needed" / key
        files.sort(reverse=True)
        assert SharedShards(pair.beside, "frames").fetch(key, back, files), f"{key} is gone{when}"
        assert all((back / name).read_bytes() == (folder / name).read_bytes() for name in files)
