"""The steps frames and features behind faults of the store: shards taken over or shared, or told; then on."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.data.catalog import read_catalog
from reelflow.objectstore.s3 import S3Store
from reelflow.settings import Settings
from tests.faults.store import proxy as faults
from tests.faults.store.commands import Done, account, cases, check_done, check_told, run, served, spoiled
from tests.faults.store.conftest import CALM, Place
from tests.faults.store.proxy import FaultyProxy, faulty_proxy
from tests.s3_server import BUCKET
from tests.workplace import Workplace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]
SHARDS = 3
MID_SHARD = 5
"""Of each shard the listing, a file, and the one that makes it whole are fetched."""
STAYS, PASSES = True, False
FETCHED = [
    *(("frames", "get", faults.truncate, stays) for stays in (STAYS, PASSES)),
    *(("features", "get", fault, STAYS) for fault in (faults.truncate, faults.stall_half_way)),
]
SENT = [
    ("frames", "get", faults.busy),  # to look whether a shard is there
    *(("frames", *sent) for sent in (("head", faults.broken), ("create", faults.garble))),
    *(("frames", *sent) for sent in (("part", faults.flip_sent), ("complete", faults.reset_when_done))),
    ("features", "put", faults.cut_sent),  # in one part
]


@dataclass(frozen=True)
class Step:
    """A step whose store lies behind a proxy, on one of two machines."""

    proxy: FaultyProxy
    made: Workplace
    folder: Path
    name: str

    @property
    def beside(self) -> S3Store:
        """The store, past the proxy."""
        return S3Store(BUCKET, self._prefix, Settings(s3_endpoint=f"http://{self.proxy.behind}"), policy=CALM)

    @property
    def _prefix(self) -> str:
        return f"steps/{self.folder.name}"

    def spoiled(self, fault: faults.Fault, machine: str = "one") -> Done:
        return spoiled(self.proxy, fault, self.folder, *self._command(machine), **self._environment)

    def healed(self, machine: str = "one") -> Done:
        self.proxy.mend()
        return run(self.proxy, self.folder, *self._command(machine), **self._environment)

    @property
    def _environment(self) -> dict[str, str]:
        return {"REELFLOW_STORE": f"s3://{BUCKET}/{self._prefix}", "TF_CPP_MIN_LOG_LEVEL": "2"}

    def _command(self, machine: str) -> tuple[str | Path, ...]:
        made = self.made.folder
        if self.name == "frames":
            inputs: tuple[str | Path, ...] = ("--dataset", self.dataset(machine))
        else:
            inputs = ("--dataset", made / "dataset", "--frames", made / "frames", "--backbone", "thumbnail")
        output = (f"--{self.name}", self.output(machine))
        return (f"components.{self.name}", "--params", self.made.params, *inputs, *output)

    def dataset(self, machine: str) -> Path:
        """The second machine has no clips, so that it cannot but take over what the first one made."""
        if machine == "one":
            return self.made.folder / "dataset"
        copy = self.folder / "dataset"
        if not copy.exists():
            shutil.copytree(self.made.folder / "dataset", copy, ignore=shutil.ignore_patterns("clips"))
        return copy

    def output(self, machine: str) -> Path:
        return self.folder / machine / self.name

    def shards(self, machine: str) -> dict[str, tuple[bytes, int]]:
        """Content and time of the shards in the output, or on the way to it."""
        files = [path for path in (self.folder / machine).rglob("shard-*") if not path.name.endswith(".tmp")]
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}

    def check_shared(self, at_least: int) -> None:
        catalog = read_catalog(self.beside)
        assert all(map(catalog.is_whole, catalog.shards.values()))
        assert at_least <= len(catalog.shards) <= SHARDS

    def check_stored_once(self, done: Done) -> None:
        assert set(served(self.proxy, "put", "complete").values()) == {1}, account(done, self.proxy)


@pytest.fixture(scope="module")
def server() -> str:
    """One kind of server: test_requests has every fault on each kind."""
    return "rclone"


@pytest.fixture(scope="module")
def made(opened: Place, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """The outputs that the steps start from."""
    work = Workplace(tmp_path_factory.mktemp("made"))
    with faulty_proxy(f"http://{opened.proxy.behind}") as proxy:
        for name, *inputs in (("dataset",), ("frames", "--dataset", work.folder / "dataset")):
            command = (
                f"components.{name}",
                "--params",
                work.params,
                f"--{name}",
                work.folder / name,
                *inputs,
            )
            done = run(proxy, work.folder, *command, REELFLOW_STORE="none")
            check_done(done, proxy)
    return work


@pytest.fixture
def step(request: pytest.FixtureRequest, place: Place, made: Workplace, tmp_path: Path) -> Step:
    return Step(place.proxy, made, tmp_path, request.param)


@pytest.mark.parametrize(("step", "kind", "fault"), cases(SENT), indirect=["step"])
def test_a_publication_that_fails_goes_on_with_what_is_missing(step, kind, fault):
    step.proxy.spoil(kind, fault, after=1)
    check_told(step.spoiled(fault), step.proxy)
    step.check_shared(0)
    before = step.shards("one")
    check_done(done := step.healed(), step.proxy)
    assert before.items() <= step.shards("one").items(), account(done, step.proxy)
    step.check_shared(SHARDS)
    step.check_stored_once(done)


@pytest.mark.parametrize(("step", "kind", "fault", "stays"), cases(FETCHED), indirect=["step"])
def test_a_machine_without_clips_takes_over_every_shard(step, kind, fault, stays):
    check_done(step.healed(), step.proxy)
    step.proxy.heal()
    step.proxy.spoil(kind, fault, **({"after": MID_SHARD} if stays else {"times": 1}))
    done = step.spoiled(fault, "two")
    if stays:
        check_told(done, step.proxy)
        done = step.healed("two")
    check_done(done, step.proxy)
    one, two = ({name: content for name, (content, _) in step.shards(on).items()} for on in ("one", "two"))
    assert one == two
    assert not served(step.proxy, "put", "complete", "delete")
    assert set(served(step.proxy, "get", part="/files/").values()) == {1}, account(done, step.proxy)
