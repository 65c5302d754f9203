"""How many pods a task had, from the ids of a workflow's nodes.

KFP's API lists the nodes of a run's Argo workflow. Their names repeat (`executor`), and none names its
parent; each names its children, by ids. An id is the workflow's name and the FNV-1a hash of the node's full
name, which is the path of names from the workflow down (`NodeID` in argo-workflows'
pkg/apis/workflow/v1alpha1/workflow_types.go). So the ids of a task's pods can be computed from its path in
the pipeline's spec.

A node that Argo may try again has one child an attempt, `NAME(0)`, `NAME(1)`. KFP's stock configuration lets
Argo try every node again.
"""

from collections.abc import Iterable
from typing import Any

FNV_OFFSET, FNV_PRIME, BITS_32 = 0x811C9DC5, 0x01000193, 0xFFFFFFFF
EXECUTOR = "executor"


class Nodes:
    """The nodes of a run."""

    def __init__(self, details: Iterable[Any]) -> None:
        """Read the ids of all children in a run's `task_details`."""
        self._ids = {
            str(child.pod_name)  # an id in truth
            for detail in details
            for child in detail.child_tasks or ()
            if child.pod_name
        }
        self._workflow = next(iter(self._ids), "").rpartition("-")[0]

    def pods(self, path: Iterable[str]) -> int | None:
        """The number of pods that a task had; 0 for a cached one.

        Args:
            path: names of nodes from the pipeline down to the task.

        Returns:
            None if the task has not begun, or if Argo does not try nodes again here.
        """
        node = self._attempts(self._workflow)[-1:] or [self._workflow]
        for name in ("root", *path):
            child = f"{node[0]}.{name}"
            if not self._is_there(child):
                return None
            node = self._attempts(child)[-1:] or [child]
        if not node[0].endswith(")"):
            return None
        return len(self._attempts(f"{node[0]}.{EXECUTOR}"))

    def _attempts(self, node: str) -> list[str]:
        found: list[str] = []
        while self._is_there(attempt := f"{node}({len(found)})"):
            found.append(attempt)
        return found

    def _is_there(self, node: str) -> bool:
        return f"{self._workflow}-{_fnv1a(node)}" in self._ids


def _fnv1a(text: str) -> int:
    value = FNV_OFFSET
    for byte in text.encode():
        value = ((value ^ byte) * FNV_PRIME) & BITS_32
    return value
