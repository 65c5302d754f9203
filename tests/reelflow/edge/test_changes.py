"""Change points: where a stream of features really changes, and nowhere else."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelflow.edge.changes import BLOCK, contrast, mark_changes

REACH, DIM = 3, 200


def changes_in(codes: np.ndarray, reach: int = REACH) -> list[int]:
    samples = list(enumerate(codes))
    passed = list(mark_changes(iter(samples), reach))
    assert [sample[0] for sample, _ in passed] == list(range(len(codes))), "every sample, in order"
    return [place for (place, _), begins in passed if begins]


def noise(*levels: tuple[float, int], seed: int = 1, spread: float = 0.05) -> np.ndarray:
    """Stretches of noise around levels: `(level, samples)` each."""
    chance = np.random.default_rng(seed)
    centres = np.repeat([level for level, _ in levels], [samples for _, samples in levels])
    return (centres[:, None] + chance.normal(0, spread, (len(centres), DIM))).astype(np.float32)


def test_steps_are_found_to_the_sample():
    assert changes_in(noise((1, 40), (1.5, 30), (0.7, 25), (0.9, 20))) == [40, 70, 95]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_the_scale_of_features_does_not_matter(scale: float):
    assert changes_in(noise((1, 20), (1.5, 20)) * np.float32(scale)) == [20]


def test_codes_are_not_taken_for_small_numbers():
    codes = np.clip(noise((100, 20), (180, 20), spread=4), 0, 255).astype(np.uint8)
    assert changes_in(codes) == [20]
    assert changes_in(codes[::-1]) == [20], "a fall is as good as a rise"


@pytest.mark.parametrize("seed", range(5))
def test_noise_has_no_changes(seed: int):
    assert changes_in(noise((1, 300), seed=seed)) == []


def test_a_steady_drift_has_no_changes():
    ramp = np.linspace(0, 1, 200)[:, None] * np.ones(DIM)
    assert contrast(ramp[: 2 * REACH]) < 0.01
    assert changes_in(ramp.astype(np.float32)) == []
    ramp[90:] += 0.2
    assert changes_in(ramp.astype(np.float32)) == [90], "but a jump on the way"


def test_what_stands_still_has_no_changes():
    assert changes_in(np.ones((50, DIM), np.float32)) == []
    assert changes_in(np.zeros((50, DIM), np.float32)) == []
    step = np.repeat([[1.0], [1.02]], 25, axis=0) * np.ones(DIM)
    assert changes_in(step) == [], "a change of 2 % is none"
    assert changes_in(np.repeat([[1.0], [2.0]], 25, axis=0) * np.ones(DIM)) == [25]


def test_features_in_several_blocks_are_one_sum() -> None:
    """Columns repeated or in another order give the same contrast, wherever blocks begin."""
    codes = np.random.default_rng(3).integers(0, 256, (2 * REACH, 2 * BLOCK + 100), np.uint8)
    few = codes[:, :700]
    assert contrast(np.tile(few, 30)) == pytest.approx(contrast(few), rel=1e-5)
    assert contrast(np.roll(codes, BLOCK // 3, axis=1)) == pytest.approx(contrast(codes), rel=1e-5)
    assert contrast(codes[:, -100:]) != pytest.approx(contrast(codes), rel=1e-3), "every block counts"


@pytest.mark.parametrize("seed", range(5))
def test_a_random_walk_has_no_changes_but_a_jump(seed: int):
    walk = 20 + np.cumsum(np.random.default_rng(seed).normal(0, 0.3, (300, DIM)), axis=0)
    assert changes_in(walk) == []
    walk[150:] += 2
    assert changes_in(walk) == [150]


@given(length=st.integers(0, 40), reach=st.integers(2, 6), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_changes_keep_their_distance(length: int, reach: int, seed: int):
    chance = np.random.default_rng(seed)
    found = changes_in(
        chance.choice([0.0, 1.0, 9.0], (length, 1)) + chance.normal(0, 0.01, (length, DIM)), reach
    )
    assert all(reach <= place <= length - reach for place in found)
    assert all(after - before > reach for before, after in pairwise(found))
