"""What watchers say of a bundle, and what is made of it."""

import os
import sys
from pathlib import Path

import pytest

from reelflow.edge.events.model import WindowAnswer
from reelflow.edge.health import writer
from reelflow.edge.health.counts import read_counts
from reelflow.edge.health.document import HEALTH, WatcherHealth, read_health, sign_of, uptime_s
from reelflow.edge.health.writer import HealthFile
from tests.device_bundles import write_health
from tests.permissions import run_bound_by_rights


def said(folder: Path) -> WatcherHealth:
    return WatcherHealth.read(folder / HEALTH)


ANSWER = WindowAnswer(
    camera="door",
    time_s=1.0,
    told_at="2026-01-01T00:00:00.000+00:00",
    label="grow",
    best_guess="grow",
    score=0.9,
    scores={"grow": 0.9},
    age_s=0.1,
    dropped=0,
)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that the writer sees."""
    now_s = [1000.0]
    monkeypatch.setattr(writer.time, "monotonic", lambda: now_s[0])
    return now_s


def test_every_start_with_a_bundle_counts_until_it_is_well(tmp_path: Path, clock: list[float]) -> None:
    for starts in (1, 2, 3):
        health = HealthFile(tmp_path, "new")
        assert said(tmp_path).starts == starts
    for _ in range(13):
        health.send(ANSWER)
        clock[0] += 5
    assert said(tmp_path).answering_s == 60
    assert said(tmp_path).starts == 0


def test_another_user_may_read_it_whatever_the_service_hides(tmp_path: Path, clock: list[float]) -> None:
    """The unit has `UMask=0077`, and the agent is another user than the watcher."""
    before = os.umask(0o077)
    try:
        health = HealthFile(tmp_path, "new")
        health.send(ANSWER)
        health.close(1)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}
    assert len(list(tmp_path.iterdir())) == 3


def test_what_this_user_may_not_read_is_named(tmp_path: Path) -> None:
    for camera in ("door", "gate", "private/shed"):
        HealthFile(tmp_path / camera, "new")
    (tmp_path / "gate" / "health.json").chmod(0)
    (tmp_path / "shed").symlink_to("private/shed")  # as systemd does for dynamic users
    (tmp_path / "private").chmod(0)
    code = "import pathlib; from reelflow.edge.health.document import unreadable; "
    done = run_bound_by_rights(
        sys.executable, "-c", f"{code}print(unreadable(pathlib.Path({str(tmp_path)!r})))"
    )
    assert done.stdout.strip() == "['gate', 'private', 'shed']", done.stderr


def test_another_bundle_is_counted_anew(tmp_path: Path, clock: list[float]) -> None:
    HealthFile(tmp_path, "old")
    health = HealthFile(tmp_path, "old")
    assert said(tmp_path).starts == 2
    health.follow(lambda: ("new", ""))
    health.beat()
    assert (said(tmp_path).bundle, said(tmp_path).starts, said(tmp_path).answering_s) == ("new", 1, 0)
    clock[0] += 1
    HealthFile(tmp_path, "other")
    assert said(tmp_path).starts == 1


def test_a_watcher_that_was_asked_to_end_has_not_failed(tmp_path: Path) -> None:
    HealthFile(tmp_path, "new").stopped()
    HealthFile(tmp_path, "new")
    assert said(tmp_path).starts == 1


def test_a_long_pause_of_the_camera_is_no_time_with_answers(tmp_path: Path, clock: list[float]) -> None:
    health = HealthFile(tmp_path, "new")
    health.send(ANSWER)
    clock[0] += 3600
    health.send(ANSWER)
    assert said(tmp_path).answering_s == writer.LONGEST_GAP_S


def test_why_a_new_bundle_is_not_taken_is_told_at_once(tmp_path: Path) -> None:
    health = HealthFile(tmp_path, "old")
    health.follow(lambda: ("old", "it is damaged"))
    health.beat()
    assert said(tmp_path).problem == "it is damaged"


def test_a_folder_that_cannot_be_written_never_ends_the_watching(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    health = HealthFile(tmp_path / "file", "new")
    health.send(ANSWER)
    assert health.failures
    assert "file" in health.problem


@pytest.mark.parametrize(
    ("values", "sign"),
    [
        ({"answering_s": 300}, "well"),
        ({"answering_s": 299}, "waiting"),
        ({"starts": 4, "answering_s": 300}, "failing"),
        ({"answering_s": 300, "told_s": 0.0}, "silent"),
        ({"answering_s": 300, "told_s": uptime_s() + 1000}, "silent"),  # of before a start of the device
        ({"bundle": "old", "answering_s": 300}, "silent"),
    ],
)
def test_what_one_watcher_says(tmp_path: Path, values: dict[str, object], sign: str) -> None:
    write_health(tmp_path, **({"bundle": "new"} | values))
    assert sign_of("new", read_health(tmp_path).values(), 300, 3) == sign


def test_one_watcher_that_is_well_is_enough_and_one_that_fails_is_too_much(tmp_path: Path) -> None:
    write_health(tmp_path, "new", "yard")
    write_health(tmp_path, "new", "door", answering_s=300)
    assert sign_of("new", read_health(tmp_path).values(), 300, 3) == "well"
    write_health(tmp_path, "new", "gate", starts=4)
    assert sign_of("new", read_health(tmp_path).values(), 300, 3) == "failing"


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "door").mkdir()
    (tmp_path / "door" / HEALTH).write_text("{")
    assert read_health(tmp_path) == {}


def test_the_first_answer_of_a_new_bundle_is_counted_to_it(tmp_path: Path, clock: list[float]) -> None:
    loaded = ["old"]
    health = HealthFile(tmp_path, "old")
    health.follow(lambda: (loaded[0], ""))
    for bundle, answers in (("old", 3), ("new", 2)):
        loaded[0] = bundle
        for _ in range(answers):
            health.send(ANSWER)
            clock[0] += 1
    assert (said(tmp_path).bundle, said(tmp_path).starts) == ("new", 1)
    assert said(tmp_path).answering_s == 0, "written with the first answer"
    health.close(1)
    assert {one.bundle: one.answers for one in read_counts([tmp_path])} == {"old": 3, "new": 2}
