"""The pods of workers for tests, with every field set."""

from components.training.trainjob.manifest import Owner
from components.training.trainjob.spec import SecretVariable, WorkerPods

OWNER = Owner("run-x-training-1", "0b3e5a3c-6f0e-4c0f-9a3c-1f1f1f1f1f1f", "reelflow-0123456789")


def worker_pods(**changes) -> WorkerPods:
    values = {
        "image": "host/reelflow-training@sha256:0",
        "env": {"REELFLOW_STORE": "s3://bucket", "REELFLOW_SHARDS": "store"},
        "secrets": (SecretVariable(name="AWS_ACCESS_KEY_ID", secret="store", key="id", optional=False),),
        "requests": {"cpu": "1", "memory": "4Gi"},
        "limits": {"cpu": "4", "memory": "8Gi", "nvidia.com/gpu": "1"},
        "scratch": "16Gi",
        "timeout_s": 43200,
        "user": 10001,
        "node_selector": {"pool": "gpu"},
        "tolerations": ({"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},),
        "claims": {"/weights": "weights"},
    }
    return WorkerPods(**values | changes)
