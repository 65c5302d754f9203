"""Every built object keeps to every policy, and every policy notices an object that does not."""

import copy
from typing import Any

import pytest

from tests.infra.kubernetes.manifests import OVERLAYS, Object, name, one
from tests.infra.kubernetes.policies import EVERYWHERE, IN_PRODUCTION, Policy

DROP = object()
POD = "spec.template.spec"
FIRST = f"{POD}.containers.0"
SERVER, MIGRATION = "Deployment/mlflow", "Job/mlflow-migration"
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "stringData": {"a": "b"}}
CLUSTER_ROLE = {"kind": "ClusterRole", "metadata": {"name": "x"}, "rules": []}

# policy, object, path in it, value that breaks the policy
BROKEN: list[tuple[str, str, str, Any]] = [
    ("runs_as_numbered_user", SERVER, f"{POD}.securityContext.runAsNonRoot", DROP),
    ("runs_as_numbered_user", SERVER, f"{POD}.securityContext.runAsUser", 0),
    ("runs_as_numbered_user", MIGRATION, f"{FIRST}.securityContext.runAsUser", 0),
    ("root_is_read_only", SERVER, f"{FIRST}.securityContext.readOnlyRootFilesystem", DROP),
    ("root_is_read_only", SERVER, f"{POD}.initContainers.0.securityContext.readOnlyRootFilesystem", False),
    ("has_no_capabilities", SERVER, f"{FIRST}.securityContext.capabilities.drop", ["NET_RAW"]),
    ("has_no_capabilities", SERVER, f"{FIRST}.securityContext.capabilities.add", ["NET_BIND_SERVICE"]),
    ("gains_no_privileges", SERVER, f"{FIRST}.securityContext.allowPrivilegeEscalation", DROP),
    ("gains_no_privileges", SERVER, f"{FIRST}.securityContext.privileged", True),
    ("has_seccomp", SERVER, f"{POD}.securityContext.seccompProfile.type", "Unconfined"),
    ("stays_off_the_node", SERVER, f"{POD}.hostNetwork", True),
    ("stays_off_the_node", SERVER, f"{POD}.volumes.0", {"name": "scratch", "hostPath": {"path": "/"}}),
    ("mounts_no_token", SERVER, f"{POD}.automountServiceAccountToken", DROP),
    ("has_requests_and_limits", SERVER, f"{FIRST}.resources.limits.memory", DROP),
    ("has_requests_and_limits", MIGRATION, f"{FIRST}.resources.requests", DROP),
    ("images_have_versions", SERVER, f"{FIRST}.image", "reelflow-mlflow:latest"),
    ("images_have_versions", SERVER, f"{FIRST}.image", "registry.example.com:5000/reelflow-mlflow"),
    ("writes_no_secret_plainly", SERVER, f"{FIRST}.env.1", {"name": "AWS_SECRET_ACCESS_KEY", "value": "x"}),
    ("writes_no_secret_plainly", SERVER, f"{FIRST}.env.1", {"name": "DATABASE", "value": "db://me:x@there"}),
    ("writes_no_secret_plainly", MIGRATION, f"{FIRST}.command.3", "postgresql://me:x@there/mlflow"),
    ("writes_no_secret_plainly", "ConfigMap/mlflow", "data.API_TOKEN", "x"),
    ("answers_probes", SERVER, f"{FIRST}.livenessProbe", DROP),
    ("answers_probes", SERVER, f"{FIRST}.readinessProbe", DROP),
    ("is_cut_off", "NetworkPolicy/default-deny", "spec.podSelector", {"matchLabels": {"no": "such"}}),
    ("nothing_is_let_to_all", "NetworkPolicy/reelflow-web", "spec.egress.0.to", DROP),
    ("nothing_is_let_to_all", "NetworkPolicy/mlflow-callers", "spec.ingress.0.ports", DROP),
    ("denies_by_default", "NetworkPolicy/default-deny", "spec.policyTypes", ["Ingress"]),
    ("denies_by_default", "NetworkPolicy/default-deny", "spec.egress", [{}]),
    (
        "namespaces_are_restricted",
        "Namespace/reelflow",
        "metadata.labels",
        {"pod-security.kubernetes.io/enforce": "baseline"},
    ),
    ("services_find_pods", "Service/mlflow", "spec.selector", {"app.kubernetes.io/name": "mlflo"}),
    ("services_find_pods", SERVER, f"{FIRST}.ports.0.name", "web"),
    ("monitors_find_services", "ServiceMonitor/mlflow", "spec.endpoints.0.port", "metrics"),
    ("roles_are_small", "Role/reelflow-pipeline", "rules.0.verbs", ["*"]),
    ("roles_are_small", "Role/reelflow-pipeline", "rules.2.resourceNames", DROP),
    ("roles_are_small", "Role/reelflow-pipeline", "rules.3.resources", ["pods", "pods/exec"]),
    ("roles_are_small", "ServiceAccount/mlflow", "", CLUSTER_ROLE),
    ("holds_no_secret", "ServiceAccount/mlflow", "", SECRET),
    ("survives_a_drain", "PodDisruptionBudget/mlflow", "spec.minAvailable", 2),
    ("survives_a_drain", "PodDisruptionBudget/mlflow", "spec.selector.matchLabels", {"no": "such"}),
]


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("policy", EVERYWHERE, ids=lambda policy: policy.__name__)
def test_objects_keep_to(policy: Policy, overlay: str, monitored: dict[str, list[Object]]) -> None:
    assert list(policy(monitored[overlay])) == []


@pytest.mark.parametrize("policy", IN_PRODUCTION, ids=lambda policy: policy.__name__)
def test_production_keeps_to(policy: Policy, monitored: dict[str, list[Object]]) -> None:
    assert list(policy(monitored["production"])) == []


@pytest.mark.parametrize(("policy", "target", "path", "value"), BROKEN)
def test_policy_notices(
    policy: str, target: str, path: str, value: Any, monitored: dict[str, list[Object]]
) -> None:
    objects = copy.deepcopy(monitored["production"])
    change(one(objects, target), path, value)
    check = {known.__name__: known for known in (*EVERYWHERE, *IN_PRODUCTION)}[policy]
    assert list(check(objects)), f"{policy} let {target} {path} pass"


def test_every_policy_is_shown_to_notice() -> None:
    assert {policy for policy, *_ in BROKEN} == {policy.__name__ for policy in (*EVERYWHERE, *IN_PRODUCTION)}


def change(item: Object, path: str, value: Any) -> None:
    """Set or drop what a dotted path names; an empty path replaces the object."""
    if not path:
        item.clear()
        item.update(value)
        return
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: Any = item
    for part in way:
        place = place[part]
    if value is DROP:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    assert name(item)
