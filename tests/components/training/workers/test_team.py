"""Parts of a batch, and what workers must agree on; without other processes."""

import numpy as np
import pytest

from components.training.history import CURVES, History
from components.training.learners.checkpoint import Running, State, packed, unpacked
from components.training.learners.team import Team
from reelflow.nets.heads import build_head
from reelflow.nets.runtime import reseed, set_apart
from tests import fake_features as fake


class Member(Team):
    """One of a team whose others are not here."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size


@pytest.mark.parametrize(("count", "size"), [(0, 2), (1, 2), (1, 4), (5, 2), (32, 3), (64, 64)])
def test_parts_are_the_whole_and_differ_by_one_at_most(count, size):
    parts = [np.arange(count)[Member(rank, size).part(count)] for rank in range(size)]
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_state_goes_to_another_worker_exactly():
    history = History([dict.fromkeys(CURVES, 1 / 3), {"train_loss": 0.1, "train_accuracy": 0.2}])
    arrays = [np.random.default_rng(1).random((2, 3), np.float32), np.array(7, np.int64)]
    state = State(history, Running(2, 1 / 3, 1 / 7), arrays[:1])
    found, values = unpacked(packed((state, arrays)))
    assert (found.history, found.running) == (state.history, state.running)
    for own, other in zip([*found.best, *values], [*state.best, *arrays], strict=True):
        assert own.dtype == other.dtype
        np.testing.assert_array_equal(own, other)
    assert unpacked(packed(None)) is None


def network(**changes):
    params = fake.training_params(units=4, dense_units=4, **changes)
    return params, build_head("gru", frames=fake.FRAMES, dim=fake.DIM, classes=2, params=params)


def test_each_worker_drops_other_units_and_the_chief_those_of_one_alone():
    _, one = network(dropout=0.5, input_dropout=0.5)
    states = [variable for variable in one.variables if variable.name == "seed_generator_state"]
    seen = []
    for rank in range(3):
        reseed(one, 1, 5)
        set_apart(one, rank)
        seen.append([tuple(state.numpy().tolist()) for state in states])
    reseed(one, 1, 5)
    assert seen[0] == [tuple(state.numpy().tolist()) for state in states]
    assert len({state for states in seen for state in states}) == 3 * len(states) > 3
