"""What the pods of tasks may write, and what a node must have free for them."""

import copy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.cluster.config import amount, load_cluster
from pipelines.cluster.package import compile_to
from reelflow.params import load_params
from tests.cluster_files import cluster_with_images
from tests.executor_pods import LAUNCHER, Pod, executor_pods
from tests.infra.kubernetes.manifests import Object, of_kind, one, pods

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
DISK = "ephemeral-storage"
LAUNCHER_BYTES = 256 * 1024**2  # the launcher's binary has 123 MiB (argo.go)
UNBOUNDED = Decimal("Infinity")
NODE = {"cpu": "2", "memory": "8Gi"}
KUBEFLOW = {"cpu": "704m", "memory": "3174Mi"}
"""The sum of the requests in manifests/kustomize/env/platform-agnostic of kubeflow/pipelines."""
CONTROL_PLANE = {"cpu": "950m", "memory": "290Mi"}
"""kubeadm's and kind's: API server 250m, controller manager 200m, scheduler 100m, etcd 100m and 100Mi,
CoreDNS twice 100m and 70Mi, the network 100m and 50Mi."""
DRIVER = {"cpu": "100m", "memory": "64Mi"}  # argo.go: driverResources


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pod]:
    return compiled(tmp_path_factory.mktemp("package"), Path("infra/cluster.yaml"))


def compiled(folder: Path, cluster: Path) -> dict[str, Pod]:
    config = load_cluster(cluster).model_copy(update={"images": cluster_with_images(folder).images})
    compile_to(load_params(Path("params.yaml")), folder / "package.yaml", config)
    return executor_pods(folder / "package.yaml")


def written_bytes(pod: Pod) -> Decimal:
    """The sum of what the emptyDirs of a pod may hold; the launcher's holds its binary."""
    sizes = {volume["name"]: volume["emptyDir"].get("sizeLimit") for volume in used_volumes(pod)}
    return sum(
        (LAUNCHER_BYTES if name == LAUNCHER else amount(size) if size else UNBOUNDED)
        for name, size in sizes.items()
    ) + Decimal(0)


def used_volumes(pod: Pod) -> list[dict[str, Any]]:
    """The volumes that a container can write; others stay empty."""
    spec = pod["spec"]
    mounted = {
        mount["name"]
        for container in (*spec["initContainers"], *spec["containers"])
        for mount in container.get("volumeMounts", ())
    }
    return [volume for volume in spec["volumes"] if volume["name"] in mounted]


def evicted_above_bytes(pod: Pod, limit_range: Object) -> Decimal:
    """The pod's limit, as the kubelet has it: the sum over the containers that have one; emptyDirs count."""
    (rule,) = (rule for rule in limit_range["spec"]["limits"] if rule["type"] == "Container")
    default = rule["default"].get(DISK)
    limits = [
        container.get("resources", {}).get("limits", {}).get(DISK, default)
        for container in pod["spec"]["containers"]
    ]
    found = [amount(limit) for limit in limits if limit]
    return sum(found, Decimal(0)) if found else UNBOUNDED


def test_no_task_is_evicted_before_it_has_written_what_it_may(
    tasks: dict[str, Pod], overlays: dict[str, list[Object]]
) -> None:
    limit_range = one(overlays["production"], "LimitRange/reelflow")
    for name, pod in tasks.items():
        assert written_bytes(pod) < UNBOUNDED, name
        assert written_bytes(pod) <= evicted_above_bytes(pod, limit_range), name


def test_a_default_limit_of_containers_would_evict(
    tasks: dict[str, Pod], overlays: dict[str, list[Object]]
) -> None:
    limit_range = copy.deepcopy(one(overlays["production"], "LimitRange/reelflow"))
    limit_range["spec"]["limits"][0]["default"][DISK] = "2Gi"
    evicted = {
        name for name, pod in tasks.items() if written_bytes(pod) > evicted_above_bytes(pod, limit_range)
    }
    assert evicted == tasks.keys()


def test_scratch_is_all_that_a_task_may_write(tasks: dict[str, Pod]) -> None:
    config = load_cluster(Path("infra/cluster.yaml"))
    for name, pod in tasks.items():
        assert {volume["name"] for volume in used_volumes(pod)} == {"scratch", LAUNCHER}, name
        step = name.removeprefix("exec-").rstrip("-0123456789")
        scratch = amount(config.task_config(step).scratch)
        assert written_bytes(pod) == scratch + LAUNCHER_BYTES, name


def requested(pod: dict[str, Any], what: str) -> Decimal:
    """What the scheduler looks for: the containers together, or the largest init container."""

    def of(container: dict[str, Any]) -> Decimal:
        return amount(container.get("resources", {}).get("requests", {}).get(what, "0"))

    inits = (of(container) for container in pod.get("initContainers", ()))
    return max([sum(map(of, pod["containers"]), Decimal(0)), *inits])


@pytest.mark.parametrize("what", NODE)
def test_every_task_fits_a_small_node_beside_all_else(
    tmp_path: Path, what: str, overlays: dict[str, list[Object]]
) -> None:
    small = compiled(tmp_path, Path("infra/cluster.dev.yaml"))
    servers = sum(
        requested(pod.spec, what) for pod in pods(of_kind(overlays["dev"], "Deployment", "StatefulSet"))
    )
    free = amount(NODE[what]) - amount(KUBEFLOW[what]) - amount(CONTROL_PLANE[what]) - servers
    needed = {name: requested(pod["spec"], what) for name, pod in small.items()}
    assert {name: size for name, size in needed.items() if size > free} == {}
    assert amount(DRIVER[what]) <= free
