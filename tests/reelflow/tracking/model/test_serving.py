"""The bundle as a model of MLflow: its signature, its example, and `mlflow models serve`."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import mlflow
import pytest

from reelflow.contracts import EvaluationReport
from reelflow.edge.golden_video import VIDEO
from reelflow.settings import Settings
from reelflow.tracking import client as mlflow_client
from reelflow.tracking.model.saving import save_model
from reelflow.tracking.records import record_folder
from reelflow.tracking.registry import MlflowRegistry
from tests.bundles import write_clip, write_small_bundle
from tests.fake_reports import PARAMS, bundle_report, dataset_report, evaluation_report, save_step

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

START_S = 120


@pytest.fixture
def settings(empty_database: Path, tmp_path: Path) -> Settings:
    file = tmp_path / "mlflow.db"
    file.write_bytes(empty_database.read_bytes())
    return Settings(tracking_uri=f"sqlite:///{file}", experiment="models", run_name="night run")


def test_a_model_has_a_signature_and_an_example_to_try(tmp_path):
    (tmp_path / "bundle").mkdir()
    bundle_report().save(tmp_path / "bundle")
    save_model(tmp_path / "bundle", tmp_path / "model")
    model = mlflow.models.Model.load(tmp_path / "model")
    inputs = {column.name: (str(column.type), column.required) for column in model.signature.inputs}
    assert inputs == {"path": ("DataType.string", False), "video": ("DataType.binary", False)}
    assert model.signature.outputs.input_names() == ["clip", "label", "score", "rejected", "scores"]
    example = model.load_input_example(str(tmp_path / "model"))
    assert example["video"].tolist() == [VIDEO.read_bytes()]


def register(settings: Settings, folder: Path) -> EvaluationReport:
    """A data set, an evaluation, and its bundle; registered twice, as a run that was resumed."""
    record_folder(settings, save_step(folder / "d", dataset_report(), "dataset", PARAMS.dataset))
    measured = save_step(folder / "e", evaluation_report(), "evaluation", PARAMS.evaluation)
    record_folder(settings, measured)
    save_step(folder / "b", bundle_report(), "conversion", PARAMS.conversion)
    for name in ("one", "one", "two"):
        MlflowRegistry(settings).register(folder / "b", model_name=name, tags={}, evaluation=measured)
    return EvaluationReport.open(measured)


def test_an_evaluation_belongs_to_the_model_its_run_and_the_test_set(settings, tmp_path):
    report = register(settings, tmp_path)
    client, experiment = mlflow_client.connect(settings)
    for name in ("one", "two"):
        version = client.get_model_version(name, "1")
        (model,) = client.search_logged_models([experiment], f"name = '{name}'")
        assert version.source == model.artifact_location
        assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": name, "version": "1"}]
        assert {metric.key: metric.value for metric in model.metrics} == report.metrics
        assert {metric.dataset_name for metric in model.metrics} == {"clips test"}
        run = client.get_run(version.run_id)
        assert run.info.run_name == "thumbnail-gru"
        assert model.model_id in {output.model_id for output in run.outputs.model_outputs}
    assert len(run.outputs.model_outputs) == 2
    assert len(client.get_metric_history(run.info.run_id, "accuracy")) == 1, "no point is doubled"
    (found,) = client.search_logged_models([experiment], "metrics.accuracy > 0.7 AND name = 'one'")
    assert found.source_run_id == run.info.run_id


@pytest.mark.slow
def test_a_model_runs_the_code_that_it_was_saved_with(tmp_path):
    write_small_bundle(tmp_path / "bundle")
    save_model(tmp_path / "bundle", tmp_path / "model")
    assert len(list((tmp_path / "model" / "code").iterdir())) == 1
    program = (
        "import sys, mlflow\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "print(model.predict([{'path': sys.argv[2]}])['label'].tolist())\n"
        "import reelflow.edge.classifier as used; print(used.__file__)\n"
    )
    write_clip(tmp_path / "clip.mp4")
    command = [sys.executable, "-c", program, str(tmp_path / "model"), str(tmp_path / "clip.mp4")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    labels, used = done.stdout.splitlines()[-2:]
    assert labels.startswith("['"), done.stderr
    assert used.startswith(str(tmp_path / "model" / "code" / "reelflow.zip"))


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """`mlflow models serve` of a real bundle, in a process of its own."""
    write_small_bundle(tmp_path / "bundle")
    save_model(tmp_path / "bundle", tmp_path / "model")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(tmp_path / "model")]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, env=environment)
    try:
        _wait(f"http://127.0.0.1:{port}", process, tmp_path / "log")
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urlopen(f"{address}/ping", timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(log.read_text())


def ask(address: str, body: dict[str, object]) -> list[dict[str, object]]:
    request = Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=60) as answer:
        return json.load(answer)["predictions"]


@pytest.mark.slow
def test_a_served_model_takes_paths_and_bytes(address, tmp_path):
    clips = [write_clip(tmp_path / f"clip {seed}.mp4", seed=seed) for seed in (1, 2)]
    by_path = ask(address, {"dataframe_records": [{"path": str(clip)} for clip in clips]})
    assert [answer["clip"] for answer in by_path] == [str(clip) for clip in clips]
    encoded = [{"video": base64.b64encode(clip.read_bytes()).decode()} for clip in clips]
    by_bytes = ask(address, {"dataframe_records": encoded})
    assert [answer["scores"] for answer in by_bytes] == [answer["scores"] for answer in by_path]
    assert sum(by_path[0]["scores"].values()) == pytest.approx(1.0, abs=1e-3)
    example = json.loads((tmp_path / "model" / "serving_input_example.json").read_text())
    assert len(ask(address, example)) == 1
    with pytest.raises(HTTPError) as refused:
        ask(address, {"dataframe_records": [{"other": "x"}]})
    assert "each clip needs a path or its bytes" in refused.value.read().decode()
