"""Every overlay builds, and what it builds is what Kubernetes and the operators define."""

import json
import subprocess
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml

import reelflow
from pipelines.cluster.config import load_cluster
from tests.infra.kubernetes.manifests import (
    KUBERNETES,
    OVERLAYS,
    Object,
    build,
    name,
    namespace,
    of_kind,
    one,
    pods,
)
from tests.infra.kubernetes.policies import missing_references
from tests.workplace import ROOT

VERSIONS = ("1.31", kubernetes_validate.latest_version())
MONITOR = json.loads(Path(__file__).with_name("servicemonitor.schema.json").read_text())
STANDARD = {
    *("Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy", "ServiceAccount", "Role", "RoleBinding"),
    *("ConfigMap", "Job", "Deployment", "Service"),
}
OWN = {"dev": {"Secret", "StatefulSet"}, "production": {"PodDisruptionBudget"}}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlay_has_the_objects_it_is_for(overlay: str, overlays: dict[str, list[Object]]) -> None:
    assert {item["kind"] for item in overlays[overlay]} == STANDARD | OWN[overlay]


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("version", VERSIONS)
def test_objects_are_valid(version: str, overlay: str, overlays: dict[str, list[Object]]) -> None:
    for item in overlays[overlay]:
        kubernetes_validate.validate(item, version, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_component_adds_what_the_prometheus_operator_defines_and_nothing_else(
    overlay: str, overlays: dict[str, list[Object]], monitored: dict[str, list[Object]]
) -> None:
    (monitor,) = [item for item in monitored[overlay] if item not in overlays[overlay]]
    assert len(monitored[overlay]) == len(overlays[overlay]) + 1
    assert namespace(monitor) == "reelflow"
    jsonschema.validate(monitor, MONITOR)


def test_schemas_refuse_what_is_wrong(monitored: dict[str, list[Object]]) -> None:
    item = one(monitored["production"], "Deployment/mlflow")
    wrong = item | {"spec": item["spec"] | {"replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)
    monitor = one(monitored["production"], "ServiceMonitor/mlflow")
    with pytest.raises(jsonschema.ValidationError, match="unexpected"):
        jsonschema.validate(monitor | {"spec": monitor["spec"] | {"endpoint": []}}, MONITOR)


def test_made_up_secrets_are_ignored_by_git() -> None:
    stores = KUBERNETES / "overlays" / "dev" / "stores"
    ignored = subprocess.run(["git", "check-ignore", "-q", stores / "mlflow-db.env"], cwd=ROOT)
    assert ignored.returncode == 0


def test_secrets_are_made_once(copied: Path) -> None:
    secrets = copied / "overlays" / "dev" / "secrets.sh"
    files = sorted(secrets.parent.glob("stores/*.env"))
    before = [file.read_text() for file in files]
    subprocess.run([secrets], check=True)
    assert [file.read_text() for file in files] == before
    assert all("CHANGE_ME" not in text for text in before)
    assert {file.stat().st_mode & 0o077 for file in files} == {0}
    password, uri = before[0].splitlines()
    assert password.removeprefix("password=") in uri


def test_production_names_every_foreign_object_in_the_docs(overlays: dict[str, list[Object]]) -> None:
    missing = missing_references(overlays["production"])
    assert missing == {"Secret/reelflow-mlflow-db", "Secret/reelflow-object-store"}
    text = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    assert all(f"`{wanted.partition('/')[2]}`" in text for wanted in missing)


def test_the_docs_name_every_foreign_image(overlays: dict[str, list[Object]]) -> None:
    images = {container["image"] for pod in pods(overlays["dev"]) for _, container in pod.containers()}
    foreign = {image for image in images if "reelflow" not in image}
    assert len(foreign) == 2
    text = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    assert all(f"`{image}`" in text and f"docker pull {image}" in text for image in foreign)


def test_dev_needs_nothing_foreign(overlays: dict[str, list[Object]]) -> None:
    assert missing_references(overlays["dev"]) == set()


def test_missing_references_are_found(overlays: dict[str, list[Object]]) -> None:
    without = [item for item in overlays["dev"] if item["kind"] not in ("ServiceAccount", "Role")]
    found = missing_references(without)
    assert found == {"ServiceAccount/mlflow", "ServiceAccount/reelflow-pipeline", "Role/reelflow-pipeline"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_our_images_have_this_version(overlay: str, overlays: dict[str, list[Object]]) -> None:
    images = {container["image"] for pod in pods(overlays[overlay]) for _, container in pod.containers()}
    ours = {image for image in images if "reelflow" in image}
    assert ours
    assert all(image.endswith(f":{reelflow.__version__}") for image in ours)


@pytest.mark.parametrize(("overlay", "place"), [("dev", "kubeflow"), ("production", "reelflow")])
def test_runs_find_their_service_account(overlay: str, place: str, overlays: dict[str, list[Object]]) -> None:
    account = load_cluster(ROOT / "infra" / "cluster.yaml").kfp.service_account
    assert namespace(one(overlays[overlay], f"ServiceAccount/{account}")) == place
    assert namespace(one(overlays[overlay], "NetworkPolicy/reelflow-tasks")) == place


def test_production_writes_its_site_into_the_policies(
    overlays: dict[str, list[Object]], copied: Path
) -> None:
    site = build_site(copied)
    blocks = {
        name(item): [
            peer["ipBlock"]["cidr"]
            for rule in item["spec"].get("egress", ())
            for peer in rule["to"]
            if "ipBlock" in peer
        ]
        for item in of_kind(overlays["production"], "NetworkPolicy")
    }
    assert blocks["NetworkPolicy/mlflow-stores"] == [site["database-cidr"], site["object-store-cidr"]]
    assert blocks["NetworkPolicy/object-store"] == [site["object-store-cidr"]]
    assert blocks["NetworkPolicy/reelflow-tasks"] == [site["kubernetes-api-cidr"]]
    assert blocks["NetworkPolicy/drivers"] == [site["kubernetes-api-cidr"]]


def test_base_builds_by_itself(copied: Path) -> None:
    assert {"Namespace", "Deployment"} <= {item["kind"] for item in build(copied / "base")}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_objects_can_be_removed_by_label(overlay: str, monitored: dict[str, list[Object]]) -> None:
    labels = [item["metadata"].get("labels", {}) for item in monitored[overlay] if item["kind"] != "Secret"]
    assert {label.get("app.kubernetes.io/part-of") for label in labels} == {"reelflow"}


def build_site(copied: Path) -> dict[str, str]:
    """The addresses that a site edits."""
    document = yaml.safe_load((copied / "overlays" / "production" / "site.yaml").read_text())
    return dict(document["data"])
