"""The training step on made-up features."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from components.training import train as training
from components.training.learners import linear_learner as linear
from components.training.step import run
from reelflow.contracts import TrainingReport
from reelflow.errors import BundleError, DataError, ParamsError
from reelflow.files import sha256_file
from reelflow.nets.examples import load_examples
from reelflow.nets.saved import load_head
from reelflow.progress import watched_by
from reelflow.steps import perform
from tests import fake_features as fake

QUICK = {"learning_rate": 0.003, "batch_size": 16, "epochs": 40, "patience": 40, "units": 8}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, Path]:
    dataset, features = fake.write_both(tmp_path_factory.mktemp("inputs"))
    return {"dataset": dataset, "features": features}


def train(
    folder: Path, inputs: dict[str, Path], head: str = "gru", protocol: str = "holdout", **changes
) -> TrainingReport:
    folder.mkdir(parents=True, exist_ok=True)
    return run(fake.training_params(**QUICK | changes), head=head, protocol=protocol, **inputs, model=folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, inputs) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train(folder, inputs)
    return folder


def test_a_recurrent_head_learns_the_order_of_frames_and_a_single_frame_does_not(tmp_path, inputs, trained):
    single = train(tmp_path / "single", inputs, "single_frame")
    assert TrainingReport.open(trained).metrics["validation_accuracy"] >= 0.9
    assert single.metrics["validation_accuracy"] <= 0.75


def test_the_report_tells_what_was_done(trained, inputs):
    report = TrainingReport.open(trained)
    assert report.head == "gru"
    assert report.labels == ("down", "up")
    assert report.epochs_run == report.metrics["epochs"] == len(report.curves["train_loss"])
    losses = report.curves["validation_loss"]
    assert report.best_epoch == losses.index(min(losses)) + 1
    assert report.metrics["validation_loss"] == min(losses)
    assert (
        report.metrics["validation_accuracy"] == report.curves["validation_accuracy"][report.best_epoch - 1]
    )
    gru, norm, dense, dense_norm, scores = 3 * (8 * 8 + 8 * 8 + 16), 16, 8 * 512 + 512, 1024, 1026
    assert report.parameters == gru + norm + dense + dense_norm + scores


def test_the_model_is_that_of_the_best_epoch(trained, inputs):
    report = TrainingReport.open(trained)
    examples, clips = load_examples(**inputs)
    rows = examples.rows_of([clip for clip in clips if clip.split == "validation"])
    model = load_head(trained / "model.keras", sha256=report.model_sha256)
    scores = model.predict_on_batch(examples.features(rows))
    right = scores[np.arange(len(scores)), examples.truth[rows]]
    assert -np.log(right).mean() == pytest.approx(report.metrics["validation_loss"], rel=1e-4)


def test_the_folder_holds_the_files_and_nothing_else(trained):
    names = sorted(path.name for path in trained.iterdir())
    assert names == ["curves.csv", "model.keras", "test.npy", "training.json", "validation.npy"]
    report = TrainingReport.open(trained)
    assert sha256_file(trained / "model.keras") == report.model_sha256
    rows = list(csv.DictReader((trained / "curves.csv").read_text().splitlines()))
    assert [int(row["epoch"]) for row in rows] == list(range(1, report.epochs_run + 1))
    assert float(rows[3]["train_loss"]) == pytest.approx(report.curves["train_loss"][3], abs=1e-6)


def test_training_stops_when_the_validation_loss_stalls_and_tells_every_epoch(tmp_path, inputs):
    events = []
    with watched_by(events.append):
        report = train(tmp_path / "model", inputs, "single_frame", patience=2)
    assert report.stopped_early
    assert report.epochs_run == report.best_epoch + 2 < QUICK["epochs"]
    epochs = [event for event in events if event["kind"] == "epoch"]
    assert [event["epoch"] for event in epochs] == list(range(1, report.epochs_run + 1))
    assert all(event["seconds"] > 0 for event in epochs)
    assert epochs[0]["learning_rate"] == pytest.approx(QUICK["learning_rate"], rel=0.01)
    assert epochs[1]["validation_loss"] == report.curves["validation_loss"][1]
    done = [(event["done"], event["total"]) for event in events if event["kind"] == "progress"]
    assert done[0] == (0, QUICK["epochs"])
    assert done[-1] == (report.epochs_run, report.epochs_run)


def write_params(path: Path, **changes) -> Path:
    document = yaml.safe_load(Path("params.large.yaml").read_text())
    document["training"] |= QUICK | changes
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.slow  # tests/components/training/test_folds.py ends one within the process
def test_a_killed_training_goes_on_and_ends_the_same(tmp_path, inputs, trained, monkeypatch):
    monkeypatch.setenv("REELFLOW_EVENTS", str(tmp_path / "events.jsonl"))  # not to MLflow
    params = write_params(tmp_path / "params.yaml", checkpoint_every_s=0)
    model = tmp_path / "killed" / "model"
    paths = {"dataset": inputs["dataset"], "features": inputs["features"], "model": model, "params": params}
    options = [text for name, path in paths.items() for text in (f"--{name}", str(path))]
    command = [sys.executable, "-m", "components.training", "--head", "gru", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    wait_for_checkpoint(model.parent, 3, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not model.exists()

    events = []
    with watched_by(events.append):
        perform(
            run,
            fake.training_params(**QUICK | {"checkpoint_every_s": 0}),
            options={"head": "gru", "protocol": "holdout"},
            inputs=inputs,
            output={"model": model},
        )
    assert next(event["epoch"] for event in events if event["kind"] == "epoch") > 3
    for path in trained.iterdir():
        assert path.read_bytes() == (model / path.name).read_bytes(), path.name
    assert not (model / "checkpoints").exists()


def wait_for_checkpoint(store: Path, epoch: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        found = [path.name for path in store.glob(".training-*.partial/checkpoints/0/*")]
        if any(name[0] != "." and int(name.partition("-")[0]) >= epoch for name in found):
            return
        time.sleep(0.01)
    raise AssertionError("no checkpoint in two minutes")


def test_a_clip_without_features_is_left_out_with_a_notice(tmp_path, inputs):
    clips = fake.make_clips(("down", "up"), fake.COUNTS)
    features = fake.write_features(tmp_path / "features", clips[1:], ("down", "up"), fake.data_hash(clips))
    events = []
    with watched_by(events.append):
        examples, every = load_examples(inputs["dataset"], features)
    assert [clip.clip_id for clip in every] == [clip.clip_id for clip in clips]
    assert examples.ids_of(examples.rows_of(every)) == tuple(clip.clip_id for clip in clips[1:])
    assert "1 clips have no features" in events[0]["message"]


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"train": 4, "validation": 0, "test": 2}, "no clips with features in the validation split"),
        ({"train": 0, "validation": 2, "test": 2}, "no clips with features in the train split"),
    ],
)
def test_an_empty_split_is_an_error(tmp_path, counts, message):
    dataset, features = fake.write_both(tmp_path, counts=counts)
    with pytest.raises(DataError, match=message):
        train(tmp_path / "model", {"dataset": dataset, "features": features})


def test_a_class_without_training_clips_is_named(tmp_path):
    labels = ("down", "up", "Ünïcode class")
    clips = [c for c in fake.make_clips(labels, fake.COUNTS) if c.label != labels[2] or c.split != "train"]
    dataset = fake.write_dataset(tmp_path / "dataset", clips, labels)
    features = fake.write_features(tmp_path / "features", clips, labels)
    with pytest.raises(DataError, match="no clips to train on of Ünïcode class"):
        train(tmp_path / "model", {"dataset": dataset, "features": features})


def test_features_of_other_clips_are_refused(tmp_path, inputs):
    clips = fake.make_clips(("down", "up"), fake.COUNTS)
    features = fake.write_features(tmp_path / "features", clips, ("down", "up"), data="0" * 64)
    with pytest.raises(BundleError, match="features of other clips"):
        train(tmp_path / "model", inputs | {"features": features})


def test_an_unknown_head_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ParamsError, match="unknown head transformer"):
        train(tmp_path / "model", {"dataset": tmp_path, "features": tmp_path}, "transformer")


def test_a_rate_that_blows_up_is_explained(tmp_path, inputs):
    with pytest.raises(ParamsError, match=r"lower training\.learning_rate"):
        train(tmp_path / "model", inputs, "single_frame", learning_rate=1e30)


def test_the_command_explains_bad_input_in_one_line(tmp_path):
    command = [sys.executable, "-m", "components.training", "--head", "gru"]
    paths = {"dataset": tmp_path / "none", "features": tmp_path / "none", "model": tmp_path / "model"}
    options = [text for name, path in paths.items() for text in (f"--{name}", str(path))]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    assert done.returncode == BundleError.exit_code
    assert done.stderr.startswith("error: ")
    assert "does not exist" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_network_too_large_for_memory_is_said(tmp_path, inputs, monkeypatch):
    from tensorflow.errors import ResourceExhaustedError

    def build(*arguments, **values):
        raise ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(training, "build_head", build)
    with pytest.raises(ParamsError, match=r"do not fit into memory: lower training\.units"):
        train(tmp_path, inputs)


def test_a_linear_model_without_a_solution_is_said(tmp_path, inputs, monkeypatch):
    def solve(*arguments):
        raise np.linalg.LinAlgError("not positive definite")

    monkeypatch.setattr(linear, "fit_linear", solve)
    with pytest.raises(ParamsError, match="no solution with a penalty of 1e-05: use larger"):
        train(tmp_path, inputs, "segment_linear", penalties=(1e-5, 1.0))
