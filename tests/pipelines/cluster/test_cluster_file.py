"""Cluster files: quantities, requests and limits, and files that extend another."""

from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from pipelines.cluster.config import amount, load_cluster
from reelflow.errors import ParamsError

WHOLE = Path("infra/cluster.yaml").resolve()
DEV = Path("infra/cluster.dev.yaml")
TRAINING = yaml.safe_load(WHOLE.read_text())["tasks"]["training"]


def written(folder: Path, values: object) -> Path:
    path = folder / "cluster.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.mark.parametrize(
    ("quantity", "number"),
    [
        ("2", 2),
        ("250m", Decimal("0.25")),
        ("1.5", Decimal("1.5")),
        ("1k", 1000),
        ("2M", 2_000_000),
        ("3Ki", 3072),
        ("128Mi", 128 * 1024**2),
        ("8Gi", 8 * 1024**3),
        ("1T", 10**12),
    ],
)
def test_quantities_are_numbers(quantity, number):
    assert amount(quantity) == number


def test_a_file_that_extends_another_has_only_what_differs(tmp_path):
    changed = {"extends": str(WHOLE), "user": 7, "tasks": {"frames": {"limits": {"cpu": "8"}}}}
    found, whole = load_cluster(written(tmp_path, changed)), load_cluster(WHOLE)
    assert found.user == 7
    assert found.kfp == whole.kfp
    assert found.tasks["frames"].limits.cpu == "8"
    assert found.tasks["frames"].limits.memory == whole.tasks["frames"].limits.memory
    assert found.tasks["training"] == whole.tasks["training"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"extends": "none.yaml"}, "none.yaml: No such file"),
        ({"extends": str(DEV.resolve())}, "extends another: name one that is whole"),
        ({"extends": str(WHOLE), "usr": 7}, "usr"),
        (
            {"extends": str(WHOLE), "tasks": {"default": {"requests": {"cpu": "3"}}}},
            "requests.cpu is 3, which is more than limits.cpu, 1",
        ),
        (
            {"extends": str(WHOLE), "tasks": {"frames": {"limits": {"memory": "512Mi"}}}},
            "requests.memory is 2Gi, which is more than limits.memory, 512Mi",
        ),
        (
            {"extends": str(WHOLE), "volumes": [{"claim": "clips", "path": "/data", "tasks": ["chek"]}]},
            "volumes.0.tasks.0: Value error, there is no such step; expected one of check, dataset, frames",
        ),
        (
            {
                "extends": str(WHOLE),
                "secrets": [{"name": "key", "env": {"KEY": "key"}, "tasks": ["ouctome"]}],
            },
            "secrets.0.tasks.0: Value error, there is no such step",
        ),
        *(
            (
                {"extends": str(WHOLE), "volumes": [{"claim": name, "path": "/data", "tasks": ["check"]}]},
                "volumes.0.claim: ",
            )
            for name in ("team.clips", "c" * 64, "scratch")
        ),
        (
            {
                "extends": str(WHOLE),
                "tasks": {"frames": {"tolerations": [{"key": "gpu", "operator": "Exists", "value": "a100"}]}},
            },
            "tasks.frames.tolerations.0: Value error, Exists compares no value",
        ),
        (
            {"extends": str(WHOLE), "tasks": {"trainings": TRAINING}},
            "tasks.trainings.[key]: Value error, there is no such step",
        ),
    ],
)
def test_what_a_cluster_file_cannot_say(tmp_path, values, told):
    with pytest.raises(ParamsError) as caught:
        load_cluster(written(tmp_path, values))
    assert told in str(caught.value)


@pytest.mark.parametrize("password", ["s3cret", "s3cret" * 30, "s3cret/w0rd"])
def test_a_password_in_the_address_of_pods_is_refused_and_not_shown(tmp_path, password):
    address = f"http://ann:{password}@mlflow.reelflow:5000"
    values = {"extends": str(WHOLE), "mlflow": {"tracking_uri": address}}
    with pytest.raises(ParamsError, match="put MLFLOW_TRACKING_USERNAME") as caught:
        load_cluster(written(tmp_path, values))
    assert "s3cret" not in str(caught.value)
    assert "ann" not in str(caught.value)


def test_the_small_cluster_is_the_large_one_but_for_its_namespace_and_resources():
    small, large = load_cluster(DEV), load_cluster(WHOLE)
    assert small.kfp.namespace == ""
    assert small.model_copy(update={"kfp": large.kfp, "tasks": large.tasks}) == large
    assert small.tasks.keys() == large.tasks.keys()
