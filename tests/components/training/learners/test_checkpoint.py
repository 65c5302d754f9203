"""Checkpoints: exact, whole or absent."""

from pathlib import Path

import numpy as np
import pytest

from components.training.history import CURVES, History
from components.training.learners.checkpoint import Arrays, Checkpoints, Running, State
from reelflow.progress import watched_by


def state(epochs: int, steps: int = 2) -> State:
    """Every epoch is the best so far."""
    rows = [dict.fromkeys(CURVES, 1 / (3 + epoch)) for epoch in range(epochs)]
    best = [np.random.default_rng(epochs).random(4, dtype=np.float32)] if epochs else []
    return State(History(rows), Running(steps, 1 / 3, 1 / 7), best)


def variables(seed: int) -> Arrays:
    chance = np.random.default_rng(seed)
    return [chance.random((3, 2), dtype=np.float32), np.array(seed, dtype=np.int64)]


def save(folder: Path, epochs: int, steps: int = 2) -> Checkpoints:
    checkpoints = Checkpoints(folder, 0)
    checkpoints.save(state(epochs, steps), variables(epochs))
    return checkpoints


def assert_found(checkpoints: Checkpoints, epochs: int, steps: int = 2) -> None:
    newest = checkpoints.newest()
    assert newest is not None
    found, values = newest
    assert (found.history, found.running) == (state(epochs, steps).history, state(epochs, steps).running)
    for own, other in zip([*found.best, *values], [*state(epochs).best, *variables(epochs)], strict=True):
        assert own.dtype == other.dtype
        np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize("epochs", [0, 7])
def test_what_was_saved_comes_back_exactly(tmp_path, epochs):
    save(tmp_path / "checkpoints", epochs)
    assert_found(Checkpoints(tmp_path / "checkpoints", 0), epochs)


def test_only_the_newest_is_kept(tmp_path):
    for place in ((1, 0), (1, 9), (1, 10), (2, 0), (11, 0)):
        save(tmp_path, *place)
        assert [path.name for path in tmp_path.iterdir()] == ["{}-{}".format(*place)]


def test_nothing_saved_is_nothing_found(tmp_path):
    assert Checkpoints(tmp_path / "none", 0).newest() is None


def test_the_best_weights_are_written_once(tmp_path):
    save(tmp_path, 3, steps=0)
    first = (tmp_path / "3-0" / "best-3.npz").stat()
    save(tmp_path, 3, steps=1)
    second = (tmp_path / "3-1" / "best-3.npz").stat()
    assert (first.st_ino, first.st_mtime_ns) == (second.st_ino, second.st_mtime_ns)
    assert_found(Checkpoints(tmp_path, 0), 3, steps=1)
    save(tmp_path, 4, steps=0)
    assert_found(Checkpoints(tmp_path, 0), 4, steps=0)


@pytest.mark.parametrize("file", ["state.npz", "best-3.npz", "figures.npz"])
@pytest.mark.parametrize("damage", ["fold", "flipped", "missing", "empty"])
def test_a_damaged_one_is_not_used(tmp_path, file, damage):
    save(tmp_path, 3)
    path = tmp_path / "3-2" / file
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[200] ^= 0xFF  # of the first array
    path.write_bytes(content[: len(content) // 2] if damage == "fold" else content)
    if damage == "missing":
        path.unlink()
    if damage == "empty":
        path.write_bytes(b"")
    events = []
    with watched_by(events.append):
        assert Checkpoints(tmp_path, 0).newest() is None
    assert "is damaged" in events[0]["message"]


def test_an_older_whole_one_stands_in_for_a_damaged_one(tmp_path):
    checkpoints = save(tmp_path, 4)
    (tmp_path / "5-0").mkdir()
    assert_found(checkpoints, 4)


def test_one_cut_short_by_a_kill_is_invisible(tmp_path):
    (tmp_path / ".partial").mkdir()
    (tmp_path / ".partial" / "state.npz").write_bytes(b"half")
    assert Checkpoints(tmp_path, 0).newest() is None
    save(tmp_path, 1, steps=0)
    assert [path.name for path in tmp_path.iterdir()] == ["1-0"]


def test_it_is_due_after_its_time():
    assert Checkpoints(Path("none"), 0).due
    assert not Checkpoints(Path("none"), 3600).due


def test_the_best_epoch_is_the_first_of_the_lowest_loss():
    history = History([{"validation_loss": loss} for loss in (3.0, 1.0, 2.0, 1.0)])
    assert (history.best_epoch, history.epochs) == (2, 4)
    assert history.is_stalled(2)
    assert not history.is_stalled(3)
    assert not History().is_stalled(1)
    assert History([{"train_loss": 1.0}]).best_epoch == 0
