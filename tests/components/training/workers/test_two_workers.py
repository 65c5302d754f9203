"""Two processes train what one trains: real workers, real sums over a socket."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from components.training.step import run
from reelflow.backbones.pixels import Pixels
from reelflow.contracts import TrainingReport
from reelflow.errors import ParamsError
from reelflow.nets.saved import load_head
from reelflow.progress import watched_by
from tests import fake_features as fake

pytestmark = pytest.mark.slow

COUNTS = {"train": 7, "validation": 3, "test": 3}  # clips a class
SMALL = {
    "optimizer": "rmsprop",
    "learning_rate": 1e-4,
    "batch_size": 5,  # batches of 5, 5 and 4: parts differ
    "epochs": 3,
    "patience": 9,
    "units": 4,
    "dense_units": 8,
    "input_dropout": 0,
    "dropout": 0,
}
EPOCHS = 80  # of the one that is killed
TINY = {"width": 0.0625, "stages": [1, 1, 1, 1]}
LARGE_BATCH = {"batch_size": 14}  # norms over a few clips and places magnify the last bits
CASES = {
    "gru": {"weight_decay": 0.01, "gradient_norm": 1},
    "p3d_63": LARGE_BATCH | {"optimizer": "adam"},
    "convlstm_c2d_63": LARGE_BATCH | {"gradient_norm": 1, "video": TINY | {"recompute": True}},
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, dict[str, Path]]:
    found = {}
    for backbone in (fake.THUMBNAIL, Pixels("pixels_16").spec):
        folder = tmp_path_factory.mktemp(backbone.name)
        dataset, features = fake.write_both(folder, counts=COUNTS, backbone=backbone)
        found[backbone.name] = {"dataset": dataset, "features": features}
    return found


def train(model: Path, folders: dict[str, Path], workers: int, head: str, protocol="holdout", **changes):
    model.mkdir()
    params = fake.training_params(**{"video": TINY} | SMALL | changes, workers=workers)
    return run(params, head=head, protocol=protocol, **folders, model=model)


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize("head", CASES)
def test_two_workers_reach_what_one_reaches(tmp_path, inputs, head):
    folders = inputs["pixels_16" if "_63" in head else "thumbnail"]
    one, two = (train(tmp_path / str(workers), folders, workers, head, **CASES[head]) for workers in (1, 2))
    for name, curve in one.curves.items():
        np.testing.assert_allclose(two.curves[name], curve, rtol=1e-3, err_msg=name)
    networks = [load_head(tmp_path / workers / "model.keras") for workers in ("1", "2")]
    for own, other in zip(*(network.get_weights() for network in networks), strict=True):
        np.testing.assert_allclose(own, other, atol=2e-4)
    names = [sorted(path.name for path in (tmp_path / workers).iterdir()) for workers in ("1", "2")]
    assert names[0] == names[1]


def test_folds_follow_one_another_and_the_deployed_model_is_trained_together(tmp_path, inputs):
    found = [
        train(tmp_path / str(workers), inputs["thumbnail"], workers, "gru", "group_kfold(2)", epochs=2)
        for workers in (1, 2)
    ]
    assert [fold.best_epoch for fold in found[0].folds] == [fold.best_epoch for fold in found[1].folds]
    one, two = (np.load(tmp_path / workers / "deployed.npy") for workers in ("1", "2"))
    np.testing.assert_allclose(one, two, atol=1e-4)


def test_a_batch_with_fewer_clips_than_workers_is_refused(tmp_path, inputs):
    told = r"holdout: training.workers is 2, and a batch has 1 clips: set it to 1 at most"
    with pytest.raises(ParamsError, match=told):
        train(tmp_path / "model", inputs["thumbnail"], 2, "gru", batch_size=1)


def test_a_loss_that_is_not_a_number_is_told_as_by_one_worker(tmp_path, inputs):
    with pytest.raises(ParamsError, match=r"in step \d of epoch \d the loss is NaN or infinite: lower"):
        train(tmp_path / "model", inputs["thumbnail"], 2, "gru", learning_rate=1e30)


def test_a_linear_head_takes_one_worker_and_says_so(tmp_path, inputs):
    events = []
    with watched_by(events.append):
        train(tmp_path / "model", inputs["thumbnail"], 2, "segment_linear")
    (notice,) = (event["message"] for event in events if event["kind"] == "notice")
    assert notice == "segment_linear is fitted in closed form, by one worker"


def start(tmp_path: Path, inputs: dict[str, Path], model: Path) -> subprocess.Popen:
    """The step's command line, with dropout, which differs between workers."""
    document = yaml.safe_load(Path("params.large.yaml").read_text())
    changes = {"workers": 2, "checkpoint_every_s": 0, "dropout": 0.5, "epochs": EPOCHS, "patience": EPOCHS}
    document["training"] |= SMALL | changes
    params = tmp_path / "params.yaml"
    params.write_text(yaml.safe_dump(document))
    paths = {**inputs, "model": model, "params": params}
    options = [text for name, path in paths.items() for text in (f"--{name}", str(path))]
    command = [sys.executable, "-m", "components.training", "--head", "gru", *options]
    with (tmp_path / "stderr").open("w") as stderr:
        return subprocess.Popen(command, stderr=stderr)


def workers_of(process: subprocess.Popen) -> list[int]:
    """Their process ids, the chief's first."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
            variables = (path / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if parent == process.pid:
            config = next(one for one in variables if one.startswith(b"TF_CONFIG="))
            found[json.loads(config.removeprefix(b"TF_CONFIG="))["task"]["index"]] = int(path.name)
    return [found[rank] for rank in sorted(found)]


def wait_for_step(model: Path, process: subprocess.Popen) -> None:
    """Until the second step of an epoch is kept, not the first epoch."""
    deadline = time.monotonic() + 180
    while not any(model.parent.glob(".training-*.partial/checkpoints/0/[1-9]*-[12]")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)


def is_alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.timeout(900)
def test_a_killed_worker_ends_the_training_which_resumes_to_the_same_bytes(tmp_path, inputs, monkeypatch):
    monkeypatch.setenv("REELFLOW_EVENTS", str(tmp_path / "events.jsonl"))  # not to MLflow
    whole, killed = tmp_path / "whole" / "model", tmp_path / "killed" / "model"
    process = start(tmp_path, inputs["thumbnail"], whole)
    assert process.wait(300) == 0
    process = start(tmp_path, inputs["thumbnail"], killed)
    wait_for_step(killed, process)
    pids = workers_of(process)
    os.kill(pids[1], signal.SIGKILL)
    assert process.wait(60) == 8
    assert "worker 1 of 2 was killed by signal 9" in (tmp_path / "stderr").read_text()
    assert not any(map(is_alive, pids))

    process = start(tmp_path, inputs["thumbnail"], killed)
    time.sleep(0.1)
    wait_for_step(killed, process)
    pids = workers_of(process)
    process.kill()  # not its workers
    process.wait()
    deadline = time.monotonic() + 30
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.02)

    process = start(tmp_path, inputs["thumbnail"], killed)
    assert process.wait(300) == 0
    assert "resumes after step" in (tmp_path / "events.jsonl").read_text()
    assert TrainingReport.open(killed).epochs_run == EPOCHS
    for path in whole.iterdir():
        assert path.read_bytes() == (killed / path.name).read_bytes(), path.name
