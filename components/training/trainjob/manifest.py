"""The objects of a team on a cluster, in the terms of Kubeflow Trainer 2 (trainer.kubeflow.org/v1alpha1).

Trainer has no runtime for TensorFlow (kubeflow/trainer#2443), and TFJob is deprecated (#2699). A
TrainingRuntime needs no framework: an `mlPolicy` with `numNodes` alone makes so many pods of an indexed Job
in a JobSet (pkg/runtime/framework/plugins/plainml). Both objects belong to the task's pod and go with it.
"""

from dataclasses import dataclass
from typing import Any

from components.training.trainjob.spec import WorkerPods

GROUP, VERSION = "trainer.kubeflow.org", "v1alpha1"
MODULE = "components.training.trainjob.pod"
NODE = "node"  # pkg/constants of Trainer: the Job and the container that trains
TRAINER = {f"{GROUP}/trainjob-ancestor-step": "trainer"}
LABELS = {"app.kubernetes.io/part-of": "reelflow", "app.kubernetes.io/component": "training-worker"}
PORT = 2222
SCRATCH = "/tmp"  # noqa: S108
GRACE_S = 10

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Owner:
    """The pod of the training task.

    Attributes:
        name: of the pod.
        uid: of the pod.
        team: what the objects of its workers are called; another attempt has another name.
    """

    name: str
    uid: str
    team: str


def addresses(team: str, workers: int) -> list[str]:
    """Where each worker listens: the pods of a JobSet have stable names (pkg/runtime/.../jobset.go)."""
    return [f"{team}-{NODE}-0-{rank}.{team}:{PORT}" for rank in range(workers)]


def train_job(pods: WorkerPods, owner: Owner, workers: int) -> Manifest:
    """So many workers with the task's image and variables."""
    plain = [{"name": name, "value": value} for name, value in sorted(pods.env.items())]
    secret = [
        {
            "name": one.name,
            "valueFrom": {"secretKeyRef": {"name": one.secret, "key": one.key, "optional": one.optional}},
        }
        for one in pods.secrets
    ]
    trainer = {
        "image": pods.image,
        "command": ["python", "-m", MODULE],
        "args": [owner.team, str(workers)],
        "env": plain + secret,
        "numNodes": workers,
        "resourcesPerNode": {"requests": dict(pods.requests), "limits": dict(pods.limits)},
    }
    runtime = {"apiGroup": GROUP, "kind": "TrainingRuntime", "name": owner.team}
    return _object("TrainJob", owner, {"runtimeRef": runtime, "trainer": trainer})


def training_runtime(pods: WorkerPods, owner: Owner) -> Manifest:
    """The pods: no worker is started anew, since the others could not go on with it."""
    job = {
        "backoffLimit": 0,
        "completionMode": "Indexed",
        "activeDeadlineSeconds": pods.timeout_s,
        "template": {"metadata": {"labels": LABELS}, "spec": _pod(pods)},
    }
    jobs = [{"name": NODE, "template": {"metadata": {"labels": TRAINER}, "spec": job}}]
    job_set = {"failurePolicy": {"maxRestarts": 0}, "replicatedJobs": jobs}
    return _object("TrainingRuntime", owner, {"mlPolicy": {"numNodes": 1}, "template": {"spec": job_set}})


def _pod(pods: WorkerPods) -> Manifest:
    claims = {f"claim-{place}": one for place, one in enumerate(sorted(pods.claims.items()))}
    mounts = [{"name": "scratch", "mountPath": SCRATCH}]
    mounts += [{"name": name, "mountPath": path} for name, (path, _) in claims.items()]
    volumes: list[Manifest] = [{"name": "scratch", "emptyDir": {"sizeLimit": pods.scratch}}]
    volumes += [
        {"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, (_, claim) in claims.items()
    ]
    node = {
        "name": NODE,
        "image": pods.image,
        "ports": [{"containerPort": PORT}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_S,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": pods.user,
            "runAsGroup": pods.user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "nodeSelector": dict(pods.node_selector),
        "tolerations": [dict(one) for one in pods.tolerations],
        "containers": [node],
        "volumes": volumes,
    }


def _object(kind: str, owner: Owner, spec: Manifest) -> Manifest:
    reference = {"apiVersion": "v1", "kind": "Pod", "name": owner.name, "uid": owner.uid}
    metadata = {"name": owner.team, "labels": LABELS, "ownerReferences": [reference]}
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": kind, "metadata": metadata, "spec": spec}
