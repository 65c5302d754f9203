"""The manifests as `kubectl kustomize` builds them, and ways to look at them."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.workplace import ROOT

KUBERNETES = ROOT / "infra" / "kubernetes"
OVERLAYS = ("dev", "production")
Object = dict[str, Any]


class Pods(NamedTuple):
    """The pods that an object starts."""

    owner: str
    namespace: str
    labels: dict[str, str]
    spec: dict[str, Any]

    def containers(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Init containers too, each with a name for messages."""
        for container in (*self.spec.get("initContainers", ()), *self.spec["containers"]):
            yield f"{self.owner}: container {container['name']}", container


def kubectl() -> str:
    """The client beside Python, as its wheel installs it, or the one on PATH."""
    beside = Path(sys.executable).with_name("kubectl")
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    assert found, "no kubectl: install the dev requirements"
    return found


def copy_manifests(folder: Path) -> Path:
    """A copy in which the dev overlay has secrets; the checkout stays without."""
    copied = folder / "kubernetes"
    shutil.copytree(KUBERNETES, copied)
    for made in (copied / "overlays" / "dev" / "stores").glob("*.env"):
        made.unlink()
    subprocess.run([copied / "overlays" / "dev" / "secrets.sh"], check=True, capture_output=True)
    return copied


def build(folder: Path) -> list[Object]:
    """The objects of one kustomization.

    Raises:
        AssertionError: it does not build, or kubectl warns.
    """
    done = subprocess.run([kubectl(), "kustomize", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def with_component(overlay: Path, component: str) -> list[Object]:
    """The objects of an overlay to which a component is added, as docs/cluster.md says."""
    extended = overlay.with_name(f"{overlay.name}-{component}")
    extended.mkdir()
    lines = {"resources": [f"../{overlay.name}"], "components": [f"../../components/{component}"]}
    (extended / "kustomization.yaml").write_text(yaml.safe_dump(lines))
    return build(extended)


def name(item: Object) -> str:
    """Kind/name."""
    return f"{item['kind']}/{item['metadata']['name']}"


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    return [item for item in objects if item["kind"] in kinds]


def one(objects: list[Object], wanted: str) -> Object:
    """The object of that kind/name; a generated name may end in a hash."""
    pattern = re.compile(rf"{re.escape(wanted)}(-[a-z0-9]{{10}})?")
    found = [item for item in objects if pattern.fullmatch(name(item))]
    assert len(found) == 1, f"{len(found)} objects are called {wanted}"
    return found[0]


def namespace(item: Object) -> str:
    return str(item["metadata"].get("namespace", ""))


def pods(objects: list[Object]) -> Iterator[Pods]:
    """Of every object that starts pods."""
    for item in of_kind(objects, "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"):
        spec = item["spec"]
        spec = spec["jobTemplate"]["spec"] if item["kind"] == "CronJob" else spec
        template = spec["template"]
        labels = template["metadata"].get("labels", {})
        yield Pods(name(item), namespace(item), labels, template["spec"])


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a label selector picks these labels."""
    wanted = selector.get("matchLabels", {})
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _matches(expression, labels) for expression in selector.get("matchExpressions", ())
    )


def _matches(expression: dict[str, Any], labels: dict[str, str]) -> bool:
    value = labels.get(expression["key"])
    return {
        "Exists": value is not None,
        "DoesNotExist": value is None,
        "In": value in expression.get("values", ()),
        "NotIn": value not in expression.get("values", ()),
    }[str(expression["operator"])]
