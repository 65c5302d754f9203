"""The patch of KFP's ConfigMap that retries containers which exit non-zero."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.kubernetes.manifests import KUBERNETES, build, kubectl

FOLDER = KUBERNETES / "components" / "kfp-retries"
DEFAULTS = """
spec:
  ttlStrategy:
    secondsAfterCompletion: 3600
    secondsAfterSuccess: 3600
    secondsAfterFailure: 3600
  templateDefaults:
    retryStrategy:
      limit: '2'
      retryPolicy: OnError
"""
STOCK = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "workflow-controller-configmap", "namespace": "kubeflow"},
    "data": {"workflowDefaults": DEFAULTS, "executor": "imagePullPolicy: IfNotPresent"},
}
"""KFP's manifests/kustomize/third-party/argo/base/workflow-controller-configmap-patch.yaml."""


def by_kustomize(folder: Path) -> dict[str, Any]:
    (folder / "stock.yaml").write_text(yaml.safe_dump(STOCK))
    (folder / "component").symlink_to(FOLDER)
    lines = {"resources": ["stock.yaml"], "components": ["component"]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(lines))
    (found,) = build(folder)
    return found


def by_kubectl(folder: Path) -> dict[str, Any]:
    patch = FOLDER / "workflow-controller-configmap.yaml"
    command = [kubectl(), "patch", "--local", "--filename=-", f"--patch-file={patch}", "--output=json"]
    done = subprocess.run(command, input=json.dumps(STOCK), capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("apply", [by_kustomize, by_kubectl])
def test_only_the_retries_of_kfp_change(tmp_path: Path, apply: Any) -> None:
    found = apply(tmp_path)
    assert found["metadata"] == STOCK["metadata"]
    assert found["data"]["executor"] == "imagePullPolicy: IfNotPresent"
    stock, patched = yaml.safe_load(DEFAULTS), yaml.safe_load(found["data"]["workflowDefaults"])
    retries = patched["spec"]["templateDefaults"].pop("retryStrategy")
    known = stock["spec"]["templateDefaults"].pop("retryStrategy")
    assert patched == stock
    assert retries.pop("expression") == 'lastRetry.status == "Error" || asInt(lastRetry.exitCode) > 0'
    assert retries == known | {"retryPolicy": "Always"}
