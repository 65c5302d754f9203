"""The baselines step on clips whose files, or whose pictures, give the class away."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.baselines import step
from components.baselines.inputs import metadata, thumbnails
from components.baselines.models import score_held_out
from components.baselines.step import run
from reelflow.artifacts.clips import read_clips
from reelflow.artifacts.frames import FrameStore
from reelflow.artifacts.predictions import read_predictions
from reelflow.contracts import BaselinesReport, Clip, DatasetReport, FramesReport
from reelflow.errors import BundleError, DataError, ParamsError, StepError
from reelflow.params import load_params
from reelflow.progress import watched_by
from reelflow.splitting.protocols import Protocol, make_folds
from tests import fake_features as fake
from tests.fake_frames import write_shard

LABELS = ("down", "up")
PARAMS = load_params(Path("params.yaml")).baselines
COUNTS = {"train": 20, "validation": 4, "test": 8}
FRAMES = 5


def grey_of(clip: Clip, tells: bool) -> int:
    """How bright a clip is; brighter for `up` if pictures tell."""
    chance = np.random.default_rng(int(clip.clip_id, 16) % 2**32)
    return int(chance.integers(60, 120)) + 80 * (tells and clip.label == "up")


def larger(clip: Clip) -> Clip:
    """A clip whose file's size tells its class."""
    chance = np.random.default_rng(int(clip.clip_id, 16) % 2**32)
    return clip.model_copy(
        update={"size_bytes": int(chance.integers(1000, 2000)) * (4 if clip.label == "up" else 1)}
    )


def write_both(
    folder: Path,
    *,
    change: Callable[[Clip], Clip] = lambda clip: clip,
    pictures_tell: bool = False,
    without: int = 0,
) -> dict[str, Path]:
    """Folders of the dataset and the frames step; the last clips may have no frames."""
    clips = [change(clip) for clip in fake.make_clips(LABELS, COUNTS)]
    dataset = fake.write_dataset(folder / "dataset", clips, LABELS)
    have = clips[: len(clips) - without]
    write_stills(folder / "frames", have, DatasetReport.open(dataset).data_hash, pictures_tell)
    return {"dataset": dataset, "frames": folder / "frames"}


def still(clip: Clip, tells: bool) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24), (grey_of(clip, tells),) * 3).save(buffer, "JPEG")
    return buffer.getvalue()


def write_stills(folder: Path, clips: list[Clip], data_hash: str, tells: bool) -> None:
    folder.mkdir()
    shard = write_shard(folder / "shard.tar", {clip.clip_id: [still(clip, tells)] * FRAMES for clip in clips})
    report = FramesReport(data_hash=data_hash, count=FRAMES, jpeg_quality=95, shards=(shard,), quarantined=())
    report.save(folder)


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def neither(tmp_path_factory) -> dict[str, Path]:
    return write_both(tmp_path_factory.mktemp("neither"))


@pytest.fixture(scope="module")
def three_folds(tmp_path_factory, neither) -> tuple[Path, BaselinesReport]:
    """Baselines of clips that give nothing away, by three folds: their folder and report."""
    folder = tmp_path_factory.mktemp("baselines")
    return folder, run(PARAMS, protocol="group_kfold(3)", **neither, baselines=folder)


def test_a_file_size_that_gives_the_class_away_is_found(tmp_path):
    inputs = write_both(tmp_path, change=larger)
    report = run(PARAMS, protocol="holdout", **inputs, baselines=make(tmp_path / "baselines"))
    assert report.metrics["metadata_accuracy"] >= 0.9
    assert report.metrics["thumbnails_accuracy"] < 0.8


def test_brightness_that_gives_the_class_away_is_found(tmp_path):
    inputs = write_both(tmp_path, pictures_tell=True)
    report = run(PARAMS, protocol="holdout", **inputs, baselines=make(tmp_path / "baselines"))
    assert report.metrics["thumbnails_accuracy"] >= 0.9
    assert report.metrics["metadata_accuracy"] < 0.8


def test_without_a_shortcut_baselines_are_near_chance(three_folds):
    _, report = three_folds
    assert all(0.3 < value < 0.7 for value in report.metrics.values())


@pytest.mark.parametrize("protocol", ["holdout", "group_kfold(3)"])
def test_the_scored_clips_are_those_that_the_protocol_tests(tmp_path, neither, three_folds, protocol):
    folder, report = three_folds
    if protocol == "holdout":
        folder = make(tmp_path / "baselines")
        report = run(PARAMS, protocol=protocol, **neither, baselines=folder)
    clips = read_clips(neither["dataset"])
    folds = make_folds(clips, Protocol.parse(protocol))
    expected = [(clip.clip_id, number) for number, fold in enumerate(folds) for clip in fold.test]
    assert report.protocol == protocol
    assert [baseline.name for baseline in report.baselines] == ["metadata", "thumbnails"]
    for baseline in report.baselines:
        scores = read_predictions(folder, baseline.scored, len(LABELS))
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
        assert list(zip(baseline.scored.clip_ids, baseline.scored.folds, strict=True)) == expected
        truth = np.array(baseline.scored.truth)
        labels = {clip.clip_id: clip.label for clip in clips}
        assert [LABELS[place] for place in truth] == [labels[clip_id] for clip_id in baseline.scored.clip_ids]
        assert report.metrics[f"{baseline.name}_accuracy"] == np.mean(scores.argmax(axis=1) == truth)


def test_clips_without_frames_are_left_out(tmp_path):
    inputs = write_both(tmp_path, without=3)
    report = run(PARAMS, protocol="holdout", **inputs, baselines=make(tmp_path / "baselines"))
    assert len(report.baselines[0].scored.clip_ids) == 2 * COUNTS["test"] - 3


def test_one_process_and_several_give_the_same_bytes_and_progress_is_told(
    tmp_path, neither, three_folds, monkeypatch
):
    monkeypatch.setattr(step, "LONG_S", 0)
    events = []
    with watched_by(events.append):
        run(PARAMS, protocol="group_kfold(3)", **neither, baselines=make(tmp_path / "several"))
    files = sorted(path.name for path in (tmp_path / "several").iterdir())
    assert files == ["baselines.json", "metadata.npy", "thumbnails.npy"]
    for name in files:
        assert (tmp_path / "several" / name).read_bytes() == (three_folds[0] / name).read_bytes()
    done = [(event["done"], event["total"], event["unit"]) for event in events]
    assert (64, 64, "clips") in done
    assert {(folds, 3, "folds") for folds in range(1, 4)} <= {*done}


def score_here_alone(here: int, *fold):
    if os.getpid() != here:
        os.kill(os.getpid(), signal.SIGKILL)
    return score_held_out(*fold)


def test_a_process_that_is_ended_is_told(tmp_path, neither, monkeypatch):
    monkeypatch.setattr(step, "LONG_S", 0)
    monkeypatch.setattr(step, "score_held_out", partial(score_here_alone, os.getpid()))
    with pytest.raises(StepError, match="look at the memory"):
        run(PARAMS, protocol="group_kfold(5)", **neither, baselines=make(tmp_path / "baselines"))


@pytest.mark.slow
def test_the_command_takes_the_protocol_of_the_evaluation(tmp_path, neither, monkeypatch):
    monkeypatch.setenv("REELFLOW_EVENTS", str(tmp_path / "events.jsonl"))  # not to MLflow
    params = tmp_path / "params.yaml"
    text = Path("params.yaml").read_text()
    params.write_text(text.replace("protocol: holdout", "protocol: group_kfold(3, seed=1)"))
    paths = neither | {"baselines": tmp_path / "baselines", "params": params}
    options = [text for name, path in paths.items() for text in (f"--{name}", str(path))]
    command = [sys.executable, "-m", "components.baselines", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert BaselinesReport.open(tmp_path / "baselines").protocol == "group_kfold(3)"
    assert json.loads((tmp_path / "baselines" / "provenance.json").read_text())["options"] == {
        "protocol": "group_kfold(3)"
    }


def test_an_unknown_protocol_is_refused(tmp_path, neither):
    with pytest.raises(ParamsError, match=r"evaluation\.protocol: found 'once'"):
        run(PARAMS, protocol="once", **neither, baselines=tmp_path)


def test_frames_of_other_clips_are_refused(tmp_path, neither):
    write_stills(tmp_path / "frames", read_clips(neither["dataset"]), "0" * 64, tells=False)
    with pytest.raises(BundleError, match="frames of other clips"):
        run(PARAMS, protocol="holdout", **neither | {"frames": tmp_path / "frames"}, baselines=tmp_path)


def test_a_class_without_frames_is_named(tmp_path):
    inputs = write_both(tmp_path, without=32)
    with pytest.raises(DataError, match="holdout: no training clips with frames of up"):
        run(PARAMS, protocol="holdout", **inputs, baselines=tmp_path)


def test_a_thumbnail_is_a_small_grey_picture(tmp_path, neither):
    clips = read_clips(neither["dataset"])[:3]
    inputs = thumbnails(FrameStore(neither["frames"]), clips, 2)
    assert inputs.shape == (3, 2 * 192)
    for row, clip in zip(inputs, clips, strict=True):
        np.testing.assert_allclose(row, grey_of(clip, False) / 255, atol=2 / 255)


def test_metadata_is_finite_and_knows_no_label():
    clips = fake.make_clips(LABELS, {"train": 2, "validation": 1, "test": 1})
    odd = clips[0].model_copy(update={"duration_s": 0.0, "fps": 0.0, "codec": "vp9", "rotation": 90})
    inputs = metadata([odd, *clips[1:]])
    assert np.isfinite(inputs).all()
    assert len(np.unique(inputs[1:], axis=0)) == 1  # the clips differ in label, group and split only
    assert not np.array_equal(inputs[0], inputs[1])


def test_groups_are_not_cut_apart_while_the_model_is_chosen():
    """Each group has its own place and one class: only who has met the group can know it."""
    chance = np.random.default_rng(1)
    places, truth = chance.normal(size=(30, 8)) * 10, chance.integers(0, 2, 30)
    groups = [f"g{number}" for number in np.arange(30).repeat(6)]
    inputs = places.repeat(6, axis=0) + chance.normal(size=(180, 8))
    held_out = np.arange(150, 180)
    scores = score_held_out(inputs, truth.repeat(6), groups, np.arange(150), held_out, 2, seed=1)
    assert scores.max(axis=1).mean() < 0.9  # no model that learnt the groups by heart


def test_a_class_that_was_not_learnt_scores_nothing():
    inputs = np.arange(10.0)[:, None]
    truth = np.array([0, 0, 0, 0, 2, 2, 2, 2, 1, 1])
    scores = score_held_out(inputs, truth, list("aabbccddee"), np.arange(8), np.array([8, 9]), 3, seed=1)
    assert scores.shape == (2, 3)
    assert (scores[:, 1] == 0).all()
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
