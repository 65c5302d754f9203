"""The evaluation step on made-up scores."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from components.evaluation.step import run
from reelflow.artifacts.evaluations import BACKBONE_WEIGHTS, best_candidate, read_candidates
from reelflow.contracts import (
    BaselinesReport,
    DatasetReport,
    EvaluationReport,
    FeaturesReport,
    TrainingReport,
)
from reelflow.errors import BundleError, DataError, ParamsError
from reelflow.files import sha256_file
from reelflow.params import EvaluationParams, load_params
from tests import fake_features as fake
from tests import fake_scores

LABELS = ("down", "up")
PARAMS = load_params(Path("params.yaml")).evaluation.model_copy(update={"resamples": 200})
HEADS = {"gru": 0.7, "lstm": 0.9, "single_frame": 0.8}  # accuracy on the validation clips
RIGHT = 26 / 32


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("inputs")
    dataset, features = fake.write_both(folder)
    baselines = fake_scores.write_baselines(folder / "baselines", dataset)
    return {"dataset": dataset, "features": features, "baselines": baselines}


@pytest.fixture(scope="module")
def models(tmp_path_factory, inputs) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {
        head: write_training(folder / head, inputs, head, right=RIGHT, validated=validated)
        for head, validated in HEADS.items()
    }


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory, inputs, models) -> list[Path]:
    """Of every head."""
    parent = tmp_path_factory.mktemp("evaluations")
    folders = [make(parent / head) for head in HEADS]
    for folder in folders:
        run(PARAMS, **inputs, model=models[folder.name], evaluation=folder)
    return folders


def write_training(folder: Path, inputs: dict[str, Path], head: str = "gru", **how) -> Path:
    return fake_scores.write_training(folder, inputs["dataset"], inputs["features"], head, **how)


def evaluate(folder: Path, inputs: dict[str, Path], params: EvaluationParams = PARAMS, **how):
    """Train with made-up scores and evaluate."""
    model = write_training(folder / "model", inputs, **how)
    return run(params, **inputs, model=model, evaluation=make(folder / "out"))


def make(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def test_scores_and_metrics_are_those_that_training_left(evaluations, models):
    report, training = EvaluationReport.open(evaluations[0]), TrainingReport.open(models["gru"])
    scores = np.load(evaluations[0] / "scores.npy")
    assert scores.dtype == np.float32
    assert sha256_file(evaluations[0] / "scores.npy") == report.scores_sha256
    np.testing.assert_array_equal(scores, np.load(models["gru"] / "test.npy"))
    assert report.metrics["accuracy"] == RIGHT
    assert report.metrics["validation_accuracy"] == pytest.approx(0.7, abs=0.03)
    assert report.metrics["validation_loss"] > 0
    assert report.metrics["weighted_recall"] == pytest.approx(RIGHT)
    assert (report.clip_ids, report.truth) == (training.test.clip_ids, training.test.truth)
    assert np.trace(np.array(report.confusion)) == 26


def test_groups_are_those_of_the_clips(evaluations):
    report = EvaluationReport.open(evaluations[0])
    assert len(report.groups) == len(report.clip_ids) == 32
    assert set(report.groups) == {f"test{number}" for number in range(16)}


def test_top_k_is_as_many_as_there_are_classes(evaluations):
    report = EvaluationReport.open(evaluations[0])
    assert report.top_k == 2
    assert report.metrics["top5_accuracy"] == 1


def test_the_tables_tell_what_the_report_tells(evaluations):
    report = EvaluationReport.open(evaluations[0])
    assert json.loads((evaluations[0] / "metrics.json").read_text()) == report.metrics
    rows = list(csv.DictReader((evaluations[0] / "per_class.csv").read_text().splitlines()))
    assert [row["label"] for row in rows] == list(LABELS)
    assert [int(row["support"]) for row in rows] == [fake.COUNTS["test"]] * 2
    assert [float(row["recall"]) for row in rows] == [
        pytest.approx(row.recall, abs=1e-4) for row in report.per_class
    ]
    pairs = [
        tuple(row.values())
        for row in csv.DictReader((evaluations[0] / "confusion.csv").read_text().splitlines())
    ]
    for actual, row in zip(LABELS, report.confusion, strict=True):
        assert tuple(pairs.count((actual, predicted)) for predicted in LABELS) == row


def test_every_evaluation_keeps_what_it_stands_on(evaluations, inputs, models):
    candidates = read_candidates(evaluations[0].parent)
    assert [found.name for found in candidates] == sorted(f"thumbnail-{head}" for head in HEADS)
    assert best_candidate(candidates).name == "thumbnail-lstm"
    for found in candidates:
        assert sha256_file(found.model) == found.report.model_sha256
        assert TrainingReport.open(found.folder / "training") == TrainingReport.open(
            models[found.report.training.head]
        )
        assert FeaturesReport.open(found.folder / "features") == FeaturesReport.open(inputs["features"])
        assert len(found.scores()) == len(found.report.clip_ids)
        assert not found.backbone_weights.exists()


def test_a_fine_tuned_backbone_goes_where_its_model_goes(tmp_path, inputs, models):
    tuned = shutil.copytree(inputs["features"], tmp_path / "features")
    (tuned / BACKBONE_WEIGHTS).write_bytes(b"tuned")
    first = make(tmp_path / "first")
    run(PARAMS, **inputs | {"features": tuned}, model=models["gru"], evaluation=first)
    (only,) = read_candidates(first)
    assert only.backbone_weights.read_bytes() == b"tuned"


def test_running_again_gives_the_same_bytes(evaluations, inputs, models):
    files = [path for path in evaluations[1].rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in files}
    run(PARAMS, **inputs, model=models["lstm"], evaluation=evaluations[1])
    assert {path: path.read_bytes() for path in evaluations[1].rglob("*") if path.is_file()} == before


def test_many_classes_get_a_matrix_of_the_most_confused_ones(tmp_path):
    labels = tuple("abcdefgh")
    dataset, features = fake.write_both(tmp_path, labels, {"train": 1, "validation": 2, "test": 3})
    baselines = fake_scores.write_baselines(tmp_path / "baselines", dataset)
    report = evaluate(tmp_path, {"dataset": dataset, "features": features, "baselines": baselines})
    figures = {path.stem for path in (tmp_path / "out").glob("*.png")}
    whole = {"confusion", "confusion_normalised", "curves", "per_class", "reliability"}
    assert figures == whole | {"confusion_chosen"}
    assert report.top_k == 5
    assert report.metrics["accuracy"] <= report.metrics["top5_accuracy"] <= 1


def test_two_classes_get_one_only_if_chosen(tmp_path, evaluations, inputs, models):
    assert not (evaluations[0] / "confusion_chosen.png").exists()
    chosen = PARAMS.model_copy(update={"chosen_classes": ("up",)})
    run(chosen, **inputs, model=models["gru"], evaluation=make(tmp_path / "out"))
    assert (tmp_path / "out" / "confusion_chosen.png").is_file()


def test_an_unknown_chosen_class_is_named_with_the_known_ones(tmp_path, inputs, models):
    chosen = PARAMS.model_copy(update={"chosen_classes": ("up", "sideways")})
    with pytest.raises(ParamsError, match="names sideways; the classes are down, up"):
        run(chosen, **inputs, model=models["gru"], evaluation=tmp_path)


@pytest.mark.parametrize("split", ["test", "validation"])
def test_no_clips_to_measure_is_an_error(tmp_path, split):
    counts = {"train": 2, "validation": 2, "test": 2} | {split: 0}
    dataset, features = fake.write_both(tmp_path, counts=counts)
    baselines = fake_scores.write_baselines(tmp_path / "baselines", dataset)
    with pytest.raises(DataError, match=f"no clips with features in the {split} split"):
        evaluate(tmp_path, {"dataset": dataset, "features": features, "baselines": baselines})


def test_a_model_of_other_features_is_refused(tmp_path, inputs, models):
    clips = fake.make_clips(LABELS, {"train": 2, "validation": 2, "test": 2})
    features = fake.write_features(tmp_path / "features", clips, LABELS)
    with pytest.raises(BundleError, match="trained on other features"):
        run(PARAMS, **inputs | {"features": features}, model=models["gru"], evaluation=tmp_path)


def test_a_model_of_other_classes_is_refused(tmp_path, inputs):
    with pytest.raises(BundleError, match=r"the model .* or other classes than the data set"):
        evaluate(tmp_path, inputs, labels=("left", "right"))


def test_baselines_of_other_clips_are_refused(tmp_path, inputs, models):
    clips = fake.make_clips(LABELS, {"train": 2, "validation": 2, "test": 2})
    baselines = fake_scores.write_baselines(
        tmp_path / "baselines", fake.write_dataset(tmp_path / "dataset", clips, LABELS)
    )
    with pytest.raises(BundleError, match=r"the baselines in .* knows other clips"):
        run(PARAMS, **inputs | {"baselines": baselines}, model=models["gru"], evaluation=tmp_path)


def test_baselines_that_lack_a_test_clip_are_refused(tmp_path, inputs, models):
    baselines = shutil.copytree(inputs["baselines"], tmp_path / "baselines")
    report = BaselinesReport.open(baselines)
    first, second = report.baselines
    shorter = first.scored.model_copy(
        update={name: getattr(first.scored, name)[1:] for name in ("clip_ids", "truth", "folds")}
    )
    report.model_copy(update={"baselines": (first.model_copy(update={"scored": shorter}), second)}).save(
        baselines
    )
    with pytest.raises(BundleError, match=r"metadata baseline .* tested on 31 clips, the model on 32"):
        run(PARAMS, **inputs | {"baselines": baselines}, model=models["gru"], evaluation=tmp_path)


@pytest.mark.parametrize("which", ["model", "baselines", "both"])
def test_another_protocol_is_refused_with_both_names(tmp_path, inputs, which):
    protocol = "group_kfold(4)"
    model = write_training(
        tmp_path / "model", inputs, protocol="holdout" if which == "baselines" else protocol
    )
    baselines = tmp_path / "baselines"
    fake_scores.write_baselines(
        baselines, inputs["dataset"], protocol="holdout" if which == "model" else protocol
    )
    with pytest.raises(BundleError, match=r"by group_kfold\(4\), but evaluation.protocol is holdout"):
        run(PARAMS, **inputs | {"baselines": baselines}, model=model, evaluation=make(tmp_path / "out"))


def test_a_data_set_whose_clips_are_of_other_classes_is_refused(tmp_path, inputs, models):
    dataset = shutil.copytree(inputs["dataset"], tmp_path / "dataset")
    baselines = shutil.copytree(inputs["baselines"], tmp_path / "baselines")
    model = shutil.copytree(models["gru"], tmp_path / "model")
    for kind, folder in ((DatasetReport, dataset), (BaselinesReport, baselines), (TrainingReport, model)):
        kind.open(folder).model_copy(update={"labels": ("down", "left")}).save(folder)
    changed = inputs | {"dataset": dataset, "baselines": baselines}
    with pytest.raises(BundleError, match="as left; in the data set it is up: run the step that wrote it"):
        run(PARAMS, **changed, model=model, evaluation=make(tmp_path / "out"))


@pytest.mark.parametrize("file", ["model.keras", "test.npy", "validation.npy"])
def test_an_altered_training_folder_is_refused(tmp_path, inputs, models, file):
    model = shutil.copytree(models["gru"], tmp_path / "model")
    (model / file).write_bytes((models["lstm"] / file).read_bytes() + b" ")
    with pytest.raises(BundleError, match=f"{file} is not the .* that its report names"):
        run(PARAMS, **inputs, model=model, evaluation=make(tmp_path / "out"))


def test_the_command_evaluates_and_imports_no_tensorflow(tmp_path, inputs, models, evaluations, monkeypatch):
    monkeypatch.setenv("REELFLOW_EVENTS", str(tmp_path / "events.jsonl"))  # not to MLflow
    params = tmp_path / "params.yaml"
    params.write_text(Path("params.yaml").read_text().replace("resamples: 2000", "resamples: 200"))
    paths = inputs | {
        "model": models["lstm"],
        "evaluation": tmp_path / "out",
        "params": params,
    }
    options = [text for name, path in paths.items() for text in (f"--{name}", str(path))]
    command = [sys.executable, "-X", "importtime", "-m", "components.evaluation", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert (done.returncode, done.stdout, said) == (0, "", [])
    assert "numpy" in imported
    assert not imported & {"tensorflow", "keras"}
    assert EvaluationReport.open(tmp_path / "out") == EvaluationReport.open(evaluations[1])
