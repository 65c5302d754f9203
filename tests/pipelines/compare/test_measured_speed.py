"""What the release step measures of a bundle is in MLflow, and where runs are compared."""

import shutil
from pathlib import Path

import pytest

from components.release.__main__ import main
from components.release.gates import speed
from reelflow.contracts import EvaluationReport, ReleaseReport
from reelflow.settings import Settings
from reelflow.tracking.client import connect
from tests.pipelines.compare.recorded import record, shown
from tests.pipelines.compare.test_compare import cells_of
from tests.workplace import Workplace

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
LIMITS = {"max_frame_ms": 1000.0, "max_memory_mb": 4000.0}


@pytest.fixture
def released(
    small_run: tuple[Workplace, Path, str], tracked: Path, monkeypatch: pytest.MonkeyPatch
) -> ReleaseReport:
    """The release step of a finished run, with limits, as a run of its own that is called `limited`.

    It measures for less than a second; a slow test of test_speed_gates has the usual time.
    """
    work, place = small_run[1] / "work", Workplace(tracked)
    place.write_params(release=LIMITS)
    for folder in work.glob("evaluation-*"):
        shutil.copytree(folder, tracked / "evaluations" / EvaluationReport.open(folder).name)
    given = {"evaluations": tracked / "evaluations", "params": place.params, "release": tracked / "release"}
    for name, step in (("dataset", "dataset"), ("frames", "frames"), ("bundle", "conversion")):
        (given[name],) = work.glob(f"{step}-*")
    monkeypatch.setenv("REELFLOW_RUN", "limited")
    monkeypatch.setattr(speed, "BENCHMARK", (*speed.BENCHMARK, "--minutes", "0.01"))
    main(**given)
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
