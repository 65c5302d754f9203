"""Clips in S3 behind every fault: whole and verified, or told; and nothing is fetched twice."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from reelflow.contracts import DatasetReport
from tests.faults.store import proxy as faults
from tests.faults.store.commands import Done, account, cases, check_done, check_told, run, served, spoiled
from tests.faults.store.conftest import Place
from tests.s3_server import BUCKET
from tests.videos import write_video
from tests.workplace import Workplace

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
CASES = [("list", faults.busy), ("get", faults.truncate)]
MUTE = ("get", faults.stall_half_way)
CLIPS = 6
PAGES = 2
FIRST = 2


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three clips of each of two classes."""
    folder = tmp_path_factory.mktemp("clips")
    names = [f"{label}/{label}{number}.mp4" for label in ("jump", "wave") for number in range(CLIPS // 2)]
    return {name: write_video(folder / name, 8, seed=seed) for seed, name in enumerate(names)}


@dataclass(frozen=True)
class Source:
    """Clips in a bucket, and the dataset step on them."""

    place: Place
    work: Workplace
    clips: dict[str, Path]
    command: tuple[str | Path, ...]

    def run(self) -> Done:
        return run(self.place.proxy, self.work.folder, *self.command)

    def spoiled(self, fault: faults.Fault) -> Done:
        return spoiled(self.place.proxy, fault, self.work.folder, *self.command)

    def fetched(self) -> dict[str, bytes]:
        """Clips that are here."""
        trees = self.work.folder / "fetched" / "trees"
        found = [path for path in trees.rglob("*") if path.is_file() and not path.name.startswith(".")]
        return {"/".join(path.parts[-2:]): path.read_bytes() for path in found}

    def check_whole(self) -> None:
        assert self.fetched() == {name: path.read_bytes() for name, path in self.clips.items()}
        assert DatasetReport.open(self.work.folder / "dataset").metrics["clips"] == CLIPS
        assert not list(self.work.folder.rglob(".*.tmp"))


@pytest.fixture
def source(place: Place, clips: dict[str, Path], tmp_path: Path) -> Source:
    for name, path in clips.items():
        place.beside.put_new(f"{tmp_path.name}/{name}", path)
    work = Workplace(tmp_path)
    address = f"s3://{BUCKET}/shared/{tmp_path.name}"
    work.write_params(dataset={"source": address, "test": 0.3, "validation": 0.3})
    command = ("components.dataset", "--params", work.params, "--dataset", tmp_path / "dataset")
    return Source(place, work, clips, command)


@pytest.mark.parametrize(("kind", "fault"), cases(CASES))
def test_what_passes_is_got_over(source, kind, fault):
    proxy = source.place.proxy
    proxy.spoil(kind, fault, times=1)
    done = source.spoiled(fault)
    check_done(done, proxy)
    source.check_whole()
    assert proxy.injected == {kind: 1, **{other: 0 for other in proxy.seen if other != kind}}
    assert (proxy.seen["list"], proxy.seen["get"]) == (PAGES + (kind == "list"), CLIPS + (kind == "get"))


@pytest.mark.parametrize(("kind", "fault"), cases([*CASES, MUTE], ("get", faults.truncate)))
def test_what_stays_is_told_and_the_same_command_goes_on(source, kind, fault):
    proxy = source.place.proxy
    proxy.spoil(kind, fault, after=FIRST if kind == "get" else 0)
    check_told(source.spoiled(fault), proxy)
    check_resumed(source)


@pytest.mark.slow
@pytest.mark.parametrize("requests", [0, 3])
def test_a_server_that_dies_at_any_request(source, requests):
    source.place.proxy.die_after(requests, faults.truncate)
    check_told(source.spoiled(faults.truncate), source.place.proxy)
    check_resumed(source)


def check_resumed(source: Source) -> None:
    """What was fetched is whole, and is not fetched again."""
    proxy, before = source.place.proxy, source.fetched()
    assert before.items() <= {name: path.read_bytes() for name, path in source.clips.items()}.items()
    assert len(before) == len(served(proxy, "get")), proxy.served
    proxy.mend()
    done = source.run()
    check_done(done, proxy)
    source.check_whole()
    assert sorted(served(proxy, "get").values()) == [1] * CLIPS, account(done, proxy)
