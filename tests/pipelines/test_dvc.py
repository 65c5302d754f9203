"""`dvc repro` runs the same steps to the same metrics, and does nothing twice."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def repro(checkout, small_run):
    place, _, _ = small_run
    shutil.copy(place.params, checkout / "params.yaml")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    uri = f"sqlite:///{checkout / 'mlflow.db'}"
    environment = os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "true", "MLFLOW_TRACKING_URI": uri}

    def dvc(*arguments: str) -> str:
        done = subprocess.run(
            ["dvc", *arguments], cwd=checkout, env=environment, capture_output=True, text=True, timeout=280
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return dvc


def stages_run(printed: str) -> set[str]:
    return set(re.findall(r"Running stage '(.+)'", printed))


def change(path: Path) -> None:
    path.write_text(f"{path.read_text()}\n")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_dvc_repro_gives_the_metrics_of_the_pipeline(checkout, repro, small_run):
    _, out, _ = small_run
    repro("repro")
    fields = ("rows", "chosen", "data_hash", "parity", "labels")
    by_pipeline = json.loads((out / "summary.json").read_text())
    by_dvc = json.loads((checkout / "artifacts" / "release" / "summary.json").read_text())
    assert {name: by_dvc[name] for name in fields} == {name: by_pipeline[name] for name in fields}

    assert stages_run(repro("repro")) == {"check", "code"}
    change(checkout / "reelflow" / "edge" / "drawing.py")
    assert stages_run(repro("repro")) == {"check", "code"}
    change(checkout / "components" / "release" / "report.css")
    assert stages_run(repro("repro")) == {"check", "code", "release"}
    metrics = json.loads(repro("metrics", "show", "--json"))
    shown = metrics[""]["data"]["artifacts/release/metrics.json"]["data"]
    assert shown["thumbnail-gru"]["accuracy"] == pytest.approx(
        next(row["accuracy"] for row in by_pipeline["rows"] if row["head"] == "gru")
    )
    assert "index.html" in repro("plots", "show")
