import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelflow.errors import TrackingError
from reelflow.files import sha256_file
from reelflow.settings import Settings
from reelflow.stores import mlflow_client
from reelflow.stores.registry import MlflowRegistry, Registry
from reelflow.stores.tracking import prepare
from tests.bundles import LABELS, write_clip, write_small_bundle
from tests.fake_registry import MemoryRegistry
from tests.fake_reports import bundle_report

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    uri = f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"
    return Settings(tracking_uri=uri, run_name="release test")


@pytest.fixture(params=["memory", "mlflow"])
def registry(request) -> Registry:
    if request.param == "memory":
        return MemoryRegistry()
    return MlflowRegistry(request.getfixturevalue("settings"))


@pytest.fixture
def name(request) -> str:
    """A model of the test's own: all share one database."""
    return request.node.originalname


def bundle(folder: Path, accuracy: float) -> Path:
    folder.mkdir()
    bundle_report(metrics={"accuracy": accuracy}).save(folder)
    return folder


def test_versions_count_from_one_and_keep_their_tags(registry, name, tmp_path):
    first, second = bundle(tmp_path / "a", 0.8), bundle(tmp_path / "b", 0.9)
    assert registry.register(first, model_name=name, tags={"accuracy": "0.8"}) == 1
    assert registry.register(second, model_name=name, tags={"accuracy": "0.9"}) == 2
    assert registry.tags(name, 1) == {
        "accuracy": "0.8",
        "bundle_sha256": sha256_file(first / "bundle.json"),
    }
    assert registry.tags(name, 2)["accuracy"] == "0.9"


def test_the_same_bundle_is_the_same_version(registry, name, tmp_path):
    first, copy = bundle(tmp_path / "a", 0.8), bundle(tmp_path / "copy", 0.8)
    assert registry.register(first, model_name=name, tags={}) == 1
    assert registry.register(bundle(tmp_path / "b", 0.9), model_name=name, tags={}) == 2
    assert registry.register(copy, model_name=name, tags={}) == 1


def test_models_are_numbered_apart(registry, name, tmp_path):
    folder = bundle(tmp_path / "a", 0.8)
    assert registry.register(folder, model_name=name, tags={}) == 1
    assert registry.register(folder, model_name=f"{name}-2", tags={}) == 1
    registry.set_alias(name, "champion", 1)
    assert registry.alias(f"{name}-2", "champion") is None


def test_an_alias_points_to_one_version_and_moves(registry, name, tmp_path):
    for place in ("a", "b"):
        registry.register(bundle(tmp_path / place, ord(place)), model_name=name, tags={})
    assert registry.alias(name, "champion") is None
    registry.set_alias(name, "champion", 1)
    registry.set_alias(name, "challenger", 2)
    assert (registry.alias(name, "champion"), registry.alias(name, "challenger")) == (1, 2)
    registry.set_alias(name, "champion", 2)
    assert registry.alias(name, "champion") == 2


def test_an_unknown_model_has_no_alias(registry):
    assert registry.alias("nobody", "champion") is None


def test_a_version_belongs_to_its_classifiers_run(settings, tmp_path):
    MlflowRegistry(settings).register(bundle(tmp_path / "a", 0.5), model_name="owned", tags={})
    client, _ = mlflow_client.connect(settings)
    run = client.get_run(client.get_model_version("owned", "1").run_id)
    assert run.info.run_name == "thumbnail-gru"
    assert client.get_run(run.data.tags["mlflow.parentRunId"]).info.run_name == "release test"


def test_an_unreachable_registry_is_a_tracking_error():
    with pytest.raises(TrackingError, match="no MLflow server answers"):
        MlflowRegistry(Settings(tracking_uri="http://127.0.0.1:9"))


PREDICT = """
import sys
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
found = mlflow.pyfunc.load_model("models:/loadable@champion").predict(sys.argv[2:])
print([(one.label, round(sum(one.scores.values()), 3), sorted(one.scores)) for one in found])
import reelflow
print(reelflow.__file__)
"""


def predict(uri: str, clips: list[Path]) -> list[str]:
    """What a fresh process, far from the checkout, makes of the registered champion."""
    command = [sys.executable, "-P", "-W", "ignore", "-c", PREDICT, uri, *map(str, clips)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(
        command, cwd=clips[0].parent, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def release(settings: Settings, folder: Path) -> list[Path]:
    """Register a real bundle as champion; returns clips to try it on."""
    write_small_bundle(folder / "bundle")
    registry = MlflowRegistry(settings)
    version = registry.register(folder / "bundle", model_name="loadable", tags={})
    registry.set_alias("loadable", "champion", version)
    return [write_clip(folder / f"clip {seed}.mp4", seed=seed) for seed in (1, 2)]


@pytest.mark.slow
def test_the_champion_classifies_clips_where_only_the_registry_is_known(settings, tmp_path):
    clips = release(settings, tmp_path)
    answers, package = predict(settings.tracking_uri, clips)
    assert answers.count("1.0") == 2
    assert answers.count(str(sorted(LABELS))) == 2
    assert "mlartifacts" in package  # the registered model brought its own code


@pytest.fixture
def server(tmp_path) -> Iterator[str]:
    """A real MLflow server in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}", "--workers", "1"]
    command += ["--artifacts-destination", str(tmp_path / "store")]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait()


@pytest.mark.slow
def test_a_server_serves_as_well_as_a_file(server, tmp_path, monkeypatch):
    settings = Settings(tracking_uri=server, run_name="on a server")
    for _ in range(120):
        try:
            prepare(settings)
            break
        except TrackingError:
            time.sleep(1)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    clips = release(settings, tmp_path)
    assert MlflowRegistry(settings).alias("loadable", "champion") == 1
    assert len(predict(server, clips)) == 2
