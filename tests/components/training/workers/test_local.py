"""Processes of a team: none outlives another's end, and the reason is told."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.training.job import TrainingJob
from components.training.workers import local
from components.training.workers.events import EventReader, error_of
from components.training.workers.local import train_here
from reelflow.errors import DataError, ParamsError, StepError
from reelflow.progress import EventFile, watched_by
from tests import fake_features as fake
from tests.slowly import slow

SOON_S = 10


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch):
    monkeypatch.setattr(local, "MODULE", "tests.stand_in_worker")
    monkeypatch.setattr(local, "_gpus", lambda: 0)


def job_of(folder: Path, what: str) -> TrainingJob:
    folder.mkdir(exist_ok=True)
    return TrainingJob(
        params=fake.training_params(),
        head=what,
        protocol="holdout",
        dataset=folder,
        features=folder,
        model=folder,
    )


def is_alive(folder: Path, rank: int) -> bool:
    try:
        os.kill(int((folder / f"pid-{rank}").read_text()), 0)
    except ProcessLookupError:
        return False
    return True


def test_the_chief_s_events_are_passed_on_and_the_cpus_are_shared(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "granted_cpus", lambda: 5)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    events = []
    with watched_by(events.append):
        train_here(job_of(tmp_path, "0:fine,1:fine"), 2)
    assert [event["epoch"] for event in events if event["kind"] == "epoch"] == [1]
    seen = [json.loads((tmp_path / f"variables-{rank}.json").read_text()) for rank in (0, 1)]
    configs = [json.loads(variables["TF_CONFIG"]) for variables in seen]
    assert configs[0]["cluster"] == configs[1]["cluster"]
    assert len(set(configs[0]["cluster"]["worker"])) == 2
    assert [config["task"] for config in configs] == [{"type": "worker", "index": rank} for rank in (0, 1)]
    for variables in seen:
        assert variables["OMP_NUM_THREADS"] == "1"
        assert variables["TF_NUM_INTRAOP_THREADS"] == variables["LOKY_MAX_CPU_COUNT"] == "2"


@pytest.mark.parametrize(
    ("what", "error", "told"),
    [
        ("0:waiting,1:killed", StepError, "worker 1 of 2 was killed by signal 9"),
        slow("0:killed,1:waiting", StepError, "worker 0 of 2 was killed by signal 9"),
        slow("0:waiting,1:crashed", StepError, "worker 1 of 2 ended with exit code 1"),
        slow("0:refused,1:waiting", DataError, "no clips"),
        ("0:waiting,1:refused", DataError, "no clips"),
    ],
)
def test_one_that_ends_ends_the_others_with_its_reason(tmp_path, what, error, told):
    with pytest.raises(error, match=told):
        train_here(job_of(tmp_path, what), 2)
    for rank in (0, 1):
        if (tmp_path / f"pid-{rank}").exists():
            assert not is_alive(tmp_path, rank)


@pytest.mark.parametrize("number", [signal.SIGKILL, slow(signal.SIGTERM), slow(signal.SIGINT)])
def test_workers_end_with_the_process_that_started_them(tmp_path, number):
    job = job_of(tmp_path / "model", "0:waiting,1:waiting")
    (tmp_path / "job.json").write_text(job.to_json())
    code = (  # a shell that starts tests in the background ignores SIGINT
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from pathlib import Path; from components.training.job import TrainingJob;"
        "from components.training.workers import local; local.MODULE = 'tests.stand_in_worker';"
        "local._gpus = lambda: 0; local.train_here(TrainingJob.read(Path(sys.argv[1])), 2)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, tmp_path / "job.json"], stderr=subprocess.DEVNULL)
    names = [tmp_path / "model" / f"variables-{rank}.json" for rank in (0, 1)]
    until(lambda: all(name.exists() for name in names))
    parent.send_signal(number)
    parent.wait(SOON_S)
    until(lambda: not any(is_alive(tmp_path / "model", rank) for rank in (0, 1)))


def until(is_so) -> None:
    deadline = time.monotonic() + SOON_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_more_workers_than_gpus_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "_gpus", lambda: 1)
    with pytest.raises(ParamsError, match=r"workers is 2, and this machine has 1 GPUs: set it to 1 at most"):
        train_here(job_of(tmp_path, "0:fine,1:fine"), 2)


def test_each_worker_gets_a_gpu_of_those_that_are_seen(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert [local._variables([1, 2], rank, 1, 2)["CUDA_VISIBLE_DEVICES"] for rank in (0, 1)] == ["4", "6"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert local._variables([1, 2], 1, 1, 2)["CUDA_VISIBLE_DEVICES"] == "1"
    assert "CUDA_VISIBLE_DEVICES" not in local._variables([1, 2], 1, 1, 0)


def test_half_a_line_is_read_when_it_is_whole(tmp_path):
    reader, events = EventReader(tmp_path / "events"), []
    EventFile(reader.path)({"kind": "epoch", "time": 1.0, "epoch": 1})
    with reader.path.open("a") as file:
        file.write('{"kind": "epoch", ')
    with watched_by(events.append):
        reader.read(passes_on=True)
        reader.read(passes_on=True)
        with reader.path.open("a") as file:
            file.write('"time": 2.0, "epoch": 2}\n')
        reader.read(passes_on=True)
    assert [(event["epoch"], event["time"]) for event in events] == [(1, 1.0), (2, 2.0)]


def test_an_error_is_what_it_was_in_the_worker():
    assert type(error_of("ParamsError", "so")) is ParamsError
    for foreign in ("Path", "none", "DISK_ADVICE", "ReelflowError.x"):
        assert type(error_of(foreign, "so")) is StepError
