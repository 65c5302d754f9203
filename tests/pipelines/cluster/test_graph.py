"""The package that a cluster takes, as KFP's own messages understand it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2 as kubernetes
from kfp.pipeline_spec import pipeline_spec_pb2

from components.training.trainjob.spec import WorkerPods
from pipelines.cluster.config import (
    Resources,
    Secret,
    Store,
    TaskConfig,
    Toleration,
    Volume,
    amount,
    load_cluster,
)
from pipelines.cluster.package import NODES_BYTES, compile_to, workflow_bytes
from pipelines.training import task_names
from reelflow.errors import ParamsError
from reelflow.params import load_params
from reelflow.provenance.code import code_hash
from tests.cluster_files import cluster_with_images

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
PARAMS = load_params(Path("params.yaml"))
CLUSTER = load_cluster(Path("infra/cluster.yaml"))
SHARED = {"store": Store(address="s3://bucket/shards")}


class Package:
    """A compiled package, by the tasks' names."""

    def __init__(self, path: Path) -> None:
        self.pipeline, self.platform = list(yaml.load_all(path.read_text(), yaml.CSafeLoader))
        specs = self.pipeline["deploymentSpec"]["executors"]
        platform = self.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        self.tasks: dict[str, dict[str, Any]] = {}
        self.containers: dict[str, dict[str, Any]] = {}
        self.pods: dict[str, dict[str, Any]] = {}
        dags = [self.pipeline["root"], *self.pipeline["components"].values()]
        for dag in dags:
            for task in dag.get("dag", {}).get("tasks", {}).values():
                component = self.pipeline["components"][task["componentRef"]["name"]]
                if label := component.get("executorLabel"):
                    name = task["taskInfo"]["name"]
                    self.tasks[name] = task
                    self.containers[name] = specs[label]["container"]
                    self.pods[name] = platform[label]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return compiled(tmp_path_factory.mktemp("package"))


def compiled(tmp_path: Path, cluster=None, params=PARAMS, *, always=False, cached=True) -> Package:
    path = tmp_path / "package.yaml"
    compile_to(params, path, cluster or cluster_with_images(tmp_path), always=always, cached=cached)
    return Package(path)


def test_links_of_the_kfp_ui_name_no_user_of_mlflow(tmp_path):
    cluster = cluster_with_images(tmp_path)
    named = cluster.mlflow.model_copy(update={"ui": "https://ann:s3cret@mlflow.example/ml/"})
    package = compiled(tmp_path, cluster.model_copy(update={"mlflow": named}))
    given = package.tasks["check"]["inputs"]["parameters"]["mlflow_ui"]
    assert given["runtimeValue"]["constant"] == "https://mlflow.example/ml"
    assert "s3cret" not in (tmp_path / "package.yaml").read_text()


def longest_chain(package: Package, dag: dict[str, Any]) -> int:
    """How many tasks start one after another; a group is as long as what is in it."""
    tasks, lengths = dag["dag"]["tasks"], {}

    def length(key: str) -> int:
        if key not in lengths:
            component = package.pipeline["components"][tasks[key]["componentRef"]["name"]]
            own = longest_chain(package, component) if "dag" in component else 1
            before = (length(other) for other in tasks[key].get("dependentTasks", ()))
            lengths[key] = own + max(before, default=0)
        return lengths[key]

    return max(map(length, tasks))


@pytest.mark.parametrize("heads", [["gru"], ["gru", "lstm", "single_frame"]])
def test_nine_tasks_start_one_after_another_however_many_heads_there_are(tmp_path, heads):
    package = compiled(tmp_path, params=PARAMS.with_values(training={"heads": heads}))
    assert longest_chain(package, package.pipeline["root"]) == 9


def test_parts_and_another_architecture_are_one_more_start_each(tmp_path):
    cluster = cluster_with_images(tmp_path, "edge-aarch64")
    params = PARAMS.with_values(release={"architectures": ["x86_64", "aarch64"]})
    proven = compiled(tmp_path, cluster, params)
    assert longest_chain(proven, proven.pipeline["root"]) == 10
    dealt = compiled(tmp_path, cluster.model_copy(update={**SHARED, "fan_out": 2}))
    assert longest_chain(dealt, dealt.pipeline["root"]) == 10


def test_kfp_knows_every_field(package):
    json_format.ParseDict(package.pipeline, pipeline_spec_pb2.PipelineSpec())
    for pod in package.pods.values():
        json_format.ParseDict(pod, kubernetes.KubernetesExecutorConfig())


def test_the_steps_stand_between_a_check_and_an_exit_handler(package):
    assert set(package.tasks) == {*task_names(PARAMS), "check", "outcome"}
    root = package.pipeline["root"]["dag"]["tasks"]
    assert root["outcome"]["triggerPolicy"]["strategy"] == "ALL_UPSTREAM_TASKS_COMPLETED"
    conditions = [
        task["triggerPolicy"]["condition"]
        for component in package.pipeline["components"].values()
        for task in component.get("dag", {}).get("tasks", {}).values()
        if "triggerPolicy" in task
    ]
    assert conditions == ["inputs.parameter_values['pipelinechannel--check-Output'] != ''"]


def test_what_acts_on_the_world_is_never_cached_and_the_rest_is(package):
    cached = {name for name, task in package.tasks.items() if task["cachingOptions"].get("enableCache")}
    assert set(package.tasks) - cached == {"check", "outcome", "release"}


def test_nothing_is_cached_where_a_fresh_run_is_asked_for(tmp_path):
    package = compiled(tmp_path, cached=False)
    assert not [name for name, task in package.tasks.items() if task["cachingOptions"].get("enableCache")]


def test_split_lists_are_read_again_each_time_for_their_paths_say_nothing_of_them(tmp_path):
    params = PARAMS.with_values(dataset={"split_lists": {"train": "a.txt", "test": "b.txt"}})
    package = compiled(tmp_path, params=params)
    assert not package.tasks["dataset"]["cachingOptions"].get("enableCache", False)
    asked = package.tasks["check"]["inputs"]["parameters"]["split_lists"]
    assert asked == {"runtimeValue": {"constant": ["a.txt", "b.txt"]}}


@pytest.mark.parametrize(("heads", "file"), [(["gru", "p3d_63"], "/weights/resnet50.h5"), (["gru"], "")])
def test_the_file_that_a_head_starts_from_is_looked_at_each_time(tmp_path, heads, file):
    video = PARAMS.training.video.model_dump() | {"inflate": "/weights/resnet50.h5"}
    params = PARAMS.with_values(
        features={"backbones": ["thumbnail", "pixels_32"]}, training={"heads": heads, "video": video}
    )
    asked = compiled(tmp_path, params=params).tasks["check"]["inputs"]["parameters"]["inflate"]
    assert asked == {"runtimeValue": {"constant": file}}


def test_the_version_of_the_data_is_part_of_the_cache_key(package):
    version = package.tasks["dataset"]["inputs"]["parameters"]["data_version"]
    assert version == {"componentInputParameter": "pipelinechannel--check-Output"}


def test_the_code_of_a_step_and_what_it_reads_by_name_are_part_of_its_cache_key(package):
    keys = {
        name: task["inputs"]["parameters"]["key"]["runtimeValue"]["constant"]
        for name, task in package.tasks.items()
        if "key" in task["inputs"]["parameters"]
    }
    assert set(keys) == set(task_names(PARAMS))
    read = {"features": "check-weights", "conversion": "check-weights", "training": "check-teachers"}
    for name, key in keys.items():
        step = name.split()[0]
        assert key.startswith(code_hash(step))
        assert key.endswith(f"pipelinechannel--{read.get(step)}']}}}}") == (step in read), key


def test_every_task_is_bounded_confined_and_known(package):
    for name, container in package.containers.items():
        bounds, pod, config = container["resources"], package.pods[name], CLUSTER.task_config(name.split()[0])
        assert bounds["resourceCpuRequest"] == config.requests.cpu, name
        assert bounds["resourceMemoryRequest"] == config.requests.memory, name
        assert bounds["resourceCpuLimit"] == config.limits.cpu, name
        assert bounds["resourceMemoryLimit"] == config.limits.memory, name
        assert "@sha256:" in container["image"], name
        assert int(pod["activeDeadlineSeconds"]) > 0, name
        assert pod["securityContext"] == {"runAsUser": "10001", "runAsGroup": "10001", "runAsNonRoot": True}
        assert pod["emptyDirMounts"][0]["mountPath"] == "/tmp"
        assert {one["sizeLimit"] for one in pod["emptyDirMounts"]} == {config.scratch}
        assert pod["fieldPathAsEnv"] == [
            {"name": "REELFLOW_RUN", "fieldPath": "metadata.labels['pipeline/runid']"}
        ]
        assert pod["podMetadata"]["labels"] == {
            "app.kubernetes.io/part-of": "reelflow",
            "app.kubernetes.io/component": name.split()[0],
        }
        assert {"name": "REELFLOW_TASK", "value": name} in container["env"]


def test_pure_steps_are_tried_again_and_release_is_not(package):
    policies = {name: task.get("retryPolicy") for name, task in package.tasks.items()}
    expected = {"maxRetryCount": 2, "backoffDuration": "30s", "backoffFactor": 2.0}
    assert policies["features thumbnail"].items() >= expected.items()
    assert policies["release"] is None


def test_a_retry_has_its_time_however_long_the_attempt_before_it_was(package):
    """Argo begins no attempt beyond the window of the first one, and ends those that are at work."""
    for name, task in package.tasks.items():
        config = CLUSTER.task_config(name.split()[0])
        if policy := task.get("retryPolicy"):
            waits_s = sum(CLUSTER.backoff_s * 2**number for number in range(config.retries))
            needed_s = (config.retries + 1) * config.timeout_s + waits_s
            assert int(policy["backoffMaxDuration"].removesuffix("s")) >= needed_s, name


def test_a_secret_reaches_the_tasks_that_it_is_for_as_a_variable(package):
    told = {name for name, pod in package.pods.items() if "secretAsEnv" in pod}
    assert told == {"outcome"}


def test_one_key_of_a_secret_may_be_two_variables(tmp_path):
    secret = Secret(name="store", env={"AWS_SECRET_ACCESS_KEY": "key", "MLFLOW_TRACKING_PASSWORD": "key"})
    cluster = cluster_with_images(tmp_path).model_copy(update={"secrets": (secret,)})
    found = compiled(tmp_path, cluster).pods["frames"]["secretAsEnv"]
    given = {entry["envVar"] for one in found for entry in one["keyToEnv"]}
    assert given == set(secret.env)


def test_gpus_volumes_nodes_and_float_backbones(tmp_path):
    cluster = cluster_with_images(tmp_path, "training-gpu", "features-float")
    whole = Resources(cpu="4", memory="16Gi")
    gpu = TaskConfig(
        requests=whole,
        limits=whole,
        gpus=1,
        scratch="2Gi",
        timeout_s=60,
        retries=0,
        node_selector={"kubernetes.io/arch": "amd64"},
        tolerations=(Toleration(key="nvidia.com/gpu", operator="Exists"),),
    )
    volume = Volume(claim="clips", path="/data", tasks=("check", "dataset", "frames"))
    cluster = cluster.model_copy(update={"tasks": {**cluster.tasks, "training": gpu}, "volumes": (volume,)})
    params = PARAMS.with_values(features={"backbones": ["mobilenet_v2", "thumbnail"]})
    package = compiled(tmp_path, cluster, params)
    training = package.containers["training thumbnail-gru"]
    assert "training-gpu@" in training["image"]
    assert training["resources"]["accelerator"] == {
        "type": "nvidia.com/gpu",
        "resourceType": "nvidia.com/gpu",
        "count": "1",
        "resourceCount": "1",
    }
    assert package.pods["training thumbnail-gru"]["nodeSelector"]["labels"] == {"kubernetes.io/arch": "amd64"}
    assert package.pods["training thumbnail-gru"]["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert "features-float@" in package.containers["features mobilenet_v2"]["image"]
    assert "features@" in package.containers["features thumbnail"]["image"]
    mounted = {name for name, pod in package.pods.items() if "pvcMount" in pod}
    assert mounted == {"check", "dataset", "frames"}


WORKERS = PARAMS.with_values(training={"workers": 2, "heads": ["gru", "segment_linear"]})


def test_a_training_task_gets_the_pods_of_its_workers_and_waits_on_little(tmp_path):
    cluster = cluster_with_images(tmp_path, "training-gpu")
    secret = Secret(name="store", env={"AWS_ACCESS_KEY_ID": "id"}, tasks=("training",))
    volume = Volume(claim="weights", path="/weights", tasks=("training",))
    whole = cluster.task_config("training")
    gpu = whole.model_copy(update={"gpus": 2, "node_selector": {"pool": "gpu"}})
    changes = {
        "store": Store(address="s3://bucket/shards"),
        "tasks": {**cluster.tasks, "training": gpu},
        "secrets": (secret,),
        "volumes": (volume,),
    }
    package = compiled(tmp_path, cluster.model_copy(update=changes), WORKERS)
    json_format.ParseDict(package.pods["training thumbnail-gru"], kubernetes.KubernetesExecutorConfig())
    container, pod = (found["training thumbnail-gru"] for found in (package.containers, package.pods))
    variables = {one["name"]: one.get("value") for one in container["env"]}
    workers = WorkerPods.model_validate_json(variables["REELFLOW_TRAINJOB"])
    assert workers.image == container["image"]
    assert workers.limits == {**whole.limits.model_dump(), "nvidia.com/gpu": "1"}
    assert workers.requests == whole.requests.model_dump()
    assert workers.env.items() <= variables.items()
    assert {"REELFLOW_STORE", "REELFLOW_SHARDS", "REELFLOW_SCRATCH_BYTES"} <= workers.env.keys()
    assert [(one.name, one.secret, one.key) for one in workers.secrets] == [
        ("AWS_ACCESS_KEY_ID", "store", "id")
    ]
    assert (workers.claims, workers.node_selector) == ({"/weights": "weights"}, {"pool": "gpu"})
    assert {one["name"]: one["fieldPath"] for one in pod["fieldPathAsEnv"]}.items() >= {
        ("REELFLOW_POD_NAME", "metadata.name"),
        ("REELFLOW_POD_UID", "metadata.uid"),
        ("REELFLOW_POD_NAMESPACE", "metadata.namespace"),
    }
    assert "accelerator" not in container["resources"]
    assert "nodeSelector" not in pod
    assert container["resources"]["resourceMemoryLimit"] == cluster.task_config("default").limits.memory


def test_linear_heads_train_in_their_task_whatever_the_workers(tmp_path):
    cluster = cluster_with_images(tmp_path).model_copy(update={"store": Store(address="s3://bucket/shards")})
    package = compiled(tmp_path, cluster, WORKERS)
    container = package.containers["training thumbnail-segment_linear"]
    assert "REELFLOW_TRAINJOB" not in {one["name"] for one in container["env"]}
    assert container["resources"]["resourceMemoryLimit"] == cluster.task_config("training").limits.memory


def test_workers_without_a_store_are_refused(tmp_path):
    with pytest.raises(ParamsError, match=r"store\.address is not set: workers read shards from the store"):
        compiled(tmp_path, params=WORKERS)


def test_frames_and_features_are_dealt_to_tasks_that_the_whole_steps_wait_for(tmp_path):
    store = Store(address="s3://bucket/shards", s3_endpoint="http://store:9000")
    cluster = cluster_with_images(tmp_path).model_copy(update={"fan_out": 2, "store": store})
    package = compiled(tmp_path, cluster)
    parts = {"frames 1/2", "frames 2/2", "features thumbnail 1/2", "features thumbnail 2/2"}
    assert set(package.tasks) == {*task_names(PARAMS), "check", "outcome", *parts}
    keys = {name: task["componentRef"]["name"].removeprefix("comp-") for name, task in package.tasks.items()}
    for whole in ("frames", "features thumbnail"):
        waited = set(package.tasks[whole]["dependentTasks"])
        assert {keys[f"{whole} 1/2"], keys[f"{whole} 2/2"]} <= waited
    part = package.tasks["features thumbnail 2/2"]["inputs"]["artifacts"]["frames"]
    assert part["taskOutputArtifact"]["producerTask"] == keys["frames 2/2"]
    variables = {one["name"]: one["value"] for one in package.containers["frames 1/2"]["env"]}
    assert variables["REELFLOW_STORE"] == store.address
    assert variables["REELFLOW_SHARDS"] == "store"
    assert 0 < int(variables["REELFLOW_SCRATCH_BYTES"]) < amount(cluster.task_config("frames").scratch)
    assert "reelflow-features@" in package.containers["features thumbnail 1/2"]["image"]


@pytest.mark.parametrize(("shards", "parts"), [(1, 1), (2, 1), (8, 4), (100, 8)])
def test_as_many_parts_as_the_shards_allow(tmp_path, shards, parts):
    store = Store(address="s3://bucket/shards")
    cluster = cluster_with_images(tmp_path).model_copy(update={"fan_out": "auto", "store": store})
    assert cluster.parts(shards) == parts


def test_without_a_store_shards_go_with_their_report(package):
    told = {one["name"] for container in package.containers.values() for one in container["env"]}
    assert "REELFLOW_SHARDS" not in told


@pytest.mark.parametrize("fan_out", [2, "auto"])
def test_what_is_dealt_needs_a_store(tmp_path, fan_out):
    values = cluster_with_images(tmp_path).model_dump(mode="json") | {"fan_out": fan_out}
    (tmp_path / "cluster.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(ParamsError, match=r"fan_out needs a store\.address"):
        load_cluster(tmp_path / "cluster.yaml")


def test_other_params_or_images_are_other_work(tmp_path):
    def work(**arguments: Any) -> str:
        parameters = compiled(tmp_path, **arguments).tasks["check"]["inputs"]["parameters"]
        return parameters["work"]["runtimeValue"]["constant"]

    first = work()
    assert work() == first
    assert work(params=PARAMS.with_values(training={"epochs": 3})) != first
    assert work(cluster=cluster_with_images(tmp_path, "another")) != first


def test_an_image_that_is_not_there_is_named(tmp_path):
    cluster = cluster_with_images(tmp_path)
    params = PARAMS.with_values(features={"backbones": ["inception_v3"]})
    with pytest.raises(ParamsError, match="make images IMAGES=features-float"):
        compiled(tmp_path, cluster, params)
    (tmp_path / "images.json").unlink()
    with pytest.raises(ParamsError, match="run make images"):
        compiled(tmp_path, cluster)


def test_network_policies_know_the_tasks_by_their_labels(package):
    policies = {
        policy["metadata"]["name"]: policy["spec"]["podSelector"]
        for policy in yaml.safe_load_all(Path("infra/kubernetes/runs/network.yaml").read_text())
    }

    def covers(policy: str, labels: dict[str, str]) -> bool:
        selector = policies[policy]
        wanted = selector["matchLabels"].items() <= labels.items()
        chosen = [one for one in selector["matchExpressions"] if one["operator"] == "In"]
        return wanted and all(labels.get(one["key"]) in one["values"] for one in chosen)

    labels = {name: pod["podMetadata"]["labels"] for name, pod in package.pods.items()}
    assert all(covers("reelflow-tasks", found) for found in labels.values())
    web = {name for name, found in labels.items() if covers("reelflow-web", found)}
    assert web == {"outcome", "features thumbnail"}


def many(tmp_path: Path, fan_out: int) -> Package:
    params = PARAMS.with_values(
        features={"backbones": ["thumbnail", "mobilenet_v1_quant"], "weights": "random"},
        training={
            "heads": ["gru", "lstm", "transformer", "pool_mlp", "single_frame", "linear", "two_stream"]
        },
    )
    cluster = cluster_with_images(tmp_path).model_copy(update={**SHARED, "fan_out": fan_out})
    return compiled(tmp_path, cluster, params)


def test_two_backbones_seven_heads_and_eight_parts_fit_into_one_object(tmp_path):
    assert len(many(tmp_path, 8).tasks) == 61
    size, tasks = workflow_bytes(tmp_path / "package.yaml")
    assert tasks == 61
    nodes = tasks * NODES_BYTES
    assert size - nodes == pytest.approx(499_760, rel=0.05), "what KFP 2.17's compiler wrote, docs/scale.md"


def test_a_workflow_that_no_cluster_can_hold_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.cluster.package.MAX_WORKFLOW_BYTES", 100_000)
    with pytest.raises(
        ParamsError, match=r"12 tasks and about 0\.2 MB, and Argo ends workflows of more than"
    ):
        compiled(tmp_path)
    assert not (tmp_path / "package.yaml").exists()


@pytest.mark.slow
def test_forty_parts_are_too_many_for_a_cluster(tmp_path):
    with pytest.raises(
        ParamsError, match=r"157 tasks and about 1\.[5-9] MB, and Argo ends workflows of more than"
    ):
        many(tmp_path, 40)
    assert not (tmp_path / "package.yaml").exists()
