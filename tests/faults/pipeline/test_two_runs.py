"""Two runs at once, on one store and in one folder: both end well and neither spoils the other's shards."""

from pathlib import Path

import pytest

from reelflow.contracts import FeaturesReport, FramesReport
from reelflow.files import sha256_file
from tests.faults.pipeline.runs import printed, results, start
from tests.workplace import Workplace


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Workplace, Workplace]:
    """Workplaces that share clips and a store, and nothing else."""
    one, other = (Workplace(tmp_path / name) for name in ("one", "other") if not (tmp_path / name).mkdir())
    other.write_params(dataset={"source": str(one.folder / "recipe.yaml")})
    (one.folder / "store").mkdir()
    (other.folder / "store").symlink_to(one.folder / "store")
    return one, other


def check_shards(out: Path) -> int:
    """See that every shard is what its report says; returns how many there are."""
    count = 0
    for kind in (FramesReport, FeaturesReport):
        for report in (out / "work").glob(f"[!.]*/{kind.file_name}"):
            for shard in kind.open(report.parent).shards:
                assert sha256_file(report.parent / shard.file) == shard.sha256
                count += 1
    return count


def check_store(store: Path) -> None:
    """See that every object is what its name says."""
    objects = [path for path in store.glob("*/files/*") if not path.name.startswith(".")]
    assert objects
    assert all(sha256_file(path) == path.name for path in objects)
    assert not list(store.rglob(".*.tmp"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_runs_on_one_store_end_alike(pair: tuple[Workplace, Workplace], tmp_path: Path) -> None:
    running = [start(place) for place in pair]
    for process, place in zip(running, pair, strict=True):
        assert process.wait(600) == 0, printed(place)
    one, other = (place.folder / "out" for place in pair)
    assert results(one) == results(other)
    assert check_shards(one) == check_shards(other) == 6
    check_store(pair[0].folder / "store")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_runs_in_one_folder_do_the_work_once(workplace: Workplace) -> None:
    running = [start(workplace) for _ in range(2)]
    for process in running:
        assert process.wait(600) == 0, printed(workplace)
    assert printed(workplace).count("nothing has changed since this run: its results are up to date") == 1
    assert check_shards(workplace.folder / "out") == 6
    check_store(workplace.folder / "store")
