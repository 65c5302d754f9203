"""Policies for every object. A policy takes the objects of an overlay and returns the violations."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.infra.kubernetes.manifests import Object, Pods, name, namespace, of_kind, pods, selects

SECRET_NAME = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|KEY", re.IGNORECASE)
ONLY_REFERENCES = re.compile(r'"?(\$\(\w+\),?)+"?')
CREDENTIALS = re.compile(r"://[^/@\s]+:[^/@\s]+@")
VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
VOLUME_SOURCES = {
    "configMap": ("ConfigMap", "name"),
    "secret": ("Secret", "secretName"),
    "persistentVolumeClaim": ("PersistentVolumeClaim", "claimName"),
}
ENV_SOURCES = {
    "configMapRef": "ConfigMap",
    "configMapKeyRef": "ConfigMap",
    "secretRef": "Secret",
    "secretKeyRef": "Secret",
}
Policy = Callable[[list[Object]], Iterator[str]]


def runs_as_numbered_user(objects: list[Object]) -> Iterator[str]:
    for what, container, pod in _containers(objects):
        user = _security(container, pod, "runAsUser")
        if _security(container, pod, "runAsNonRoot") is not True or not isinstance(user, int) or user < 1:
            yield f"{what} may run as root, or as a user without a number"


def root_is_read_only(objects: list[Object]) -> Iterator[str]:
    for what, container, _ in _containers(objects):
        if container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
            yield f"{what} may write its root file system"


def has_no_capabilities(objects: list[Object]) -> Iterator[str]:
    for what, container, _ in _containers(objects):
        capabilities = container.get("securityContext", {}).get("capabilities", {})
        if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
            yield f"{what} keeps capabilities"


def gains_no_privileges(objects: list[Object]) -> Iterator[str]:
    for what, container, _ in _containers(objects):
        context = container.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
            yield f"{what} may gain privileges"


def has_seccomp(objects: list[Object]) -> Iterator[str]:
    for what, container, pod in _containers(objects):
        if (_security(container, pod, "seccompProfile") or {}).get("type") != "RuntimeDefault":
            yield f"{what} has no seccomp profile"


def stays_off_the_node(objects: list[Object]) -> Iterator[str]:
    for pod in pods(objects):
        for shared in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.spec.get(shared):
                yield f"{pod.owner} shares {shared}"
        for volume in pod.spec.get("volumes", ()):
            if not VOLUMES & volume.keys():
                yield f"{pod.owner}: volume {volume['name']} is of a kind that restricted forbids"


def mounts_no_token(objects: list[Object]) -> Iterator[str]:
    for pod in pods(objects):
        if pod.spec.get("automountServiceAccountToken") is not False:
            yield f"{pod.owner} mounts a service account's token"


def has_requests_and_limits(objects: list[Object]) -> Iterator[str]:
    for what, container, _ in _containers(objects):
        for bound in ("requests", "limits"):
            missing = {"cpu", "memory"} - container.get("resources", {}).get(bound, {}).keys()
            if missing:
                yield f"{what} has no {bound} of {', '.join(sorted(missing))}"


def images_have_versions(objects: list[Object]) -> Iterator[str]:
    for what, container, _ in _containers(objects):
        reference = container["image"]
        tag = reference.rpartition("/")[2].partition(":")[2]
        if "@sha256:" not in reference and tag in ("", "latest"):
            yield f"{what} runs {reference}, which has no version"


def holds_no_secret(objects: list[Object]) -> Iterator[str]:
    for item in of_kind(objects, "Secret"):
        if item.get("data") or item.get("stringData"):
            yield f"{name(item)} holds values"


def writes_no_secret_plainly(objects: list[Object]) -> Iterator[str]:
    for item in of_kind(objects, "ConfigMap"):
        for key, value in item.get("data", {}).items():
            yield from _plain(f"{name(item)}: {key}", key, value)
    for what, container, _ in _containers(objects):
        for variable in container.get("env", ()):
            value = variable.get("value", "")
            yield from _plain(f"{what}: {variable['name']}", variable["name"], value)
        for word in (*container.get("command", ()), *container.get("args", ())):
            yield from _plain(f"{what}: its command", "", word)


def answers_probes(objects: list[Object]) -> Iterator[str]:
    for item in of_kind(objects, "Deployment", "StatefulSet"):
        for container in item["spec"]["template"]["spec"]["containers"]:
            for probe in ("readinessProbe", "livenessProbe"):
                if probe not in container:
                    yield f"{name(item)}: container {container['name']} has no {probe}"


def survives_a_drain(objects: list[Object]) -> Iterator[str]:
    for item in of_kind(objects, "Deployment"):
        labels, replicas = item["spec"]["template"]["metadata"]["labels"], item["spec"]["replicas"]
        budgets = [
            budget["spec"]
            for budget in of_kind(objects, "PodDisruptionBudget")
            if namespace(budget) == namespace(item) and selects(budget["spec"]["selector"], labels)
        ]
        if not budgets:
            yield f"{name(item)} has no PodDisruptionBudget"
        elif budgets[0]["minAvailable"] >= replicas:
            yield f"{name(item)}: its budget keeps all {replicas} replicas, so that no node can be drained"


def is_cut_off(objects: list[Object]) -> Iterator[str]:
    for pod in pods(objects):
        directions = {
            direction
            for policy in of_kind(objects, "NetworkPolicy")
            if namespace(policy) == pod.namespace and selects(policy["spec"]["podSelector"], pod.labels)
            for direction in policy["spec"]["policyTypes"]
        }
        for direction in sorted({"Ingress", "Egress"} - directions):
            yield f"{pod.owner}: no network policy bounds its {direction}"


def nothing_is_let_to_all(objects: list[Object]) -> Iterator[str]:
    for item in of_kind(objects, "NetworkPolicy"):
        for direction, sides in (("ingress", "from"), ("egress", "to")):
            for rule in item["spec"].get(direction, ()):
                if not rule.get(sides) or not rule.get("ports"):
                    yield f"{name(item)}: a rule of {direction} names no peers or no ports"


def denies_by_default(objects: list[Object]) -> Iterator[str]:
    for item in of_kind(objects, "Namespace"):
        if not any(
            namespace(policy) == item["metadata"]["name"]
            and not policy["spec"]["podSelector"]
            and set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
            and not policy["spec"].get("ingress")
            and not policy["spec"].get("egress")
            for policy in of_kind(objects, "NetworkPolicy")
        ):
            yield f"{name(item)} has no policy that denies by default"


def namespaces_are_restricted(objects: list[Object]) -> Iterator[str]:
    for item in of_kind(objects, "Namespace"):
        for mode in ("enforce", "audit", "warn"):
            if item["metadata"].get("labels", {}).get(f"pod-security.kubernetes.io/{mode}") != "restricted":
                yield f"{name(item)} does not {mode} pod security restricted"


def services_find_pods(objects: list[Object]) -> Iterator[str]:
    for item in of_kind(objects, "Service"):
        found = [
            pod
            for pod in pods(objects)
            if pod.namespace == namespace(item)
            and selects({"matchLabels": item["spec"]["selector"]}, pod.labels)
        ]
        ports = {
            port[key]
            for pod in found
            for _, container in pod.containers()
            for port in container.get("ports", ())
            for key in ("name", "containerPort")
        }
        for port in item["spec"]["ports"]:
            if port["targetPort"] not in ports:
                yield f"{name(item)}: no pod that it selects has port {port['targetPort']}"


def monitors_find_services(objects: list[Object]) -> Iterator[str]:
    for item in of_kind(objects, "ServiceMonitor"):
        ports = {
            port["name"]
            for service in of_kind(objects, "Service")
            if selects(item["spec"]["selector"], service["metadata"].get("labels", {}))
            for port in service["spec"]["ports"]
        }
        for endpoint in item["spec"]["endpoints"]:
            if endpoint["port"] not in ports:
                yield f"{name(item)}: no service that it selects has port {endpoint['port']}"


def roles_are_small(objects: list[Object]) -> Iterator[str]:
    for item in of_kind(objects, "ClusterRole", "ClusterRoleBinding"):
        yield f"{name(item)} reaches beyond its namespace"
    for item in of_kind(objects, "Role"):
        for rule in item["rules"]:
            if any("*" in rule.get(part, ()) for part in ("apiGroups", "resources", "verbs")):
                yield f"{name(item)} has a wildcard"
            if "secrets" in rule["resources"] and not rule.get("resourceNames"):
                yield f"{name(item)} reads every secret"
            if {"pods/exec", "pods/attach"} & set(rule["resources"]) or {"escalate", "bind"} & set(
                rule["verbs"]
            ):
                yield f"{name(item)} may become what it is not"


def missing_references(objects: list[Object]) -> set[str]:
    """Kind/name of what pods and bindings name and no object is."""
    there = {(namespace(item), name(item)) for item in objects}
    return {wanted for place, wanted in _references(objects) if (place, wanted) not in there}


def _references(objects: list[Object]) -> Iterator[tuple[str, str]]:
    for pod in pods(objects):
        for wanted in _of_pod(pod):
            yield pod.namespace, wanted
    for item in of_kind(objects, "RoleBinding"):
        yield namespace(item), f"{item['roleRef']['kind']}/{item['roleRef']['name']}"
        for subject in item["subjects"]:
            yield subject.get("namespace", namespace(item)), f"{subject['kind']}/{subject['name']}"


def _of_pod(pod: Pods) -> Iterator[str]:
    if "serviceAccountName" in pod.spec:
        yield f"ServiceAccount/{pod.spec['serviceAccountName']}"
    for volume in pod.spec.get("volumes", ()):
        for source, (kind, key) in VOLUME_SOURCES.items():
            if source in volume:
                yield f"{kind}/{volume[source][key]}"
    for _, container in pod.containers():
        values = [variable.get("valueFrom", {}) for variable in container.get("env", ())]
        for given in (*container.get("envFrom", ()), *values):
            for source, kind in ENV_SOURCES.items():
                if source in given:
                    yield f"{kind}/{given[source]['name']}"


def _containers(objects: list[Object]) -> Iterator[tuple[str, dict[str, Any], Pods]]:
    for pod in pods(objects):
        for what, container in pod.containers():
            yield what, container, pod


def _security(container: dict[str, Any], pod: Pods, key: str) -> Any:
    """A container's own setting wins over its pod's."""
    own = container.get("securityContext", {})
    return own[key] if key in own else pod.spec.get("securityContext", {}).get(key)


def _plain(what: str, key: str, value: str) -> Iterator[str]:
    named = SECRET_NAME.search(key) and value and not ONLY_REFERENCES.fullmatch(value)
    if named or CREDENTIALS.search(value):
        yield f"{what} is written plainly"


EVERYWHERE: tuple[Policy, ...] = (
    runs_as_numbered_user,
    root_is_read_only,
    has_no_capabilities,
    gains_no_privileges,
    has_seccomp,
    stays_off_the_node,
    mounts_no_token,
    has_requests_and_limits,
    images_have_versions,
    writes_no_secret_plainly,
    answers_probes,
    is_cut_off,
    nothing_is_let_to_all,
    denies_by_default,
    namespaces_are_restricted,
    services_find_pods,
    monitors_find_services,
    roles_are_small,
)
IN_PRODUCTION: tuple[Policy, ...] = (holds_no_secret, survives_a_drain)
