"""Training by other protocols than holdout: folds, what they are pooled to, and the deployed model."""

from pathlib import Path

import numpy as np
import pytest

from components.training.step import run
from reelflow.artifacts.clips import read_clips
from reelflow.artifacts.predictions import read_predictions
from reelflow.contracts import TrainingReport
from reelflow.errors import DataError, ParamsError
from reelflow.nets.examples import load_examples
from reelflow.nets.saved import load_head
from reelflow.progress import watched_by
from reelflow.splitting.protocols import Protocol, make_folds
from tests import fake_features as fake
from tests.slowly import slow

THREE = "group_kfold(3)"
QUICK = {"learning_rate": 0.01, "batch_size": 32, "epochs": 8, "patience": 3, "units": 8, "dense_units": 16}
FILES = ["curves.csv", "deployed.npy", "model.keras", "test.npy", "training.json", "validation.npy"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, Path]:
    dataset, features = fake.write_both(tmp_path_factory.mktemp("inputs"))
    return {"dataset": dataset, "features": features}


def train(folder: Path, inputs: dict[str, Path], head: str, protocol: str = THREE, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    params = fake.training_params(**QUICK | changes)
    return run(params, head=head, protocol=protocol, **inputs, model=folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, inputs) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train(folder, inputs, "gru")
    return folder


def folds_of(inputs: dict[str, Path]):
    return make_folds(read_clips(inputs["dataset"]), Protocol.parse(THREE))


def test_every_clip_is_tested_once_by_the_fold_that_holds_it_out(trained, inputs):
    report = TrainingReport.open(trained)
    assert report.protocol == THREE
    expected = [(clip.clip_id, place) for place, fold in enumerate(folds_of(inputs)) for clip in fold.test]
    assert list(zip(report.test.clip_ids, report.test.folds, strict=True)) == expected
    assert len({clip_id for clip_id, _ in expected}) == len(read_clips(inputs["dataset"]))
    for found, fold in zip(report.folds, folds_of(inputs), strict=True):
        assert (found.name, found.test_clips) == (fold.name, len(fold.test))
        assert (found.train_clips, found.validation_clips) == (len(fold.train), len(fold.validation))


def test_validation_scores_are_pooled_and_give_the_metrics(trained, inputs):
    report = TrainingReport.open(trained)
    expected = [(clip.clip_id, at) for at, fold in enumerate(folds_of(inputs)) for clip in fold.validation]
    assert list(zip(report.validation.clip_ids, report.validation.folds, strict=True)) == expected
    scores = read_predictions(trained, report.validation, classes=2)
    truth = np.array(report.validation.truth)
    right = scores[np.arange(len(truth)), truth]
    assert report.metrics["validation_accuracy"] == pytest.approx((scores.argmax(axis=1) == truth).mean())
    assert report.metrics["validation_loss"] == pytest.approx(-np.log(right).mean(), rel=1e-5)


def test_the_deployed_model_is_trained_on_all_clips_for_the_median_epoch(trained, inputs):
    report = TrainingReport.open(trained)
    best = sorted(fold.best_epoch for fold in report.folds)
    assert report.best_epoch == best[1]
    losses = report.curves["validation_loss"]  # of a fold with this best epoch
    assert losses.index(min(losses)) + 1 == report.best_epoch
    assert report.epochs_run == len(losses)
    examples, _ = load_examples(**inputs)
    assert report.deployed.clip_ids == tuple(clip.clip_id for clip in examples.clips)
    network = load_head(trained / "model.keras", sha256=report.model_sha256)
    scores = network.predict_on_batch(examples.features(np.arange(len(examples.clips))))
    np.testing.assert_allclose(read_predictions(trained, report.deployed, classes=2), scores, atol=1e-6)


def test_the_folder_holds_the_files_and_nothing_else(trained):
    assert sorted(path.name for path in trained.iterdir()) == FILES


def test_folds_draw_their_own_chance_and_begin_with_the_same_weights(tmp_path, inputs):
    events = []
    with watched_by(events.append):
        train(tmp_path, inputs, "single_frame", epochs=1)
    epochs = [event for event in events if event["kind"] == "epoch"]
    assert [event["fold"] for event in epochs] == ["fold 1", "fold 2", "fold 3", "all clips"]
    assert "validation_loss" not in epochs[-1]
    done = [(event["done"], event["total"]) for event in events if event["kind"] == "progress"]
    assert done[0] == (0, 4)
    assert done[-1] == (4, 4)
    assert [one for one, _ in done] == sorted(one for one, _ in done)


class Killed(BaseException):
    pass


def killer(fold: str, epoch: int):
    def sink(event) -> None:
        if event["kind"] == "epoch" and (event["fold"], event["epoch"]) == (fold, epoch):
            raise Killed

    return sink


@pytest.mark.parametrize(("fold", "epoch"), [slow("fold 2", 2), slow("all clips", 1)])
def test_a_killed_training_keeps_finished_folds_and_ends_the_same(tmp_path, inputs, trained, fold, epoch):
    how = {"head": "gru", "checkpoint_every_s": 0}
    with pytest.raises(Killed), watched_by(killer(fold, epoch)):
        train(tmp_path, inputs, **how)
    events = []
    with watched_by(events.append):
        train(tmp_path, inputs, **how)
    first = next(event for event in events if event["kind"] == "epoch")
    assert (first["fold"], first["epoch"]) >= (fold, epoch) or first["fold"] == "all clips"
    assert not any(event.get("fold") == "fold 1" for event in events)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes(), name


@pytest.mark.slow
def test_a_damaged_outcome_of_a_fold_is_made_again(tmp_path, inputs, trained):
    with pytest.raises(Killed), watched_by(killer("fold 2", 1)):
        train(tmp_path, inputs, "gru")
    (kept,) = tmp_path.rglob("0.npz")
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 0xFF
    kept.write_bytes(content)
    events = []
    with watched_by(events.append):
        train(tmp_path, inputs, "gru")
    assert "is damaged and ignored" in events[0]["message"]
    assert next(event["fold"] for event in events if event["kind"] == "epoch") == "fold 1"
    assert (tmp_path / "training.json").read_bytes() == (trained / "training.json").read_bytes()


def test_a_fold_without_a_class_to_train_on_is_named(tmp_path):
    labels = ("down", "rare", "up")
    clips = fake.make_clips(labels, {"train": 4, "validation": 2, "test": 2})
    dataset = fake.write_dataset(tmp_path / "dataset", clips, labels)
    known = [clip for clip in clips if clip.label != "rare" or clip.group == "train0"]
    features = fake.write_features(tmp_path / "features", known, labels, fake.data_hash(clips))
    with pytest.raises(DataError, match=r"^\w+\d: no clips to train on of rare"):
        train(tmp_path / "model", {"dataset": dataset, "features": features}, "gru", "leave_one_group_out")


def test_an_unknown_protocol_is_explained(tmp_path, inputs):
    with pytest.raises(ParamsError, match=r"evaluation.protocol: found 'twice'"):
        train(tmp_path / "model", inputs, "gru", "twice")


@pytest.mark.parametrize("protocol", [THREE, "holdout"])
def test_a_linear_head_is_fitted_on_train_and_validation_clips(tmp_path, inputs, protocol):
    report = train(tmp_path, inputs, "segment_linear", protocol)
    first = report.folds[0]
    assert (report.best_epoch, report.epochs_run, report.stopped_early) == (1, 1, False)
    assert {name: len(values) for name, values in report.curves.items()} == dict.fromkeys(report.curves, 1)
    assert report.validation.folds.count(0) == first.train_clips + first.validation_clips
    scores, truth = read_predictions(tmp_path, report.test, classes=2), np.array(report.test.truth)
    assert (scores.argmax(axis=1) == truth).mean() > 0.9
    network = load_head(tmp_path / "model.keras", sha256=report.model_sha256)
    examples, clips = load_examples(**inputs)
    rows = examples.rows_of([clip for clip in clips if clip.clip_id in set(report.deployed.clip_ids)])
    deployed = network.predict_on_batch(examples.features(rows))
    np.testing.assert_allclose(read_predictions(tmp_path, report.deployed, classes=2), deployed, atol=1e-6)


def test_features_of_a_tuned_backbone_allow_no_folds(tmp_path):
    dataset, features = fake.write_both(tmp_path / "inputs")
    (features / "backbone.weights.h5").write_bytes(b"tuned")
    with pytest.raises(ParamsError, match="was fine-tuned on clips that"):
        train(tmp_path / "model", {"dataset": dataset, "features": features}, "single_frame")
