"""The pods in which KFP runs a compiled package, without a cluster.

KFP's compiler writes a template of a pod; its driver writes a patch for each task, which Argo merges as
Kubernetes does. Here `kubectl patch --local` merges it: the same code.
"""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.infra.kubernetes.manifests import kubectl

Pod = dict[str, Any]
LAUNCHER = "kfp-launcher"
MOUNTS = {
    LAUNCHER: "/kfp-launcher",
    "gcs-scratch": "/gcs",
    "s3-scratch": "/s3",
    "minio-scratch": "/minio",
    "dot-local-scratch": "/.local",
    "dot-cache-scratch": "/.cache",
    "dot-config-scratch": "/.config",
}
"""The emptyDirs of KFP's template: backend/src/v2/compiler/argocompiler/container.go."""

TEMPLATE: Pod = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "executor"},
    "spec": {
        "volumes": [{"name": name, "emptyDir": {}} for name in MOUNTS],
        "initContainers": [
            {
                "name": "kfp-launcher",
                "image": "launcher",
                "volumeMounts": [{"name": LAUNCHER, "mountPath": MOUNTS[LAUNCHER]}],
                "resources": {  # argo.go: launcherResources
                    "limits": {"cpu": "500m", "memory": "256Mi"},
                    "requests": {"cpu": "100m"},
                },
            }
        ],
        "containers": [
            {
                "name": "main",
                "image": "main",
                "volumeMounts": [{"name": name, "mountPath": path} for name, path in MOUNTS.items()],
            },
            {"name": "wait", "image": "argoexec"},
        ],
    },
}


def executor_pods(package: Path) -> dict[str, Pod]:
    """The pod of each executor of a package."""
    pipeline, platform = yaml.load_all(package.read_text(), yaml.CSafeLoader)
    containers = pipeline["deploymentSpec"]["executors"]
    settings = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return {
        label: json.loads(_patched(json.dumps(_patch(containers[label]["container"], settings[label]))))
        for label in containers
    }


def _patch(container: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """As the driver writes it: backend/src/v2/driver/k8s.go adds one volume for each emptyDirMount."""
    resources, mounts = container["resources"], settings["emptyDirMounts"]
    main = {
        "name": "main",
        "resources": {
            kind: {
                what: resources[f"resource{what.title()}{kind.title()[:-1]}"] for what in ("cpu", "memory")
            }
            for kind in ("requests", "limits")
        },
        "volumeMounts": [{"name": one["volumeName"], "mountPath": one["mountPath"]} for one in mounts],
    }
    volumes = [{"name": one["volumeName"], "emptyDir": {"sizeLimit": one["sizeLimit"]}} for one in mounts]
    return {"spec": {"volumes": volumes, "containers": [main]}}


@cache
def _patched(patch: str) -> str:
    command = [kubectl(), "patch", "--local", "--filename=-", "--type=strategic", f"--patch={patch}"]
    template = json.dumps(TEMPLATE)
    done = subprocess.run(
        [*command, "--output=json"], input=template, capture_output=True, text=True, check=True
    )
    return done.stdout
