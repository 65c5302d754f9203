"""What becomes of a finished image: it is pushed or loaded if asked, and entered in build/images.json."""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from infra.images import engine
from infra.images.commands import pipe, run
from infra.images.context import SERVER
from reelflow import __version__
from reelflow.files import write_text


class ClusterKind(StrEnum):
    """How a cluster without a registry takes images."""

    KIND = "kind"
    K3S = "k3s"
    CONTAINERD = "containerd"


IMPORT = {
    ClusterKind.K3S: ("k3s", "ctr", "images", "import", "-"),
    ClusterKind.CONTAINERD: ("ctr", "--namespace=k8s.io", "images", "import", "-"),
}
"""Commands that read an archive of `docker save`, on the node."""


@dataclass(frozen=True)
class Delivery:
    """Where finished images go.

    Attributes:
        index: JSON file of the references by name.
        registry: registry and prefix to push to; empty: none.
        cluster: to load into.
    """

    index: Path
    registry: str = ""
    cluster: ClusterKind | None = None

    @property
    def stage(self) -> str:
        """In words, for the view."""
        asked = (self.registry and "push", self.cluster and f"load into {self.cluster}")
        return ", ".join(filter(None, asked)) or "ready"

    def deliver(self, name: str, reference: str) -> None:
        """Push and load an image if asked; then enter it in the index.

        Raises:
            ReelflowError: the registry or the cluster refuses.
        """
        names = [reference]
        if name == SERVER and engine.NO_REVISION not in reference:  # the manifests name it by the version
            names.append(f"reelflow-{SERVER}:{__version__}")
            engine.tag(*names)
        if self.cluster:
            load(self.cluster, *names)
        known = json.loads(self.index.read_text(encoding="utf-8")) if self.index.exists() else {}
        known[name] = engine.push(reference, self.registry) if self.registry else reference
        write_text(self.index, json.dumps(known, indent=2, sort_keys=True) + "\n")


def load(kind: ClusterKind, *references: str) -> None:
    """Load images; for kind into every node of the cluster that KIND_CLUSTER_NAME names, else into this node.

    Raises:
        ReelflowError: the cluster's program is missing, or refuses.
    """
    what = f"loading {references[0]} into {kind}"
    if kind is ClusterKind.KIND:
        run(["kind", "load", "docker-image", *references], what)
    else:
        pipe(["docker", "save", *references], IMPORT[kind], what)
