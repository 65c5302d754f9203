"""The package of a cluster on kfp's own runner: real processes, a real MLflow server, a real webhook."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml
from mlflow import MlflowClient

from pipelines.cluster.config import ClusterConfig
from pipelines.local.docker import tracking_server
from reelflow.params import load_params
from reelflow.settings import Settings
from tests.cluster_files import cluster_with_images
from tests.workplace import ROOT, Workplace

RUN = """
import sys
from pathlib import Path
from kfp import local
from pipelines.cluster.config import load_cluster
from pipelines.cluster.graph import build_for_cluster
from reelflow.params import load_params

local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[3])
build_for_cluster(load_params(Path(sys.argv[1])), load_cluster(Path(sys.argv[2])), always=False)()
"""


class Cluster:
    """A stand-in: kfp's runner in place of pods; the rest is real."""

    def __init__(self, folder: Path, mlflow: str, webhook: str) -> None:
        self.workplace = Workplace(folder)
        self.mlflow = MlflowClient(mlflow)
        self._folder, self._webhook = folder, webhook
        self._write(cluster_with_images(folder), mlflow)

    def _write(self, cluster: ClusterConfig, mlflow: str) -> None:
        values = cluster.model_dump(mode="json")
        values["backoff_s"] = 1
        values["mlflow"] = {"tracking_uri": mlflow, "ui": "http://mlflow.example"}
        (self._folder / "cluster.yaml").write_text(yaml.safe_dump(values))

    def run(self, name: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"REELFLOW_RUN": name, "REELFLOW_WEBHOOK": self._webhook}
        environment |= {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}
        files = (self.workplace.params, self._folder / "cluster.yaml", self._folder / "root" / name)
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", RUN, *map(str, files)],
            cwd=ROOT,
            env=environment,
            text=True,
            capture_output=True,
            timeout=280,
            check=False,
        )

    def artifacts(self, name: str) -> dict[str, Path]:
        """What the tasks have left, as `task/output`."""
        (root,) = (self._folder / "root" / name).iterdir()
        return {str(path.relative_to(root)): path for path in root.glob("*/*") if path.name[0] != "."}

    def runs(self, name: str) -> list:
        experiment = self.mlflow.get_experiment_by_name("reelflow").experiment_id
        return self.mlflow.search_runs([experiment], f"attributes.run_name = '{name}'")


@pytest.fixture
def heard() -> list[dict]:
    return []


@pytest.fixture
def webhook(heard: list[dict]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.02,)).start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    server.server_close()


@pytest.fixture
def cluster(tmp_path: Path, webhook: str) -> Iterator[Cluster]:
    settings = Settings(tracking_uri=f"sqlite:///{tmp_path / 'server.db'}")
    with tracking_server(settings) as address:
        yield Cluster(tmp_path, address, webhook)


@pytest.mark.slow
def test_a_scheduled_run_does_new_work_once_and_tells_of_failure(cluster, heard):
    cluster.workplace.write_params(training={"heads": ["single_frame"]})
    first = cluster.run("run-1")
    assert first.returncode == 0, first.stdout + first.stderr
    (run,) = cluster.runs("run-1")
    assert run.info.status == "FINISHED"
    shown = cluster.artifacts("run-1")
    assert f"http://mlflow.example/#/experiments/1/runs/{run.info.run_id}" in shown["check/run"].read_text()
    assert "<html" in shown["release/report"].read_text()
    outputs = json.loads(shown["evaluation/executor_output.json"].read_text())["artifacts"]
    accuracy = outputs["metrics"]["artifacts"][0]["metadata"]["accuracy"]
    assert accuracy == run.data.metrics["accuracy"]
    matrix = outputs["confusion"]["artifacts"][0]["metadata"]["confusionMatrix"]
    clips = sum(sum(row["row"]) for row in matrix["rows"])
    assert len(matrix["annotationSpecs"]) == len(matrix["rows"]) == 6
    assert clips > 0

    again = cluster.run("run-2")
    assert again.returncode == 0, again.stdout
    assert {path.split("/")[0] for path in cluster.artifacts("run-2")} == {"check", "outcome"}
    assert run.info.run_id in cluster.artifacts("run-2")["check/run"].read_text()
    assert not cluster.runs("run-2")
    assert heard == []

    cluster.workplace.write_params(training={"heads": ["single_frame"]}, dataset={"split_lists": NO_LISTS})
    failed = cluster.run("run-3")
    assert failed.returncode != 0
    (run,) = cluster.runs("run-3")
    assert run.info.status == "FAILED"
    (told,) = heard
    assert told["run"] == "run-3"
    assert told["state"] == "FAILED"
    assert told["reason"].startswith("check: ")  # the first task that reads the lists
    assert "/nowhere/train.txt" in told["reason"]
    assert told["reason"] in cluster.artifacts("run-3")["outcome/failure"].read_text()


NO_LISTS = {"train": "/nowhere/train.txt", "test": "/nowhere/test.txt"}


@pytest.mark.slow
def test_a_run_without_clips_says_so(cluster, heard):
    cluster.workplace.write_params(dataset={"source": "/nowhere"})
    load_params(cluster.workplace.params)
    assert cluster.run("run-1").returncode != 0
    assert "/nowhere does not exist in the pod" in heard[0]["reason"]
