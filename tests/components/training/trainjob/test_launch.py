"""A training task and its TrainJob, against a server that answers as Kubernetes and Trainer do."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from components.training.job import TrainingJob
from components.training.step import run
from components.training.trainjob import launch, watch
from components.training.trainjob.api import KubernetesApi
from components.training.trainjob.exchange import Exchange
from components.training.trainjob.launch import train_on_cluster
from reelflow.errors import BundleError, ClusterError, DataError, ParamsError, StepError
from reelflow.objectstore.directory import DirectoryStore
from reelflow.progress import watched_by
from reelflow.settings import Settings
from reelflow.workers import patience
from tests import fake_features as fake
from tests.fake_kubernetes import COMPLETED, FAILED, FakeKubernetes
from tests.fake_worker_pods import OWNER, worker_pods

DEADLINE = ("DeadlineExceeded", "TrainJob exceeded its active deadline")


class Cluster:
    """A task on a cluster, and what it starts."""

    def __init__(self, folder: Path, kubernetes: FakeKubernetes) -> None:
        self.kubernetes, self.store = kubernetes, DirectoryStore(folder / "store")
        self.exchange = Exchange(self.store, OWNER.team)
        for name in ("dataset", "features", "model"):
            (folder / name).mkdir()
            (folder / name / f"{name}.json").write_text(name)
        self.job = TrainingJob(
            params=fake.training_params(workers=2),
            head="gru",
            protocol="holdout",
            dataset=folder / "dataset",
            features=folder / "features",
            model=folder / "model",
        )
        self.settings = Settings(
            trainjob=worker_pods().model_dump_json(),
            pod_name=OWNER.name,
            pod_uid=OWNER.uid,
            pod_namespace="runs",
            patience_s=2,
        )

    def train(self, patience_s: float = 2) -> None:
        api = KubernetesApi("runs", patience_s, self.kubernetes.host, self.kubernetes.account)
        train_on_cluster(self.job, 2, self.settings, self.store, api)

    def finish(self) -> None:
        """As the chief does, and then Trainer."""
        model = self.job.model.parent / "chief"
        model.mkdir(exist_ok=True)
        (model / "training.json").write_text("trained")
        self.exchange.put_output(self.job.model_copy(update={"model": model}))
        self.kubernetes.end("Complete", COMPLETED)

    def is_clean(self) -> bool:
        return not any(self.kubernetes.objects.values()) and not list(self.store.list())


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "POLL_S", 0.01)
    monkeypatch.setattr(patience, "FIRST_S", 0.01)
    monkeypatch.setattr(launch, "token_hex", lambda size: OWNER.team.removeprefix("reelflow-"))
    with FakeKubernetes(tmp_path) as kubernetes:
        yield Cluster(tmp_path, kubernetes)


def test_a_team_is_created_awaited_and_removed(cluster):
    kubernetes, seen = cluster.kubernetes, []
    kubernetes.created = seen.append
    waits = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no GPU"}
    kubernetes.states = [
        lambda: kubernetes.set_pod(0, "Pending", conditions=[waits]),
        lambda: [kubernetes.set_pod(rank, "Running") for rank in (0, 1)],
        cluster.finish,
    ]
    events = []
    with watched_by(events.append):
        cluster.train()
    assert (cluster.job.model / "training.json").read_text() == "trained"
    (job,) = seen
    owner = {"apiVersion": "v1", "kind": "Pod", "name": OWNER.name, "uid": OWNER.uid}
    assert job["metadata"]["ownerReferences"] == [owner]
    told = [event["message"] for event in events]
    assert told == [
        f"TrainJob {OWNER.team}: 2 workers train together",
        f"TrainJob {OWNER.team}: worker 0 pending (Unschedulable: no GPU)",
        f"TrainJob {OWNER.team}: worker 0 running, worker 1 running",
    ]
    assert cluster.is_clean()


def test_another_attempt_is_another_team(cluster, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(watch, "POLL_S", 0.01)
    names = []
    cluster.kubernetes.created = lambda job: names.append(job["metadata"]["name"])
    cluster.kubernetes.states = [lambda: cluster.kubernetes.end("Failed", FAILED)]
    for _ in range(2):
        with pytest.raises(StepError):
            cluster.train()
    assert len(set(names)) == 2
    assert max(map(len, names)) <= 63 - len("-node-0-63-xxxxx")


def test_a_worker_s_own_reason_is_the_task_s(cluster):
    cluster.exchange.put_error(1, DataError("a class has no clips"))
    cluster.kubernetes.states = [lambda: cluster.kubernetes.end("Failed", FAILED)]
    with pytest.raises(DataError, match="a class has no clips"):
        cluster.train()
    assert cluster.is_clean()


def test_a_pod_that_is_killed_says_why(cluster):
    kubernetes = cluster.kubernetes
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    kubernetes.states = [
        lambda: kubernetes.set_pod(1, "Failed", containerStatuses=[{"name": "node", "state": ended}]),
        lambda: (kubernetes.pods.clear(), kubernetes.end("Failed", FAILED)),
    ]
    with pytest.raises(StepError, match=r"FailedJobs.*worker 1 ended with exit code 137 \(OOMKilled\)"):
        cluster.train()
    assert cluster.is_clean()


def test_an_evicted_pod_says_why(cluster):
    kubernetes = cluster.kubernetes
    kubernetes.states = [
        lambda: (
            kubernetes.set_pod(0, "Failed", reason="Evicted", message="low on memory"),
            kubernetes.end("Failed", FAILED),
        )
    ]
    with pytest.raises(StepError, match=r"worker 0 was ended \(Evicted: low on memory\)"):
        cluster.train()


@pytest.mark.parametrize("reason", [FAILED, DEADLINE])
def test_a_lost_pod_and_a_deadline_are_failures_without_a_pod(cluster, reason):
    cluster.kubernetes.states = [lambda: cluster.kubernetes.end("Failed", reason)]
    with pytest.raises(StepError, match=rf"{reason[0]}: {reason[1]}\), and no pod says why"):
        cluster.train()


def test_a_deleted_train_job_is_said(cluster):
    cluster.kubernetes.states = [cluster.kubernetes.objects["trainjobs"].clear]
    with pytest.raises(ClusterError, match=rf"TrainJob {OWNER.team} was deleted"):
        cluster.train()


def test_a_train_job_that_leaves_no_model_is_said(cluster):
    cluster.kubernetes.states = [lambda: cluster.kubernetes.end("Complete", COMPLETED)]
    with pytest.raises(BundleError, match=r"the store holds no workers/.*output\.tar"):
        cluster.train()


@pytest.mark.parametrize("fault", ["reset", 503, 429, "lost"])
def test_the_api_may_be_away_for_a_moment(cluster, fault):
    cluster.kubernetes.states = [cluster.finish]
    for skipped in range(3):  # the first, second and third request are not answered
        cluster.kubernetes.faults = [fault] if not skipped else [None, *[None] * (skipped - 1), fault]
        cluster.train()
        assert cluster.is_clean()


def test_an_api_that_stays_away_is_said(cluster):
    cluster.kubernetes.faults = [503] * 1000
    with pytest.raises(ClusterError, match=r"cannot create .*: the Kubernetes API answers 503"):
        cluster.train(patience_s=0.1)


@pytest.mark.parametrize(
    ("status", "told"), [(403, "apply the overlay"), (404, "install Kubeflow Trainer 2"), (401, "token")]
)
def test_what_the_api_refuses_is_not_tried_again(cluster, status, told):
    cluster.kubernetes.faults = [status]
    with pytest.raises(ClusterError, match=told):
        cluster.train()
    assert [one for one in cluster.kubernetes.requests if one.startswith("POST")] == [
        "POST runs/trainingruntimes"
    ]


def test_the_token_is_read_for_each_request(cluster):
    cluster.kubernetes.states = [cluster.finish]
    (cluster.kubernetes.account / "token").write_text("of yesterday")
    cluster.exchange.put_error(0, ParamsError("x"))
    with pytest.raises(ClusterError, match="its token is not accepted"):
        cluster.train()
    (cluster.kubernetes.account / "token").write_text("token-of-the-service-account\n")
    cluster.train()


def test_without_a_service_account_it_is_said(cluster, tmp_path):
    api = KubernetesApi("runs", 0, cluster.kubernetes.host, tmp_path / "none")
    with pytest.raises(ClusterError, match=r"none/token cannot be read"):
        api.get("trainjobs", "x")


def test_without_a_store_there_are_no_workers(cluster):
    with pytest.raises(ParamsError, match=r"training\.workers is 2 and the cluster file names no store"):
        run(
            cluster.job.params,
            head="gru",
            protocol="holdout",
            dataset=cluster.job.dataset,
            features=cluster.job.features,
            model=cluster.job.model,
            settings=cluster.settings,
        )


def test_a_task_that_is_terminated_deletes_its_train_job(cluster):
    """Argo sends SIGTERM to the processes of a task's pod when its run is terminated.

    Here between two requests: one that is broken off would leave its socket to the garbage collector.
    """

    def terminate(event):
        if event["message"].endswith("no pod yet"):
            signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with watched_by(terminate), pytest.raises(SystemExit) as ended:
        cluster.train()
    assert ended.value.code == 143
    assert cluster.is_clean()
    assert signal.getsignal(signal.SIGTERM) == before


def test_inputs_come_with_the_paths_of_the_worker(cluster, tmp_path):
    weights = tmp_path / "resnet.h5"
    weights.write_text("weights")
    teachers = tmp_path / "teachers"
    (teachers / "0").mkdir(parents=True)
    (teachers / "0" / "training.json").write_text("teacher")
    given = {"inflate": weights, "teachers": teachers}
    cluster.exchange.put_inputs(cluster.job.model_copy(update=given))
    folder = tmp_path / "worker"
    folder.mkdir()
    found = cluster.exchange.get_inputs(folder)
    assert (found.dataset / "dataset.json").read_text() == "dataset"
    assert (found.teachers / "0" / "training.json").read_text() == "teacher"
    assert found.inflate.read_text() == Path(found.params.video.inflate).read_text() == "weights"
    assert list(found.model.iterdir()) == []
    assert {path.parent for path in (found.dataset, found.features, found.model)} == {folder}


POD = """
import sys
from components.training.trainjob import pod
ports = [int(port) for port in sys.argv.pop(1).split(",")]
pod.addresses = lambda team, workers: [f"localhost:{port}" for port in ports]
sys.exit(pod.main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("head", ["gru", "p3d_63"])
def test_the_pods_of_a_train_job_train_and_hand_back_the_model(tmp_path, monkeypatch, head):
    """The fake kubelet starts the pods' own command; only their names are those of this machine."""
    from components.training.workers.local import _free_ports

    monkeypatch.setattr(watch, "POLL_S", 0.2)
    dataset, features = fake.write_both(tmp_path / "in")
    model = tmp_path / "model"
    model.mkdir()
    params = fake.training_params(workers=2, epochs=2, units=4, learning_rate=0.001)
    store = DirectoryStore(tmp_path / "store")
    pods: list[subprocess.Popen] = []
    with _free_ports(2) as ports:
        pass
    with FakeKubernetes(tmp_path) as kubernetes:

        def start(job: dict) -> None:
            trainer = job["spec"]["trainer"]
            assert trainer["command"] == ["python", "-m", "components.training.trainjob.pod"]
            for rank in range(trainer["numNodes"]):
                variables = {"REELFLOW_STORE": str(tmp_path / "store"), "JOB_COMPLETION_INDEX": str(rank)}
                command = [sys.executable, "-c", POD, ",".join(map(str, ports)), *trainer["args"]]
                pods.append(subprocess.Popen(command, env={**os.environ, **variables}))

        def look() -> None:
            codes = [pod.poll() for pod in pods]
            if any(codes):
                for rank, pod in enumerate(pods):
                    pod.kill()
                    ended = {"terminated": {"exitCode": pod.wait(), "reason": "Error"}}
                    kubernetes.set_pod(rank, "Failed", containerStatuses=[{"state": ended}])
                kubernetes.end("Failed", FAILED)
            elif None not in codes:
                kubernetes.end("Complete", COMPLETED)

        kubernetes.created, kubernetes.states = start, [look]
        settings = Settings(
            trainjob=worker_pods().model_dump_json(), pod_name=OWNER.name, pod_uid=OWNER.uid, patience_s=2
        )
        job = TrainingJob(
            params=params, head=head, protocol="holdout", dataset=dataset, features=features, model=model
        )
        api = KubernetesApi("runs", 2, kubernetes.host, kubernetes.account)
        if head == "gru":
            train_on_cluster(job, 2, settings, store, api)
        else:  # features of a thumbnail do not go with it: the workers refuse
            with pytest.raises(ParamsError, match="p3d_63"):
                train_on_cluster(job, 2, settings, store, api)
    assert not any(kubernetes.objects.values())
    assert not list(store.list())
    names = sorted(path.name for path in model.iterdir())
    whole = ["curves.csv", "model.keras", "test.npy", "training.json", "validation.npy"]
    assert names == (whole if head == "gru" else [])
