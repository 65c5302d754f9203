"""The evaluation step on made-up features and untrained heads."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from components.evaluation.step import run
from reelflow.contracts import DatasetReport, EvaluationReport
from reelflow.errors import BundleError, DataError, ParamsError
from reelflow.files import sha256_file
from reelflow.nets.examples import load_splits
from reelflow.nets.saved import load_head
from reelflow.params import EvaluationParams
from reelflow.stores.evaluations import best_candidate, read_candidates
from tests import fake_features as fake

LABELS = ("down", "up")
PARAMS = EvaluationParams(top_k=5, chosen_classes=(), batch_size=10)
HEADS = ("gru", "lstm", "single_frame")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, Path]:
    dataset, features = fake.write_both(tmp_path_factory.mktemp("inputs"))
    return {"dataset": dataset, "features": features}


@pytest.fixture(scope="module")
def models(tmp_path_factory, inputs) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {head: fake.write_model(folder / head, inputs["features"], LABELS, head) for head in HEADS}


@pytest.fixture(scope="module")
def chain(tmp_path_factory, inputs, models) -> list[Path]:
    """Evaluations of every head, each with the ones before."""
    folders: list[Path] = []
    for head, model in models.items():
        folder = tmp_path_factory.mktemp(f"evaluation-{head}")
        run(PARAMS, **inputs, model=model, evaluation=folder, previous=folders[-1] if folders else None)
        folders.append(folder)
    return folders


def test_scores_and_metrics_are_those_of_the_model(chain, inputs, models):
    report = EvaluationReport.open(chain[0])
    splits = load_splits(**inputs, needed=())
    network = load_head(models["gru"] / "model.keras")
    expected = {}
    for split in ("validation", "test"):
        examples = splits[split]
        scores = network.predict_on_batch(examples.features(np.arange(len(examples.truth))))
        expected[split] = (scores, np.mean(scores.argmax(axis=1) == examples.truth))
    scores = np.load(chain[0] / "scores.npy")
    assert scores.dtype == np.float32
    assert sha256_file(chain[0] / "scores.npy") == report.scores_sha256
    np.testing.assert_allclose(scores, expected["test"][0], atol=1e-6)
    assert report.metrics["accuracy"] == expected["test"][1]
    assert report.metrics["validation_accuracy"] == expected["validation"][1]
    assert report.metrics["weighted_recall"] == pytest.approx(report.metrics["accuracy"])
    assert report.clip_ids == splits["test"].clip_ids
    assert report.truth == tuple(splits["test"].truth)
    assert np.trace(np.array(report.confusion)) == report.metrics["accuracy"] * len(report.truth)


def test_top_k_is_as_many_as_there_are_classes(chain):
    report = EvaluationReport.open(chain[0])
    assert report.top_k == 2
    assert report.metrics["top5_accuracy"] == 1


def test_the_tables_tell_what_the_report_tells(chain):
    report = EvaluationReport.open(chain[0])
    assert json.loads((chain[0] / "metrics.json").read_text()) == report.metrics
    rows = list(csv.DictReader((chain[0] / "per_class.csv").read_text().splitlines()))
    assert [row["label"] for row in rows] == list(LABELS)
    assert [int(row["support"]) for row in rows] == [fake.COUNTS["test"]] * 2
    assert [float(row["recall"]) for row in rows] == [
        pytest.approx(row.recall, abs=1e-4) for row in report.per_class
    ]
    pairs = [
        tuple(row.values()) for row in csv.DictReader((chain[0] / "confusion.csv").read_text().splitlines())
    ]
    for actual, row in zip(LABELS, report.confusion, strict=True):
        assert tuple(pairs.count((actual, predicted)) for predicted in LABELS) == row


def test_candidates_are_carried_along_and_only_the_best_model(chain, models):
    for length, folder in enumerate(chain, start=1):
        candidates = read_candidates(folder)
        assert [found.name for found in candidates] == sorted(f"thumbnail-{head}" for head in HEADS[:length])
        best = best_candidate(candidates)
        assert [found.name for found in candidates if found.model.is_file()] == [best.name]
        assert sha256_file(best.model) == best.report.model_sha256
        assert best.report.metrics["validation_accuracy"] == max(
            found.report.metrics["validation_accuracy"] for found in candidates
        )
        for found in candidates:
            assert len(found.scores()) == len(found.report.clip_ids)
            assert (found.folder / "confusion.png").is_file()
    assert EvaluationReport.open(chain[-1]).name == "thumbnail-single_frame"


def test_running_again_gives_the_same_bytes(chain, inputs, models):
    files = [path for path in chain[1].rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in files}
    run(PARAMS, **inputs, model=models["lstm"], evaluation=chain[1], previous=chain[0])
    assert {path: path.read_bytes() for path in chain[1].rglob("*") if path.is_file()} == before


def test_many_classes_get_a_matrix_of_the_most_confused_ones(tmp_path):
    labels = tuple("abcdefgh")
    dataset, features = fake.write_both(tmp_path, labels, {"train": 1, "validation": 2, "test": 3})
    model = fake.write_model(tmp_path / "model", features, labels, "single_frame")
    report = run(PARAMS, dataset=dataset, features=features, model=model, evaluation=make(tmp_path / "out"))
    figures = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert figures == {"confusion.png", "confusion_normalised.png", "confusion_chosen.png", "per_class.png"}
    assert report.top_k == 5
    assert report.metrics["accuracy"] <= report.metrics["top5_accuracy"] <= 1


def test_two_classes_get_one_only_if_chosen(tmp_path, chain, inputs, models):
    assert not (chain[0] / "confusion_chosen.png").exists()
    chosen = PARAMS.model_copy(update={"chosen_classes": ("up",)})
    run(chosen, **inputs, model=models["gru"], evaluation=make(tmp_path / "out"))
    assert (tmp_path / "out" / "confusion_chosen.png").is_file()


def test_an_unknown_chosen_class_is_named_with_the_known_ones(tmp_path, inputs, models):
    chosen = PARAMS.model_copy(update={"chosen_classes": ("up", "sideways")})
    with pytest.raises(ParamsError, match="names sideways; the classes are down, up"):
        run(chosen, **inputs, model=models["gru"], evaluation=tmp_path)


def test_no_clips_to_test_on_is_an_error(tmp_path):
    dataset, features = fake.write_both(tmp_path, counts={"train": 2, "validation": 2, "test": 0})
    model = fake.write_model(tmp_path / "model", features, LABELS, "single_frame")
    with pytest.raises(DataError, match="no clips with features in the test split"):
        run(PARAMS, dataset=dataset, features=features, model=model, evaluation=make(tmp_path / "out"))


def test_a_model_of_other_features_is_refused(tmp_path, inputs, models):
    clips = fake.make_clips(LABELS, {"train": 2, "validation": 2, "test": 2})
    features = fake.write_features(tmp_path / "features", clips, LABELS)
    with pytest.raises(BundleError, match="trained on other features"):
        run(PARAMS, **inputs | {"features": features}, model=models["gru"], evaluation=tmp_path)


def test_a_model_of_other_classes_is_refused(tmp_path, inputs):
    model = fake.write_model(tmp_path / "model", inputs["features"], ("left", "right"), "gru")
    with pytest.raises(BundleError, match="trained on other classes"):
        run(PARAMS, **inputs, model=model, evaluation=make(tmp_path / "out"))


def test_a_data_set_that_contradicts_itself_is_refused(tmp_path, inputs, models):
    dataset = shutil.copytree(inputs["dataset"], tmp_path / "dataset")
    report = DatasetReport.open(dataset)
    report.model_copy(update={"labels": ("down", "left")}).save(dataset)
    model = fake.write_model(tmp_path / "model", inputs["features"], ("down", "left"), "gru")
    changed = inputs | {"dataset": dataset}
    with pytest.raises(BundleError, match="other classes than its clips have"):
        run(PARAMS, **changed, model=model, evaluation=make(tmp_path / "out"))


def test_an_altered_model_is_refused(tmp_path, inputs, models):
    model = make(tmp_path / "model")
    for path in models["gru"].iterdir():
        (model / path.name).write_bytes(path.read_bytes())
    (model / "model.keras").write_bytes((models["lstm"] / "model.keras").read_bytes())
    with pytest.raises(BundleError, match="its report says"):
        run(PARAMS, **inputs, model=model, evaluation=make(tmp_path / "out"))


def test_the_command_chains_evaluations_without_a_word_of_tensorflow(
    tmp_path, inputs, models, chain, monkeypatch
):
    monkeypatch.setenv("REELFLOW_EVENTS", str(tmp_path / "events.jsonl"))  # not to MLflow
    paths = inputs | {"model": models["lstm"], "previous": chain[0], "evaluation": tmp_path / "out"}
    options = [text for name, path in paths.items() for text in (f"--{name}", str(path))]
    command = [sys.executable, "-m", "components.evaluation", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert EvaluationReport.open(tmp_path / "out") == EvaluationReport.open(chain[1])
    assert read_candidates(tmp_path / "out")[0].report == read_candidates(chain[1])[0].report


def make(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
