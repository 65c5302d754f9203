"""Runs and searches that start at the same moment."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.workplace import ROOT

START = """
import sys
import time
from pathlib import Path
from pipelines.local.results import RunState
from reelflow.settings import Settings
from reelflow.tracking.records import prepare
import mlflow
print("ready", flush=True)
time.sleep(float(sys.stdin.readline()) - time.time())
state = RunState.of(Path(sys.argv[1]), "the same clips, params and code", sys.argv[2])
state.save(Path(sys.argv[1]))
prepare(Settings(run_name=state.name))
print(state.name)
"""


def start_together(folders: list[Path], kind: str, environment: dict[str, str], at: float) -> list[str]:
    """What processes that start their runs at the same moment call them."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [
        subprocess.Popen([sys.executable, "-c", START, one, kind], cwd=ROOT, env=environment, **pipes)
        for one in folders
    ]
    assert [process.stdout.readline() for process in running] == ["ready\n"] * len(running)
    moment = time.time() // 1 + 1 + at
    for process in running:
        process.stdin.write(f"{moment}\n")
        process.stdin.flush()
    return [process.communicate()[0].strip() for process in running]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("kind", ["run", "sweep"])
def test_runs_of_the_same_second_are_two_and_a_resumed_one_is_itself(kind, database, tmp_path):
    environment = os.environ | {"MLFLOW_TRACKING_URI": database, "PYTHONPATH": str(ROOT)}
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    names = start_together(folders, kind, environment, at=0.2)
    assert names[0][:-7] == names[1][:-7], "the same second"
    assert names[0] != names[1]
    assert start_together(folders, kind, environment, at=0.2) == names
    client = MlflowClient(database)
    experiment = client.get_experiment_by_name("reelflow")
    found = client.search_runs([experiment.experiment_id])
    assert sorted(run.info.run_name for run in found) == sorted(names)
