"""The benchmark compares the same work on clips that differ, and refuses what it cannot measure."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.extraction import Bench
from benchmarks.straight import limit, recipe
from components.dataset.step import run as run_dataset
from components.features.step import run as run_features
from components.frames.step import run as run_frames
from reelflow.artifacts.clips import read_clips
from reelflow.artifacts.features import FeatureStore
from reelflow.files import sha256_file
from tests.environment import in_environment
from tests.slowly import slow

PROGRAM = "benchmarks/extraction.py"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [slow(("fast",), "no part fast"), (("--data", "nowhere"), "holds no clips/ucf101")],
)
def test_what_cannot_be_measured_is_refused(arguments, message):
    done = subprocess.run([sys.executable, PROGRAM, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.slow
def test_the_recipe_gives_nearly_the_same_features(shared_data, tmp_path):
    bench = Bench(shared_data, tmp_path, rounds=1)
    source = bench.clips(34)
    clips = sorted(source.rglob("*.avi"))
    assert len({sha256_file(clip) for clip in clips}) == 34
    recipe(clips, bench.weights, tmp_path / "straight")
    params = bench.params(source)
    places = {name: tmp_path / name for name in ("dataset", "frames", "features")}
    for place in places.values():
        place.mkdir()
    run_dataset(params.dataset, source=source, dataset=places["dataset"])
    in_environment(run_frames)(params.frames, dataset=places["dataset"], frames=places["frames"])
    in_environment(run_features)(
        params.features,
        backbone="mobilenet_v2_quant",
        frames=places["frames"],
        features=places["features"],
    )
    store = FeatureStore(places["features"])
    straight = {path.stem.rpartition("-")[0]: np.load(path) for path in (tmp_path / "straight").iterdir()}
    agreements = []
    for clip in read_clips(places["dataset"]):
        theirs = straight[Path(clip.path).stem]
        ours = store.gather([clip.clip_id])[0]
        agreements.append(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1])
    assert min(agreements) > 0.8  # frames may be neighbours, and were JPEG
    assert np.mean(agreements) > 0.9
    assert limit(clips[:1], bench.weights).network > 0
