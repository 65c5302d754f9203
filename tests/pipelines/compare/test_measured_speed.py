"""What the release step measures of a bundle is in MLflow, and where runs are compared."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reelflow.contracts import EvaluationReport, ReleaseReport
from reelflow.settings import Settings
from reelflow.tracking.client import connect
from tests.pipelines.compare.recorded import record, shown
from tests.pipelines.compare.test_compare import cells_of
from tests.workplace import ROOT, Workplace

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
LIMITS = {"max_frame_ms": 1000.0, "max_memory_mb": 4000.0}


@pytest.fixture
def released(small_run: tuple[Workplace, Path, str], tracked: Path) -> ReleaseReport:
    """The release step of a finished run, with limits, as a run of its own that is called `limited`."""
    work, place = small_run[1] / "work", Workplace(tracked)
    place.write_params(release=LIMITS)
    for folder in work.glob("evaluation-*"):
        shutil.copytree(folder, tracked / "evaluations" / EvaluationReport.open(folder).name)
    given = {"evaluations": tracked / "evaluations", "params": place.params, "release": tracked / "release"}
    for name, step in (("dataset", "dataset"), ("frames", "frames"), ("bundle", "conversion")):
        (given[name],) = work.glob(f"{step}-*")
    options = [text for name, value in given.items() for text in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "components.release", *options]
    subprocess.run(command, cwd=ROOT, env=place.environment | {"REELFLOW_RUN": "limited"}, check=True)
    return ReleaseReport.open(tracked / "release")


def test_time_of_a_frame_reaches_mlflow_and_the_comparison(released, tracked):
    record(tracked, "unlimited", right=30)
    gates = {gate.name: gate.found for gate in released.gates}
    client, experiment = connect(Settings())
    metrics = {run.info.run_name: run.data.metrics for run in client.search_runs([experiment])}
    assert metrics["limited"]["frame_ms"] == gates["max_frame_ms"] > 0
    assert metrics["limited"]["memory_mb"] == gates["max_memory_mb"] > 0
    told = shown("limited", "unlimited")
    assert cells_of(told, "limited")[8] == f"{gates['max_frame_ms']:.3g}"
    assert cells_of(told, "unlimited")[8] == ""
