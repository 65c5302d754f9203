"""A run is submitted: what is uploaded, what is started, and what is not done twice."""

import subprocess
import sys

import pytest
import yaml

from pipelines.cluster.api.errors import ApiError
from pipelines.cluster.run_options import RunOptions
from pipelines.cluster.submit import submit
from pipelines.cluster.versions import version_name
from reelflow.errors import ClusterError, ParamsError, StepError
from tests.fake_kfp import FakeKfp
from tests.fake_kfp.inputs import cluster_file, config_for, quick_client, small_package
from tests.fake_kfp.shell import shell
from tests.workplace import ROOT

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


every_installation = pytest.mark.parametrize(
    "fake", [(), ("team",)], indirect=True, ids=["single-user", "multi-user"]
)


@pytest.fixture
def fake(request):
    with FakeKfp(*getattr(request, "param", ("team",))) as server:
        yield server


@pytest.fixture
def started(fake, tmp_path):
    """Submit a small package, and return the run."""
    config = config_for(tmp_path, fake)
    client = quick_client(config)

    def start(word="first", name=""):
        return fake.store.runs[submit(client, config.kfp, small_package(word), name)]

    return start


@every_installation
def test_the_same_package_is_uploaded_once(fake, started):
    first, second = started(name="one"), started(name="two")
    assert fake.writes.count("POST /pipelines/upload_version") == 1
    assert first["pipeline_version_reference"] == second["pipeline_version_reference"]
    assert first["experiment_id"] == second["experiment_id"]
    (version,) = fake.store.versions.values()
    assert version["name"] == version_name(small_package())
    assert first["service_account"] == "reelflow-pipeline"


@every_installation
def test_another_package_is_another_version_of_the_pipeline(fake, started):
    started("first")
    started("second")
    assert [v["name"] for v in fake.store.versions.values()] == [
        version_name(small_package(word)) for word in ("first", "second")
    ]
    assert len(fake.store.pipelines) == len(fake.store.experiments) == 1


@pytest.mark.parametrize("kind", ["reset", "lost", "truncated", 503])
@pytest.mark.parametrize("path", ["/experiments$", "/pipelines$", "/upload_version$", "/runs$"])
def test_a_lost_answer_makes_nothing_twice(fake, started, kind, path):
    fake.fail(kind, method="POST", path=path)
    run = started(name="mine")
    kept = (fake.store.experiments, fake.store.pipelines, fake.store.versions, fake.store.runs)
    assert [len(one) for one in kept] == [1, 1, 1, 1]
    assert run["display_name"] == "mine"


def test_a_run_of_the_same_name_is_another_run(fake, started):
    assert started(name="mine")["run_id"] != started(name="mine")["run_id"]


def test_another_who_creates_at_the_same_time_is_no_failure(fake, started):
    fake.fail(409, method="POST", path="/upload_version$")
    started()
    assert len(fake.store.versions) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_a_refused_run_is_not_tried_again(fake, started, status):
    fake.fail(status, method="POST", path="/runs$", times=9)
    with pytest.raises(ApiError, match="cannot start the run") as refused:
        started()
    assert (refused.value.status, fake.writes.count("POST /runs")) == (status, 1)


@pytest.fixture
def command(fake, tmp_path, monkeypatch, capsys):
    run, cluster = shell(monkeypatch, capsys), cluster_file(tmp_path, fake)
    return lambda *words: run("submit", "--cluster", cluster, *words)


def test_the_command_starts_the_whole_pipeline(fake, command):
    done = command("--data", "/data/clips", "--heads", "gru", "--name", "trial")
    assert done.code == 0, done.err
    (run,) = fake.store.runs.values()
    assert run["display_name"] == "trial"
    assert done.out.splitlines() == [
        f"run   {run['run_id']}",
        f"link  {fake.host}/#/runs/details/{run['run_id']}",
    ]
    assert fake.store.experiments[run["experiment_id"]]["display_name"] == "reelflow"
    (version,) = fake.store.versions.values()
    assert "kubernetes" in version["pipeline_spec"]["platform_spec"]["platforms"]
    assert "reelflow-clips" in yaml.safe_dump(version["pipeline_spec"])
    assert command("--data", "/data/clips", "--heads", "gru", "--if-changed").code == 0
    assert len(fake.store.versions) == 2  # one ends early, the other does not


@pytest.mark.slow
def test_a_failed_run_that_is_waited_for_ends_the_command(fake, command):
    fake.store.on_run = lambda run: run.update(state="FAILED", error={"code": 13, "message": "a task failed"})
    done = command("--wait", "--every", "0.1")
    assert done.code == StepError.exit_code
    assert "ended as FAILED" in done.err
    assert "a task failed" in done.out


def test_wrong_params_send_nothing(fake, command):
    assert command("--heads", "none").code == ParamsError.exit_code
    assert command("--params", "none.yaml").code == ParamsError.exit_code
    assert fake.requests == []


@pytest.mark.slow
def test_a_process_of_its_own_ends_without_a_traceback(fake, tmp_path):
    fake.fail(403, path="/pipelines")
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "submit", "--cluster", str(cluster_file(tmp_path, fake))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ClusterError.exit_code
    assert done.stderr.startswith("error: cannot look for the pipeline reelflow-training")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("choices", "source", "model"),
    [
        ({"data": "/data/my clips"}, "/data/my clips", "reelflow-my-clips"),
        ({"data": "s3://clips/gates"}, "s3://clips/gates", "reelflow-gates"),
        ({"data": "relative/b", "model": "gates"}, "relative/b", "gates"),
    ],
)
def test_paths_stay_as_pods_see_them(choices, source, model):
    found = RunOptions(**choices).chosen()
    assert (found.dataset.source, found.release.model_name) == (source, model)


def test_weights_alone_name_their_backbone():
    found = RunOptions(weights="/weights", protocol="group_kfold(5)").chosen()
    assert (found.features.weights, found.features.backbones) == ("/weights", ("mobilenet_v2_quant",))
    assert found.evaluation.protocol == "group_kfold(5)"
