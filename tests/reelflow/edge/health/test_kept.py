"""What watchers have counted outlives a start of the device, and is written seldom."""

import os
import shutil
import time
from pathlib import Path

import pytest

from reelflow.edge.health import kept as kept_module
from reelflow.edge.health.counts import DayCounts, counts_path
from reelflow.edge.health.kept import EVERY_S, KeptCounts
from reelflow.edge.health.writer import HealthFile
from tests.reelflow.edge.health.test_health import ANSWER

DAY = ANSWER.told_at[:10]


class Home:
    """A device: what is lost at a start of it, and what is not."""

    def __init__(self, folder: Path) -> None:
        self.run, self.state = folder / "run", folder / "state" / "counts"
        self.kept = KeptCounts(self.state, self.run)

    def watch(self, answers: int, camera: str = "door", bundle: str = "one", day: str = DAY) -> None:
        """A watcher that starts, answers, and ends."""
        health = HealthFile(self.run / camera, bundle)
        for _ in range(answers):
            health.send(ANSWER.model_copy(update={"told_at": day + ANSWER.told_at[10:]}))
        health.close(1)

    def start_again(self) -> None:
        """The device is switched off and on: /run is empty."""
        shutil.rmtree(self.run)

    def answers(self) -> dict[tuple[str, str], int]:
        return {(one.day, one.bundle): one.answers for one in self.kept.last_days()}

    def copies(self) -> list[Path]:
        return sorted(self.state.rglob("*.json"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_what_was_kept_is_added_to_what_comes_after_a_start(home: Home) -> None:
    home.watch(5)
    home.kept.keep()
    home.start_again()
    assert home.answers() == {(DAY, "one"): 5}
    home.watch(2)
    assert home.answers() == {(DAY, "one"): 7}
    home.kept.keep()
    home.start_again()
    home.watch(1)
    home.kept.keep()
    assert home.answers() == {(DAY, "one"): 8}
    assert len(home.copies()) == 3


def test_a_watcher_that_starts_again_goes_on_and_nothing_counts_twice(home: Home) -> None:
    home.watch(5)
    home.kept.keep()
    home.watch(2)
    home.kept.keep(at_once=True)
    assert home.answers() == {(DAY, "one"): 7}
    assert len(home.copies()) == 1


def test_a_file_is_written_once_an_hour_and_at_the_end(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []

    def write(path: Path, text: str) -> None:
        written.append(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    monkeypatch.setattr(kept_module, "write_text", write)
    for _ in range(10):
        home.watch(1)
        home.kept.keep()
    assert len(written) == 1
    (copy,) = home.copies()
    for age_s in (EVERY_S, -EVERY_S):  # a clock that jumps back says nothing against it
        os.utime(copy, (time.time() - age_s, time.time() - age_s))
        home.watch(1)
        home.kept.keep()
    home.kept.keep(at_once=True)  # nothing has changed
    assert len(written) == 3
    home.watch(1)
    home.kept.keep(at_once=True)
    assert len(written) == 4
    assert DayCounts.read(copy).answers == 13


def test_cameras_with_one_bundle_are_told_as_one(home: Home) -> None:
    """The fleet keeps one document for a device, a day and a bundle."""
    home.watch(5, "door")
    home.watch(3, "yard")
    home.watch(1, "yard", bundle="two")
    assert home.answers() == {(DAY, "one"): 8, (DAY, "two"): 1}


def test_old_days_are_forgotten(home: Home) -> None:
    days = [f"2026-01-{number:02}" for number in range(1, 21)]
    for day in days:
        home.watch(1, day=day)
        home.kept.keep()
    assert [day for day, _ in home.answers()] == days[-3:]
    assert len(home.copies()) == kept_module.KEPT_DAYS
    home.start_again()
    assert [day for day, _ in home.answers()] == days[-3:]
    home.state.joinpath("door.0").mkdir()
    home.kept.keep()
    assert not home.state.joinpath("door.0").exists()


def test_a_day_of_a_clock_that_was_years_ahead_hides_no_other(home: Home) -> None:
    for day in (DAY, "2099-01-01", "2099-01-02", "2099-01-03"):
        home.watch(1, day=day)
    assert home.answers() == {(DAY, "one"): 1}


def test_what_cannot_be_read_is_left_out(home: Home) -> None:
    home.watch(5)
    home.kept.keep()
    counts_path(home.run / "door", "2026-01-02", "x").write_text("{")
    (home.state / "door.1").mkdir()
    (home.state / "door.1" / "counts-2026-01-03-x.json").write_text("{")
    home.kept.keep()
    assert home.answers() == {(DAY, "one"): 5}
