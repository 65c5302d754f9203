"""A clip to scores, through exactly the steps that made the features."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reelflow.contracts import Sampling
from reelflow.edge.bundle import Bundle, open_bundle
from reelflow.edge.classifier import Classifier
from reelflow.errors import BundleError, ClipError
from reelflow.video.decode import sample_frames
from reelflow.video.preprocess import preprocess
from tests.bundles import FRAMES, LABELS, RandomFrames, write_clip


@pytest.fixture(scope="module")
def classifier(small_bundle: Path) -> Classifier:
    return Classifier(open_bundle(small_bundle))


def test_a_clip_is_classified(classifier: Classifier, tmp_path: Path):
    clip = write_clip(tmp_path / "clip.mp4")
    found = classifier.classify(clip)
    assert found.clip == str(clip)
    assert list(found.scores) == list(LABELS)
    assert sum(found.scores.values()) == pytest.approx(1, abs=1e-5)
    assert found.score == found.scores[found.label] == max(found.scores.values())
    assert not found.rejected, "nothing is, unless the bundle says so"
    assert 0 < found.seconds < 60


def test_a_clip_goes_the_way_of_the_features(classifier: Classifier, tmp_path: Path):
    clip = write_clip(tmp_path / "clip.mp4")
    frames = preprocess(sample_frames(clip, FRAMES), classifier.report.backbone.preprocessing)
    scores = classifier.scores_from_features(frames.reshape(FRAMES, -1))
    np.testing.assert_allclose(list(classifier.classify(clip).scores.values()), scores, atol=1e-6)


def changed(small_bundle: Path, **changes: Any) -> Classifier:
    opened = open_bundle(small_bundle)
    return Classifier(Bundle(small_bundle, opened.report.model_copy(update=changes)))


def test_the_temperature_changes_scores_but_no_raw_ones(small_bundle: Path, tmp_path: Path):
    clip = write_clip(tmp_path / "clip.mp4")
    plain, soft, sharp = (changed(small_bundle, temperature=t) for t in (1, 4, 0.25))
    found = [classifier.classify(clip) for classifier in (soft, plain, sharp)]
    assert len({one.label for one in found}) == 1
    scores = [one.score for one in found]
    assert scores == sorted(scores)
    assert scores[2] - scores[0] > 0.1
    assert all(sum(one.scores.values()) == pytest.approx(1, abs=1e-5) for one in found)
    frames = RandomFrames().read("x")
    np.testing.assert_array_equal(soft.scores_from_frames(frames), sharp.scores_from_frames(frames))


def test_a_score_under_the_threshold_is_rejected(small_bundle: Path, tmp_path: Path):
    clip = write_clip(tmp_path / "clip.mp4")
    score = changed(small_bundle, temperature=2.0).classify(clip).score
    for threshold, expected in ((score - 0.01, False), (score + 0.01, True)):
        found = changed(small_bundle, temperature=2.0, reject_below=threshold).classify(clip)
        assert (found.rejected, found.score) == (expected, score)
        assert found.label in LABELS, "the best guess"


def test_scores_are_averaged_over_views(small_bundle: Path):
    frames = RandomFrames().read("x")
    sampling = Sampling(frames=FRAMES, views=("plain", "flip"))
    found = changed(small_bundle, sampling=sampling).scores_from_frames(frames)
    one = changed(small_bundle)
    alone = [one.scores_from_frames(view) for view in (frames, frames[:, :, ::-1])]
    assert np.abs(alone[0] - alone[1]).max() > 1e-4
    np.testing.assert_allclose(found, np.mean(alone, axis=0), atol=1e-6)


@pytest.mark.parametrize(
    ("views", "message"), [(("plain", "later"), "later"), (("warped",), "warped"), ((), "no view")]
)
def test_views_that_a_device_cannot_compute_are_refused(small_bundle: Path, views: Any, message: str):
    with pytest.raises(BundleError, match=message):
        changed(small_bundle, sampling=Sampling(frames=FRAMES, views=views))


def test_codes_of_a_backbone_without_a_network_are_its_frames(classifier: Classifier):
    frames = RandomFrames().read("x")
    codes = classifier.codes_from_frames(frames)
    assert codes.dtype == np.uint8
    how = classifier.report.backbone.preprocessing
    np.testing.assert_array_equal(codes, preprocess(frames, how).reshape(FRAMES, -1))
    np.testing.assert_array_equal(codes, classifier.codes_from_preprocessed(preprocess(frames, how)))


def test_threads_do_not_change_scores(small_bundle: Path):
    frames = RandomFrames().read("x")
    one, two = (Classifier(open_bundle(small_bundle), threads=n).scores_from_frames(frames) for n in (1, 2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("content", [b"", b"this is not a video\n" * 99])
def test_what_is_no_clip_is_a_clip_error(classifier: Classifier, tmp_path: Path, content: bytes):
    (tmp_path / "clip.mp4").write_bytes(content)
    with pytest.raises(ClipError):
        classifier.classify(tmp_path / "clip.mp4")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ("a", "b")}, "head.tflite's output is ((1, 3), 'float32'), but bundle.json says ((1, 2)"),
        ({"sampling": {"frames": 7}}, "head.tflite's input is ((1, 6, 192)"),
        ({"backbone": {"dim": 100}}, "the preprocessed frame is (192, 'uint8')"),
        ({"backbone": {"dtype": "float16"}}, "the preprocessed frame is (192, 'uint8')"),
    ],
)
def test_networks_that_do_not_fit_the_manifest_are_refused(
    small_bundle: Path, change: dict[str, Any], message: str
):
    opened = open_bundle(small_bundle)
    document = opened.report.model_dump()
    for name, value in change.items():
        document[name] = document[name] | value if isinstance(value, dict) else value
    with pytest.raises(BundleError) as caught:
        Classifier(Bundle(small_bundle, type(opened.report).model_validate(document)))
    assert message in str(caught.value)


def test_scores_that_are_not_finite_are_refused(small_bundle: Path, monkeypatch: pytest.MonkeyPatch):
    classifier = Classifier(open_bundle(small_bundle))
    scores = np.array([[np.nan, 0.5, 0.5]], np.float32)
    monkeypatch.setattr(classifier, "_head", lambda _: scores)  # what NaN gives depends on the CPU's kernels
    with pytest.raises(BundleError, match="NaN or infinity"):
        classifier.scores_from_features(np.zeros((FRAMES, 192), np.uint8))


def test_the_device_never_imports_what_it_lacks(small_bundle: Path, tmp_path: Path):
    bundle, clip = shutil.copytree(small_bundle, tmp_path / "bundle"), write_clip(tmp_path / "clip.mp4")
    picture = str(tmp_path / "timeline.svg")
    code = (
        "import sys, json\n"
        "from reelflow.cli import app\n"
        f"app(['classify', {str(bundle)!r}, {str(clip)!r}], standalone_mode=False)\n"
        f"app(['verify', {str(bundle)!r}], standalone_mode=False)\n"
        f"app(['timeline', {str(bundle)!r}, {str(clip)!r}, '--out', {picture!r}], standalone_mode=False)\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    heavy = {"tensorflow", "keras", "mlflow", "kfp", "dvc", "boto3", "yaml", "pyarrow", "pydantic_settings"}
    assert {"ai_edge_litert", "av", "numpy"} <= loaded
    assert not loaded & (heavy | {"matplotlib", "sklearn", "scipy", "jax", "torch"})
