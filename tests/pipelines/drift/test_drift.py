"""Drift is told where answers have moved, and nowhere else."""

import doctest
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipelines.drift import measure
from pipelines.drift.fleet import against_first_days, against_test
from pipelines.drift.measure import DriftBounds, measure_drift, stability_index
from pipelines.drift.picture import draw_drift
from pipelines.drift.view import drift_table
from reelflow.charts.canvas import save
from reelflow.edge.health.counts import DayCounts

BUNDLE, OTHER = "a" * 64, "b" * 64
BOUNDS = DriftBounds()


def counts(
    day: int = 1, bundle: str = BUNDLE, size: int = 2000, seed: int = 1, **changes: float
) -> DayCounts:
    """Answers of a day: `wave` of all labels, mean `score`, share `unsure`."""
    chance = np.random.default_rng(seed)
    wave = int(chance.binomial(size, changes.get("wave", 0.5)))
    spread = np.clip(chance.normal(changes.get("score", 0.8), 0.1, size), 0, 0.999)
    ranges = np.bincount((spread * 10).astype(int), minlength=10)
    return DayCounts(
        day=f"2026-11-{day:02d}",
        bundle=bundle,
        labels={"walk": size - wave, "wave": wave},
        unsure=int(chance.binomial(size, changes.get("unsure", 0.05))),
        scores=tuple(map(int, ranges)),
    )


def test_the_examples_hold() -> None:
    assert doctest.testmod(measure).failed == 0


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=10))
def test_the_index_of_a_histogram_and_itself_is_nothing(histogram: list[int]) -> None:
    assert stability_index(histogram, histogram) == 0


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=2, max_size=10))
def test_the_index_is_symmetric_finite_and_never_negative(pairs: list[tuple[int, int]]) -> None:
    one, other = zip(*pairs, strict=True)
    found = stability_index(one, other)
    assert 0 <= found < 1000
    assert found == pytest.approx(stability_index(other, one)) or sum(one) != sum(other)


@pytest.mark.parametrize("seed", range(20))
def test_equal_days_have_not_drifted(seed: int) -> None:
    found = measure_drift("one", counts(seed=seed), counts(seed=100 + seed), BOUNDS)
    assert (found.verdict, found.reasons) == ("steady", ())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"wave": 0.95}, "label index"),
        ({"score": 0.6}, "score index"),
        ({"score": 0.6}, "score shift -0."),
        ({"unsure": 0.3}, "unsure shift +0.2"),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_what_has_moved_is_named(changes: dict[str, float], reason: str, seed: int) -> None:
    found = measure_drift("one", counts(), counts(seed=seed, **changes), BOUNDS)
    assert found.verdict == "drifted"
    assert any(reason in told for told in found.reasons)


def test_few_answers_tell_nothing() -> None:
    found = measure_drift("one", counts(), counts(size=999, unsure=0.9), BOUNDS)
    assert (found.verdict, found.reasons) == ("too few answers", ())


def test_a_label_that_was_never_tested_is_a_shift() -> None:
    strange = counts().model_copy(update={"labels": {"fall": 2000}})
    assert measure_drift("one", counts(), strange, BOUNDS).label_index > 1


def test_the_last_days_of_each_device_count_and_those_of_the_bundle_alone() -> None:
    fleet = {
        "one": [counts(1, wave=1.0), counts(2), counts(3), counts(3, OTHER, wave=1.0)],
        "two": [counts(1), counts(2, wave=1.0), counts(3, wave=1.0)],
        "three": [counts(3, OTHER)],
    }
    found = {one.whose: one for one in against_test(fleet, counts(), 2, BOUNDS)}
    assert {whose: one.verdict for whose, one in found.items()} == {
        "one": "steady",
        "two": "drifted",
        "fleet": "drifted",
    }
    assert found["one"].answers == 4000


def test_a_camera_of_its_own_kind_is_compared_with_its_own_first_days() -> None:
    fleet = {
        "quiet": [counts(day, wave=0.01, seed=day) for day in range(1, 5)],
        "moved": [counts(day, wave=0.01 if day < 3 else 0.5, seed=day) for day in range(1, 5)],
        "new": [counts(1)],
    }
    found = {one.whose: one.verdict for one in against_first_days(fleet, BUNDLE, 2, BOUNDS)}
    assert found == {"quiet": "steady", "moved": "drifted", "fleet": "drifted"}
    assert {one.verdict for one in against_test(fleet, counts(), 2, BOUNDS) if one.whose == "quiet"} == {
        "drifted"
    }


def test_what_a_device_is_called_is_no_command_to_a_terminal() -> None:
    found = against_test({"one\x1b[2J": [counts()]}, counts(), 1, BOUNDS)
    console = Console(file=io.StringIO(), width=200)
    console.print(drift_table(found))
    assert isinstance(console.file, io.StringIO)
    assert r"one\x1b[2J" in console.file.getvalue()


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    findings = against_test({"one": [counts()], "<b>two</b>": [counts(wave=1.0)]}, counts(), 1, BOUNDS)
    save(draw_drift(findings, BOUNDS), tmp_path / "drift.png")
    assert (tmp_path / "drift.png").stat().st_size > 10_000
