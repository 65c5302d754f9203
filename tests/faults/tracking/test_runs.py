"""Whole runs of the pipeline while MLflow is away: at each place, for a moment and past the end."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from reelflow.settings import Settings
from reelflow.tracking.spool.owed import TrackingSpool
from tests.faults.store.proxy import FaultyProxy, reset
from tests.faults.tracking.seen import all_of
from tests.mlflow_server import MlflowServer
from tests.workplace import ROOT, Workplace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("mlflow-server"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
MOMENT_S = 5
LONG = 4000  # epochs: more than five minutes of training, by single clips
PLACES = {
    "start": lambda _: True,
    "mid-training": lambda event: event["kind"] == "epoch",
    "step end": lambda event: event["kind"] == "finished" and event["task"] == "training thumbnail-gru",
    "release": lambda event: event["kind"] == "started" and event["task"] == "release",
}


class Outage:
    """A run whose MLflow goes away."""

    def __init__(self, place: Workplace, proxy: FaultyProxy, name: str) -> None:
        self.place, self.proxy = place, proxy
        place.tracking_uri = proxy.endpoint
        self.environment = place.environment | {"MLFLOW_EXPERIMENT_NAME": name, "REELFLOW_PATIENCE_S": "0"}
        self.settings = Settings(tracking_uri=proxy.endpoint, experiment=name, spool=place.folder / "spool")
        TrackingSpool(self.settings.spool).remember(self.settings)

    def run(self, where: str, length_s: float) -> tuple[int, str]:
        """Exit code and output of a run; MLflow answers again after `length_s`, or after its end."""
        printed = self.place.folder / "printed.txt"
        command = self.place.command("run", "--params", self.place.params, "--out", self.place.folder / "out")
        if where == "start":
            self.proxy.spoil("request", reset)
        with printed.open("w") as file:
            process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=file, stderr=file)
            while where != "start" and not self._has_come(where):
                assert process.poll() is None, printed.read_text()
                time.sleep(0.02)
            self.proxy.spoil("request", reset)
            began = time.monotonic()
            while process.poll() is None:
                if time.monotonic() - began > length_s:
                    self.proxy.mend()
                time.sleep(0.1)
        self.proxy.mend()
        return process.returncode, printed.read_text()

    def replay(self) -> subprocess.CompletedProcess[str]:
        command = self.place.command("track", "replay")
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )

    def _has_come(self, where: str) -> bool:
        path = Path(self.place.folder / "out/work/events.jsonl")
        lines = path.read_text().splitlines() if path.exists() else []
        return any(PLACES[where](json.loads(line)) for line in lines)


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("length_s", [MOMENT_S, 10_000])
def test_a_run_loses_nothing(where, length_s, workplace, proxy, server: MlflowServer, monkeypatch):
    name = f"{where} {length_s}"
    workplace.write_params(release={"model_name": name.replace(" ", "-")})
    outage = Outage(workplace, proxy, name)
    code, printed = outage.run(where, length_s)
    out = workplace.folder / "out"
    assert (out / "report.html").is_file(), printed
    assert (out / "bundle/bundle.json").is_file(), printed
    if length_s > MOMENT_S:
        assert code == 7, printed
        assert "run python -m pipelines track replay" in printed
    if code:
        again = outage.replay()
        assert again.returncode == 0, again.stdout + again.stderr
    assert not any(TrackingSpool(outage.settings.spool).all())
    check_whole(Settings(tracking_uri=server.address, experiment=name), name.replace(" ", "-"))
    assert json.loads((out / "run.json").read_text())["finished"]
    assert json.loads((out / "summary.json").read_text())["explanation"].endswith("it passes every gate.")


@pytest.mark.timeout(1800)
def test_a_long_training_outlives_an_outage_of_five_minutes(workplace, proxy, server: MlflowServer):
    values = {"epochs": LONG, "patience": LONG, "heads": ["gru"], "batch_size": 1, "units": 256}
    workplace.write_params(training=values, release={"model_name": "long"})
    outage = Outage(workplace, proxy, "long")
    started = time.monotonic()
    code, printed = outage.run("mid-training", 300)
    assert code == 0, printed
    assert time.monotonic() - started > 300
    settings = Settings(tracking_uri=server.address, experiment="long")
    check_whole(settings, "long", classifiers=1, epochs=LONG)


def check_whole(settings: Settings, model: str, classifiers: int = 2, epochs: int = 5) -> None:
    """Every run is there once and has ended, with one point an epoch, and one version that is champion."""
    found = all_of(settings, model)
    assert len(found["runs"]) == 1 + classifiers
    parent, *children = found["runs"]
    assert {child["parent"] for child in children} == {parent["name"]}
    assert {run["status"] for run in found["runs"]} == {"FINISHED"}
    for child in children:
        curves = {name: points for name, points in child["points"].items() if ".curve." in name}
        assert set(curves) == {
            f"training.curve.{figure}"
            for figure in (
                "train_loss",
                "train_accuracy",
                "validation_loss",
                "validation_accuracy",
                "learning_rate",
                "seconds",
            )
        }
        for points in curves.values():
            assert [step for step, _ in points] == list(range(1, epochs + 1))
    assert [number for number, _ in found["versions"]] == [1]
    assert found["aliases"] == [[("challenger", "1"), ("champion", "1")]]
    assert parent["tags"]["reelflow.outcome"] == "done"
    assert "reelflow.failure" not in parent["tags"]
