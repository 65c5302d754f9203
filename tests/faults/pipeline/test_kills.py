"""A run that is killed repeatedly ends like an undisturbed one, and computes no finished shard twice."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.faults.pipeline.runs import (
    ended_within,
    events,
    finished_shards,
    kill_session,
    printed,
    results,
    running_task,
    start,
    tell,
)
from tests.workplace import RECIPE, ROOT, Workplace

KILLS, SEED = 4, 5
MORE_CLIPS = {"clips_per_group": 3, "width": 320, "height": 240}
FRAMES = {"count": 25, "shards": 12}


@pytest.fixture
def places(tmp_path: Path) -> Callable[[], Workplace]:
    """Makes workplaces, each with a store of its own, that take the same clips."""
    recipe = yaml.safe_load((ROOT / "components/dataset/embedded.yaml").read_text()) | RECIPE | MORE_CLIPS
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))

    def another() -> Workplace:
        folder = tmp_path / f"place-{len(list(tmp_path.glob('place-*')))}"
        folder.mkdir()
        place = Workplace(folder)
        place.write_params(dataset={"source": str(tmp_path / "recipe.yaml")}, frames=FRAMES)
        return place

    return another


def spread() -> list[float]:
    """Random moments, one in each equal part of a run: the latest first, as they are taken from the end."""
    parts = np.arange(KILLS)[::-1] + np.random.default_rng(SEED).random(KILLS)
    return [float(part) / KILLS for part in parts]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_kills_at_random_moments_change_no_metric_and_cost_no_finished_shard(
    places: Callable[[], Workplace], capsys: pytest.CaptureFixture[str]
) -> None:
    untouched, started = places(), time.perf_counter()
    assert start(untouched).wait(900) == 0, printed(untouched)
    duration_s, moments = time.perf_counter() - started, spread()
    expected = results(untouched.folder / "out")

    killed_at: Counter[str] = Counter()
    place, attempts, runs, kept = places(), 0, 1, 0
    while moments or attempts:
        before, told = finished_shards(out := place.folder / "out"), len(events(out))
        process, started = start(place), time.perf_counter()
        if ended_within(process, moments[-1] * duration_s if moments else 900):
            assert process.returncode == 0, printed(place)
            assert results(out) == expected
            if not attempts:  # machines are shared: this whole run was faster
                duration_s = time.perf_counter() - started
        else:
            kill_session(process)
            killed_at[running_task(events(out)[told:])] += 1
            moments.pop()
            attempts += 1
        after = finished_shards(out)
        assert {name: after.get(name) for name in before} == before
        kept += len(before)
        if process.returncode == 0:
            attempts = 0
            if moments:
                place, runs = places(), runs + 1
    assert killed_at.total() == KILLS
    rows = [f"{count:4} {task}" for task, count in sorted(killed_at.items())]
    head = f"{KILLS} kills in {runs} runs of {duration_s:.0f} s; {kept} times a shard's file was kept"
    tell(capsys, [head, *rows])
