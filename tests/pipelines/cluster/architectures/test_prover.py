"""A cluster has a bundle proven on nodes of other architectures, and nothing more than before without."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2 as kubernetes
from kfp.pipeline_spec import pipeline_spec_pb2

from components.release.gates.architectures import CLIPS
from infra.images.context import PLATFORM
from pipelines.cluster.config import Secret, Toleration, Volume
from pipelines.cluster.package import compile_to
from pipelines.images import ARCHITECTURE
from pipelines.training import task_names
from reelflow.errors import ParamsError
from reelflow.params import Params, load_params
from tests.cluster_files import cluster_with_images

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
PARAMS = load_params(Path("params.yaml"))
PROVEN, LAID_OUT = "proof aarch64", "frames clips"


def asking(*names: str) -> Params:
    return PARAMS.with_values(release={"architectures": names})


class Compiled:
    """A package: its tasks, containers and pods by the tasks' names."""

    def __init__(self, folder: Path, params: Params, **changes: Any) -> None:
        cluster = cluster_with_images(folder, "edge-aarch64").model_copy(update=changes)
        compile_to(params, folder / "package.yaml", cluster)
        self.pipeline, self.platform = yaml.safe_load_all((folder / "package.yaml").read_text())
        components = self.pipeline["components"]
        executors = self.pipeline["deploymentSpec"]["executors"]
        platform = self.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        self.tasks, self.containers, self.pods = {}, {}, {}
        for dag in (self.pipeline["root"], *components.values()):
            for task in dag.get("dag", {}).get("tasks", {}).values():
                if label := components[task["componentRef"]["name"]].get("executorLabel"):
                    name = task["taskInfo"]["name"]
                    self.tasks[name], self.pods[name] = task, platform[label]
                    self.containers[name] = executors[label]["container"]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return Compiled(tmp_path_factory.mktemp("package"), asking("x86_64", "aarch64"))


@pytest.mark.parametrize("asked", [(), ("x86_64",)])
def test_the_architecture_of_the_images_needs_no_task(tmp_path: Path, asked: tuple[str, ...]):
    compiled = Compiled(tmp_path, asking(*asked))
    assert set(compiled.tasks) == {*task_names(PARAMS), "check", "outcome"}
    given = compiled.tasks["release"]["inputs"]["artifacts"]
    assert not {"clips", "proof_aarch64"} & given.keys()


def test_images_are_of_the_architecture_that_the_graph_takes_them_for():
    assert any(option.startswith(f"--python-platform={ARCHITECTURE}-") for option in PLATFORM)


def test_another_architecture_is_proven_between_conversion_and_release(package: Compiled):
    assert set(package.tasks) == {*task_names(PARAMS), "check", "outcome", PROVEN, LAID_OUT}
    keys = {name: task["componentRef"]["name"].removeprefix("comp-") for name, task in package.tasks.items()}
    assert {*package.tasks[PROVEN]["dependentTasks"]} == {keys["conversion"], keys[LAID_OUT]}
    given = package.tasks["release"]["inputs"]["artifacts"]
    assert given["proof_aarch64"]["taskOutputArtifact"]["producerTask"] == keys[PROVEN]
    assert given["clips"]["taskOutputArtifact"]["producerTask"] == keys[LAID_OUT]
    most = package.tasks[LAID_OUT]["inputs"]["parameters"]["most"]["runtimeValue"]["constant"]
    assert most == CLIPS
    json_format.ParseDict(package.pipeline, pipeline_spec_pb2.PipelineSpec())
    json_format.ParseDict(package.pods[PROVEN], kubernetes.KubernetesExecutorConfig())


def test_the_clips_are_laid_out_while_the_bundle_is_made(package: Compiled):
    waited = package.tasks[LAID_OUT]["dependentTasks"]
    assert {name.rstrip("-0123456789") for name in waited} == {"dataset", "evaluation"}


def test_a_proof_runs_on_a_node_of_its_architecture_in_the_image_of_a_device(package: Compiled):
    container = package.containers[PROVEN]
    assert "reelflow-edge-aarch64@sha256:" in container["image"]
    assert container["command"] == ["python3", "-m", "reelflow.edge.proof"]
    assert package.pods[PROVEN]["nodeSelector"]["labels"] == {"kubernetes.io/arch": "arm64"}
    selected = {name for name, pod in package.pods.items() if "nodeSelector" in pod}
    assert selected == {PROVEN}


def test_an_attempt_that_failed_is_never_answered_from_a_cache(package: Compiled):
    for name in (PROVEN, LAID_OUT):
        assert not package.tasks[name]["cachingOptions"].get("enableCache")


def test_its_nodes_are_told_in_the_cluster_file_and_it_sees_no_secret(tmp_path: Path):
    cluster = cluster_with_images(tmp_path)
    nodes = {"node_selector": {"pool": "arm"}, "tolerations": (Toleration(key="arch", value="arm64"),)}
    own = cluster.task_config("proof").model_copy(update=nodes)
    compiled = Compiled(
        tmp_path,
        asking("aarch64"),
        tasks={**cluster.tasks, "proof": own},
        volumes=(Volume(claim="clips", path="/data", tasks=("check", "dataset", "frames")),),
        secrets=(Secret(name="store", env={"AWS_SECRET_ACCESS_KEY": "key"}),),
    )
    pod = compiled.pods[PROVEN]
    assert pod["nodeSelector"]["labels"] == {"kubernetes.io/arch": "arm64", "pool": "arm"}
    assert pod["tolerations"][0]["key"] == "arch"
    assert {one["name"] for one in compiled.containers[PROVEN]["env"]} == {"REELFLOW_TASK"}
    assert not {"secretAsEnv", "pvcMount"} & pod.keys()
    assert {"secretAsEnv", "pvcMount"} <= compiled.pods[LAID_OUT].keys(), "as frames"


def test_the_image_of_a_device_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ParamsError, match="make edge-image ARCH=aarch64"):
        compile_to(asking("aarch64"), tmp_path / "package.yaml", cluster_with_images(tmp_path))


def test_without_another_architecture_the_image_of_a_device_is_not_needed(tmp_path: Path):
    compile_to(asking("x86_64"), tmp_path / "package.yaml", cluster_with_images(tmp_path))
