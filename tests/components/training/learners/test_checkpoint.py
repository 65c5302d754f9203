"""Checkpoints: exact, whole or absent."""

import numpy as np
import pytest

from components.training.history import CURVES, History
from components.training.learners.checkpoint import Checkpoints, State
from reelflow.progress import watched_by


def state(epochs: int) -> State:
    rows = [dict.fromkeys(CURVES, 1 / (3 + epoch)) for epoch in range(epochs)]
    chance = np.random.default_rng(epochs)
    variables = [chance.random((3, 2), dtype=np.float32), np.array(epochs, dtype=np.int64)]
    return State(History(rows), variables, [chance.random(4, dtype=np.float32)])


def assert_same(first: State, second: State) -> None:
    assert first.history == second.history
    for own, other in zip([*first.variables, *first.best], [*second.variables, *second.best], strict=True):
        assert own.dtype == other.dtype
        np.testing.assert_array_equal(own, other)


def test_what_was_saved_comes_back_exactly(tmp_path):
    Checkpoints(tmp_path / "checkpoints", 0).save(state(7))
    found = Checkpoints(tmp_path / "checkpoints", 0).newest()
    assert found is not None
    assert_same(found, state(7))


def test_only_the_newest_is_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, 0)
    for epochs in (1, 2, 11):
        checkpoints.save(state(epochs))
    assert [path.name for path in tmp_path.iterdir()] == ["11"]


def test_nothing_saved_is_nothing_found(tmp_path):
    assert Checkpoints(tmp_path / "none", 0).newest() is None


@pytest.mark.parametrize("file", ["state.npz", "best.npz", "history.npz"])
@pytest.mark.parametrize("damage", ["fold", "flipped", "missing", "empty"])
def test_a_damaged_one_is_not_used(tmp_path, file, damage):
    Checkpoints(tmp_path, 0).save(state(3))
    path = tmp_path / "3" / file
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 3] ^= 0xFF
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
    checkpoints = Checkpoints(tmp_path, 0)
    checkpoints.save(state(4))
    (tmp_path / "5").mkdir()
    found = checkpoints.newest()
    assert found is not None
    assert_same(found, state(4))


def test_one_cut_short_by_a_kill_is_invisible(tmp_path):
    (tmp_path / ".partial").mkdir()
    (tmp_path / ".partial" / "state.npz").write_bytes(b"half")
    checkpoints = Checkpoints(tmp_path, 0)
    assert checkpoints.newest() is None
    checkpoints.save(state(1))
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_it_is_due_after_its_time():
    from pathlib import Path

    assert Checkpoints(Path("none"), 0).due
    assert not Checkpoints(Path("none"), 3600).due


def test_the_best_epoch_is_the_first_of_the_lowest_loss():
    history = History([{"validation_loss": loss} for loss in (3.0, 1.0, 2.0, 1.0)])
    assert (history.best_epoch, history.epochs) == (2, 4)
    assert history.is_stalled(2)
    assert not history.is_stalled(3)
    assert not History().is_stalled(1)
