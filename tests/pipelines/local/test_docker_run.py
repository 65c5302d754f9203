"""Steps in their images, on real clips: the same numbers as steps that are processes."""

import json
from pathlib import Path

import pytest

from reelflow.contracts import Summary
from tests.workplace import Workplace

pytestmark = pytest.mark.docker
SMALL = {
    "frames": {"count": 10},
    "training": {"heads": ["gru", "single_frame"], "epochs": 5, "units": 32, "dense_units": 32},
}

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")  # set by the Makefile


def run(folder: Path, shared_data: Path, runner: str) -> Path:
    folder.mkdir()
    place = Workplace(folder)
    place.write_params(**SMALL)
    given = ("--data", shared_data / "clips" / "ut_interaction", "--weights", shared_data / "weights")
    done = place.run(folder / "out", *given, "--model", "compared", "--runner", runner, timeout_s=800)
    assert done.returncode == 0, done.stdout
    return folder / "out"


@pytest.mark.timeout(1800)
def test_containers_and_processes_agree(images, shared_data, tmp_path, monkeypatch):
    for variable in ONE_THREAD:  # the order of Keras's sums depends on the number of threads
        monkeypatch.delenv(variable, raising=False)
    outs = [run(tmp_path / runner, shared_data, runner) for runner in ("docker", "subprocess")]
    docker, processes = [Summary.read(out / "summary.json") for out in outs]
    assert docker.rows == processes.rows
    assert docker.parity == processes.parity
    assert docker.chosen == processes.chosen
    reports = [
        json.loads(path.read_text())
        for out in outs
        for path in sorted(out.glob("work/features-*/*.json"))
        if path.name == "features.json"
    ]
    assert reports[0]["shards"] == reports[1]["shards"]


def test_without_an_engine_a_message_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    done = Workplace(tmp_path).run(tmp_path / "out", "--runner", "docker")
    assert done.returncode == 2
    assert "no Docker engine answers" in done.stdout
    assert "Traceback" not in done.stdout
