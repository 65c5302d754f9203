"""Distillation: a small head learns from a larger one's scores."""

from pathlib import Path

import numpy as np
import pytest

from components.training.step import run
from reelflow.artifacts.predictions import read_predictions
from reelflow.contracts import Clip, DatasetReport, TrainingReport
from reelflow.errors import BundleError, ParamsError
from reelflow.nets.examples import load_examples
from reelflow.nets.saved import load_head
from reelflow.progress import watched_by
from reelflow.provenance.step import describe_step
from reelflow.settings import Settings
from reelflow.tracking.teachers import gathered
from tests import fake_features as fake

LABELS = ("a", "b", "c", "d")
COUNTS = {"train": 16, "validation": 4, "test": 8}
STUDENT = {"learning_rate": 0.02, "epochs": 20, "patience": 20, "units": 8, "dense_units": 16}
STUDENT |= {"dropout": 0, "input_dropout": 0.2}
NEXT = {"a": "b", "b": "c", "c": "d", "d": "a"}


def mislabelled(clip: Clip) -> Clip:
    """Half of the training clips get another label."""
    is_wrong = clip.split == "train" and int(clip.group.removeprefix("train")) % 2
    return clip.model_copy(update={"label": NEXT[clip.label]}) if is_wrong else clip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, Path]:
    folder, clips = tmp_path_factory.mktemp("inputs"), fake.make_clips(LABELS, COUNTS)
    wrong = list(map(mislabelled, clips))
    dataset = fake.write_dataset(folder / "dataset", wrong, LABELS)
    features = fake.write_features(folder / "features", clips, LABELS, fake.data_hash(wrong))
    return {"dataset": dataset, "features": features}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory, inputs) -> Path:
    """One that knows better: it was trained on the right labels, and passes for one of the wrong ones."""
    folder = tmp_path_factory.mktemp("teacher")
    dataset, features = fake.write_both(folder, LABELS, COUNTS)
    report = train(folder / "model", {"dataset": dataset, "features": features}, [], units=24)
    data_hash = DatasetReport.open(inputs["dataset"]).data_hash
    report.model_copy(update={"data_hash": data_hash}).save(folder / "model")
    return folder / "model"


def train(folder: Path, inputs: dict[str, Path], teachers: list[Path], head: str = "gru", **changes):
    folder.mkdir(parents=True)
    protocol = changes.pop("protocol", "holdout")
    params = fake.training_params(**STUDENT | changes, teacher=tuple(map(str, teachers)))
    with gathered(params.teacher, Settings()) as found:
        return run(params, head=head, protocol=protocol, **inputs, model=folder, **found)


def answers(folder: Path) -> np.ndarray:
    return read_predictions(folder, TrainingReport.open(folder).test, classes=4).argmax(axis=1)


@pytest.mark.slow
def test_a_small_student_agrees_more_with_its_teacher_than_without(tmp_path, inputs, teacher):
    taught = train(tmp_path / "taught", inputs, [teacher], teacher_weight=0.9)
    train(tmp_path / "alone", inputs, [])
    assert taught.parameters < TrainingReport.open(teacher).parameters / 2
    expected = answers(teacher)
    agreement = [(answers(tmp_path / name) == expected).mean() for name in ("taught", "alone")]
    assert agreement[0] > 0.9
    assert agreement[1] < agreement[0] - 0.2


@pytest.mark.slow
def test_several_teachers_teach_their_mean(tmp_path, inputs, teacher):
    from components.training.distillation import distilled_scores
    from components.training.folds import fold_rows
    from reelflow.splitting.protocols import Protocol

    other = fake.write_model(tmp_path / "other", inputs["features"], LABELS, "lstm", seed=5)
    examples, clips = load_examples(**inputs)
    (fold,) = fold_rows(examples, clips, Protocol.parse("holdout"))
    with gathered([str(teacher), str(other / "model.keras")], Settings()) as found:
        scores = distilled_scores(found["teachers"], examples, fold, fake.training_params())
    assert scores.shape == (len(clips), 1, 4)
    networks = [load_head(folder / "model.keras") for folder in (teacher, other)]
    each = [network.predict_on_batch(examples.features(fold.train)) for network in networks]
    np.testing.assert_allclose(scores[fold.train, 0], (each[0] + each[1]) / 2, atol=1e-6)
    assert not scores[fold.test].any()


def test_a_linear_head_has_no_use_for_a_teacher_and_says_so(tmp_path, inputs, teacher):
    events = []
    with watched_by(events.append):
        train(tmp_path / "taught", inputs, [teacher], "segment_linear")
    assert any("teacher is not used" in event.get("message", "") for event in events)


def test_a_teacher_of_other_labels_is_refused(tmp_path, inputs):
    other = fake.write_model(tmp_path / "other", inputs["features"], ("a", "b", "c", "e"), "gru")
    with pytest.raises(BundleError, match="has the classes a, b, c, e, the clips have a, b, c, d"):
        train(tmp_path / "model", inputs, [other])


def test_a_teacher_of_other_features_is_refused(tmp_path, inputs, teacher):
    other = fake.write_model(tmp_path / "other", inputs["features"], LABELS, "gru")
    TrainingReport.open(other).model_copy(update={"frames": 9}).save(other)
    with pytest.raises(BundleError, match="expects 9 frames of thumbnail"):
        train(tmp_path / "model", inputs, [other])


def test_a_teacher_that_sees_all_views_at_once_is_refused_by_one_that_does_not(tmp_path, inputs):
    other = fake.write_model(tmp_path / "other", inputs["features"], LABELS, "gru")
    TrainingReport.open(other).model_copy(update={"beside": True}).save(other)
    with pytest.raises(BundleError, match="sees the views plain side by side"):
        train(tmp_path / "model", inputs, [other])


@pytest.mark.parametrize("change", [{"data_hash": "7" * 64}, {"protocol": "group_kfold(5)"}])
def test_a_teacher_that_may_have_seen_the_test_clips_is_refused(tmp_path, inputs, change):
    other = fake.write_model(tmp_path / "other", inputs["features"], LABELS, "gru")
    TrainingReport.open(other).model_copy(update=change).save(other)
    with pytest.raises(BundleError, match="may have seen clips that are held out"):
        train(tmp_path / "model", inputs, [other])


def test_a_teacher_is_refused_by_other_protocols_than_holdout(tmp_path, inputs, teacher):
    with pytest.raises(ParamsError, match=r"trained on clips that some fold tests; use .* holdout"):
        train(tmp_path / "model", inputs, [teacher], protocol="group_kfold(3)")


def test_an_altered_teacher_is_refused(tmp_path, inputs):
    other = fake.write_model(tmp_path / "other", inputs["features"], LABELS, "gru")
    with (other / "model.keras").open("ab") as file:
        file.write(b"more")
    with pytest.raises(BundleError, match="its report says"):
        train(tmp_path / "model", inputs, [other])


def test_the_key_of_a_training_depends_on_the_teacher_s_content_not_its_place(tmp_path, inputs, teacher):
    def key(folder: Path) -> str:
        with gathered([str(folder)], Settings()) as found:
            return describe_step("training", fake.training_params(), {**inputs, **found}, {}).key

    folders = {name: tmp_path / name for name in ("one", "same", "other")}
    for name, folder in folders.items():
        fake.write_model(folder, inputs["features"], LABELS, "gru", seed=2 if name == "other" else 1)
    assert key(folders["one"]) == key(folders["same"]) != key(folders["other"])
