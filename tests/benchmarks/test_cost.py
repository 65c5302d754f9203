"""The recipes of the curve are params that the pipeline takes, and the cost counts pixels."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.accuracy import Found, params_of
from benchmarks.cost import RECIPES, SETS, SMALL, TRIALS, WIDE, calls, draw, views, windows
from reelflow.contracts import Interval
from reelflow.nets.candidates import candidates


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: f"{trial.clips} {trial.recipe.name}")
def test_a_recipe_is_params_that_steps_take(trial):
    params = params_of(trial, Path("data"))
    assert candidates(params) == [(trial.recipe.backbone, trial.recipe.head)]
    assert params.frames.count == trial.recipe.frames


def test_the_default_for_few_clips_is_on_the_curve_and_costs_at_most_sixty_calls():
    frames = SMALL.frames.count
    default = (windows(WIDE, frames), views(list(SMALL.features.views), frames))
    for recipe in default:
        assert recipe in RECIPES
        assert calls(recipe) <= 60


def test_the_cost_counts_pixels_views_and_frames():
    plain = views(["plain"], 10)
    assert calls(plain) == 10
    assert calls(replace(plain, views=["plain", "closer"])) == 20
    assert calls(windows(WIDE, 10)) == pytest.approx(10 * 640 * 352 / 224**2)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_curve_is_drawn(tmp_path, kind):
    found = [
        Found(
            trial=trial,
            clips=10,
            accuracy=0.5,
            interval=Interval(low=0.4, high=0.6),
            baselines={},
            clearly_above=False,
            calibration_error=0,
            seconds=1,
            folder=tmp_path,
        )
        for trial in TRIALS
    ]
    draw(found, tmp_path / f"curve.{kind}")
    assert (tmp_path / f"curve.{kind}").stat().st_size > 1000
    draw(found[: len(found) // len(SETS)], tmp_path / f"one.{kind}")
