"""The tasks between conversion and release that other architectures need."""

from collections.abc import Callable, Mapping
from typing import Any

from kfp import kubernetes

from components.release.gates.architectures import CLIPS
from pipelines.cluster.architectures.clips import clips
from pipelines.cluster.architectures.proof import proof
from pipelines.images import ARCHITECTURE
from reelflow.params import Params

NODES = {"aarch64": "arm64", "x86_64": "amd64"}
"""Values of the label `kubernetes.io/arch`, by the kernel's names."""


class Prover:
    """Has a bundle proven on each architecture that is asked for and is not that of the images: a `Prove`."""

    def __init__(self, params: Params, configure: Callable[[Any, str], Any]) -> None:
        self._asked = [name for name in params.release.architectures if name != ARCHITECTURE]
        self._configure = configure

    def __call__(self, dataset: Any, evaluation: Any, bundle: Any) -> Mapping[str, Any]:
        """Inputs of release: the clips, and a proof of each requested architecture.

        Args:
            dataset: output of that step.
            evaluation: of any classifier: all are tested on the same clips.
            bundle: output of the conversion step.
        """
        if not self._asked:
            return {}
        laid_out = clips(most=CLIPS, dataset=dataset, evaluation=evaluation)
        given = self._configure(laid_out, "frames clips").output  # what frames may read, this task may
        return {"clips": given} | {
            f"proof_{name}": self._proven(name, proof(bundle=bundle, clips=given)) for name in self._asked
        }

    def _proven(self, name: str, task: Any) -> Any:
        kubernetes.add_node_selector(task, label_key="kubernetes.io/arch", label_value=NODES[name])
        return self._configure(task, f"proof {name}").output
