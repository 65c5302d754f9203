"""A training that ends anywhere goes on to the same weights."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from components.training.folds import fold_rows
from components.training.history import History
from components.training.learners.checkpoint import Checkpoints
from components.training.learners.epochs import EpochLearner
from components.training.learners.fold_results import EpochProgress
from reelflow.backbones.pixels import Pixels
from reelflow.errors import ParamsError
from reelflow.nets.examples import load_examples
from reelflow.nets.heads import build_head
from reelflow.nets.runtime import seed_everything
from reelflow.splitting.protocols import Protocol
from tests import fake_features as fake

COUNTS = {"train": 5, "validation": 2, "test": 2}  # clips a class
STEPS, EPOCHS = 3, 2
SMALL = {
    "learning_rate": 0.003,
    "batch_size": 4,
    "epochs": EPOCHS,
    "patience": 9,
    "checkpoint_every_s": 0,
    "units": 4,
    "dense_units": 4,
    "input_dropout": 0.3,
}
TINY = {"width": 0.0625, "stages": [1, 1, 1, 1]}
CASES = {
    "gru": {},
    "tcn": {"weight_decay": 0.01, "gradient_norm": 1},
    "p3d_63": {"optimizer": "rmsprop", "precision": "mixed_float16"},
    "convlstm_c2d_63": {"gradient_norm": 1, "video": TINY | {"recompute": True}},
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, dict[str, Path]]:
    found = {}
    for backbone in (fake.THUMBNAIL, Pixels("pixels_16").spec):
        folder = tmp_path_factory.mktemp(backbone.name)
        dataset, features = fake.write_both(folder, counts=COUNTS, backbone=backbone)
        found[backbone.name] = {"dataset": dataset, "features": features}
    return found


class Ended(BaseException):
    pass


class Bench:
    """One network, trained again and again: tracing it takes longer than training it."""

    def __init__(self, head: str, inputs: dict[str, dict[str, Path]], **changes) -> None:
        self.params = fake.training_params(**SMALL | {"video": TINY} | changes)
        folders = inputs["pixels_16" if "_63" in head else "thumbnail"]
        self.examples, clips = load_examples(**folders)
        (self.fold,) = fold_rows(self.examples, clips, Protocol.parse("holdout"))
        seed_everything(1)
        dim = self.examples.store.report.backbone.dim
        self.network = build_head(head, frames=fake.FRAMES, dim=dim, classes=2, params=self.params)
        self.learner = EpochLearner(
            self.network, self.examples, self.params, (0,), None, Path("none"), EpochProgress(1, EPOCHS)
        )

    def train(self, folder: Path) -> tuple[History, list[np.ndarray]]:
        self.learner._folder = folder
        result = self.learner.train_fold(self.fold)
        return result.history, [variable.numpy() for variable in self.learner._variables()]

    def forget(self) -> None:
        """As a new process: nothing is left of the training that ended."""
        for variable in self.learner._variables():
            variable.assign(np.full(variable.shape, 7, variable.numpy().dtype))


@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # five frames are one at conv4: no recurrence
@pytest.mark.parametrize(
    "head", [pytest.param(head, marks=[pytest.mark.slow] * (head != "gru")) for head in CASES]
)
def test_a_training_that_ends_behind_any_step_goes_on_to_the_same_weights(
    tmp_path, inputs, head, monkeypatch
):
    bench, save = Bench(head, inputs, **CASES[head]), Checkpoints.save
    history, weights = bench.train(tmp_path / "whole")
    for last in range(1, EPOCHS * (STEPS + 1) + 1):
        left = iter(range(last))

        def end(self, *given, left=left, last=last):
            save(self, *given)
            if next(left) == last - 1:
                raise Ended

        with monkeypatch.context() as patch:
            patch.setattr(Checkpoints, "save", end)
            with pytest.raises(Ended):
                bench.train(tmp_path / str(last))
        bench.forget()
        resumed, found = bench.train(tmp_path / str(last))
        assert resumed == history
        for own, expected in zip(found, weights, strict=True):
            np.testing.assert_array_equal(own, expected)


def test_the_step_whose_loss_is_not_a_number_is_named(tmp_path, inputs, monkeypatch):
    bench = Bench("gru", inputs)
    features = type(bench.examples).features
    calls = iter(range(100))

    def damaged(self, rows, views=0):
        place = next(calls)  # an epoch: its steps, then the validation clips
        return features(self, rows, views) * np.float32(np.nan if place == STEPS + 2 else 1)

    monkeypatch.setattr(type(bench.examples), "features", damaged)
    with pytest.raises(ParamsError, match=r"^\w+: in step 2 of epoch 2 the loss is NaN or infinite: lower"):
        bench.train(tmp_path)


@pytest.mark.slow
def test_a_video_network_killed_within_an_epoch_goes_on_to_the_same_bytes(tmp_path, inputs, monkeypatch):
    monkeypatch.setenv("REELFLOW_EVENTS", str(tmp_path / "events.jsonl"))  # not to MLflow
    document = yaml.safe_load(Path("params.large.yaml").read_text())
    document["training"] |= SMALL | {"batch_size": 1, "optimizer": "rmsprop"}
    document["training"]["video"] |= TINY
    params = tmp_path / "params.yaml"
    params.write_text(yaml.safe_dump(document))

    def start(model: Path) -> subprocess.Popen:
        paths = {**inputs["pixels_16"], "model": model, "params": params}
        options = [text for name, path in paths.items() for text in (f"--{name}", str(path))]
        command = [sys.executable, "-m", "components.training", "--head", "p3d_63", *options]
        return subprocess.Popen(command)

    whole, killed = tmp_path / "whole" / "model", tmp_path / "killed" / "model"
    process = start(whole)
    assert process.wait(120) == 0
    process = start(killed)
    wait_for_step(killed.parent, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    left = killed.parent.glob(".training-*.partial/checkpoints/0/[0-9]*-[0-9]*")
    newest = max(tuple(map(int, path.name.split("-"))) for path in left)
    assert newest[0] == 1
    assert newest[1] > 0
    process = start(killed)
    assert process.wait(120) == 0
    events = (tmp_path / "events.jsonl").read_text()
    assert f"resumes after step {newest[1]} of epoch 2" in events
    for path in whole.iterdir():
        assert path.read_bytes() == (killed / path.name).read_bytes(), path.name


def wait_for_step(store: Path, process: subprocess.Popen) -> None:
    """Wait for a step in the middle of the second epoch."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None
        if any(store.glob(".training-*.partial/checkpoints/0/1-[1-4]")):
            return
        time.sleep(0.001)
    raise AssertionError("no checkpoint in two minutes")
