import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from reelflow.contracts import BundleReport
from reelflow.edge.bundle import open_bundle
from reelflow.errors import BundleError, TrackingError
from reelflow.files import sha256_file
from reelflow.settings import Settings
from reelflow.tracking import client as mlflow_client
from reelflow.tracking.records import prepare
from reelflow.tracking.registry import MlflowRegistry, Registry
from tests.bundles import LABELS, write_clip, write_small_bundle
from tests.fake_registry import MemoryRegistry
from tests.fake_reports import bundle_report, evaluation_report

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def settings(empty_database, tmp_path_factory) -> Settings:
    uri = f"sqlite:///{shutil.copy(empty_database, tmp_path_factory.mktemp('mlflow'))}"
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
        "released_by": getpass.getuser(),
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


def evaluation(folder: Path, head: str = "gru") -> Path:
    """The folder of an evaluation, with more in it than a comparison needs."""
    folder.mkdir()
    np.save(folder / "scores.npy", np.full((10, 2), 0.5, np.float32))
    (folder / "confusion.png").write_bytes(b"picture")
    evaluation_report(head, scores_sha256=sha256_file(folder / "scores.npy")).save(folder)
    return folder


def test_a_version_brings_its_bundle_and_its_evaluation_along(registry, name, tmp_path):
    made, measured = bundle(tmp_path / "conversion-0123", 0.8), evaluation(tmp_path / "e")
    number = registry.register(made, model_name=name, tags={}, evaluation=measured)
    for path in (made, measured):
        shutil.rmtree(path)
    fetched = registry.bundle(name, number, tmp_path / "fetched bundle")
    assert BundleReport.open(fetched).metrics == {"accuracy": 0.8}
    kept = registry.evaluation(name, number, tmp_path / "fetched evaluation")
    assert kept.report.name == "thumbnail-gru"
    assert kept.scores().shape == (10, 2)
    assert {file.name for file in kept.folder.iterdir()} == {"evaluation.json", "scores.npy"}


def test_a_version_without_an_evaluation_has_none(registry, name, tmp_path):
    number = registry.register(bundle(tmp_path / "a", 0.8), model_name=name, tags={})
    assert registry.evaluation(name, number, tmp_path / "fetched") is None


def test_an_evaluation_that_was_altered_in_the_registry_is_refused(settings, tmp_path):
    registry = MlflowRegistry(settings)
    made, measured = bundle(tmp_path / "a", 0.8), evaluation(tmp_path / "e", "altered")
    registry.register(made, model_name="altered", tags={}, evaluation=measured)
    store = mlflow_client.sqlite_file(settings.tracking_uri).parent / "mlartifacts"
    tags = registry.tags("altered", 1)
    (path,) = (p for p in store.rglob("evaluation.json") if sha256_file(p) == tags["evaluation_sha256"])
    path.write_text(path.read_text() + " ")
    with pytest.raises(BundleError, match="has been altered since"):
        registry.evaluation("altered", 1, tmp_path / "fetched")


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
        MlflowRegistry(Settings(tracking_uri="http://127.0.0.1:9")).alias("reelflow", "champion")


PREDICT = """
import sys
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
from pathlib import Path
model = mlflow.pyfunc.load_model("models:/loadable@champion")
found = list(model.predict([{"path": clip} for clip in sys.argv[2:]]).itertuples())
again = list(model.predict([{"video": Path(clip).read_bytes()} for clip in sys.argv[2:]]).itertuples())
assert [one.clip for one in found] == sys.argv[2:]
assert [one.scores for one in again] == [one.scores for one in found]
assert all(one.score == max(one.scores.values()) and not one.rejected for one in found)
example = model.predict(model.input_example)
assert len(example) == 1 and len(example.scores[0]) == 3, example
try:
    model.predict(sys.argv[2:])
except Exception as error:
    assert "each clip needs a path or its bytes" in str(error), error
else:
    raise AssertionError("paths without a name were taken")
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
    again = open_bundle(registry.bundle("loadable", version, folder / "fetched"))
    assert again.report == open_bundle(folder / "bundle").report
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
