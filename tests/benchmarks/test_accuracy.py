"""The benchmark's recipes are params that the pipeline takes; it refuses what it cannot measure."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.accuracy import TRIALS, params_of
from reelflow.nets.heads import check_heads
from reelflow.video.views import check_views
from tests.slowly import slow

PROGRAM = "benchmarks/accuracy.py"


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: f"{trial.clips} {trial.recipe.name}")
def test_a_recipe_is_params_that_steps_take(trial):
    params = params_of(trial, Path("data"))
    check_heads(params.training.heads)
    check_views(params.features.views, params.frames.oversample)
    assert params.evaluation.protocol == trial.protocol


def test_every_protocol_has_a_plain_model_beside_what_is_asked_of():
    for clips, protocol in {(trial.clips, trial.protocol) for trial in TRIALS}:
        reaches = [trial.reach for trial in TRIALS if (trial.clips, trial.protocol) == (clips, protocol)]
        assert None in reaches
        assert any(reaches)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        slow(("--set", "x"), "no recipe to measure on 'x'"),
        slow(("--recipe", "x"), "no recipe to measure"),
        (("--data", "nowhere"), "holds no clips/"),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments, message):
    done = subprocess.run([sys.executable, PROGRAM, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_default_for_own_clips_reaches_its_targets(shared_data, tmp_path):
    command = [sys.executable, PROGRAM, "--data", shared_data, "--out", tmp_path, "--json"]
    done = subprocess.run([*command, "--recipe", "default"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    all_found = json.loads(done.stdout)
    assert len(all_found) == 2
    for found in all_found:
        assert found["interval"][0] < found["accuracy"] < found["interval"][1]
        assert found["accuracy"] >= found["trial"]["reach"], found["trial"]
