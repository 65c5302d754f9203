"""The tasks of a pipeline's spec: KFP's name, our name, and the path of each.

The API shows a task by the key that KFP's compiler gave it (`training-3`). What `set_display_name` was given
is in the spec alone, as `taskInfo.name`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

AFTER_ALL = "ALL_UPSTREAM_TASKS_COMPLETED"  # the trigger of an exit handler's task


@dataclass(frozen=True)
class SpecTask:
    """A task of a pipeline.

    Attributes:
        key: KFP's name.
        name: ours.
        path: names of the workflow's nodes down to it.
    """

    key: str
    name: str
    path: tuple[str, ...]


def tasks_of(document: Mapping[str, Any]) -> list[SpecTask]:
    """All tasks that become pods, each after those that it waits for; empty for a workflow of KFP 1.

    Args:
        document: a spec as the API returns it: with platforms beside it, or alone.
    """
    spec = document.get("pipeline_spec", document)
    if "root" not in spec:
        return []
    return list(_pods(spec.get("components", {}), spec["root"]["dag"]["tasks"], ()))


def _pods(
    components: Mapping[str, Any], tasks: Mapping[str, Any], above: tuple[str, ...]
) -> Iterator[SpecTask]:
    waits = {key: task.get("dependentTasks", ()) for key, task in tasks.items()}
    for key in TopologicalSorter(waits).static_order():
        task = tasks[key]
        path = (*above, *_hook(task), key)
        inside = components[task["componentRef"]["name"]].get("dag")
        if inside:
            yield from _pods(components, inside["tasks"], path)
        else:
            yield SpecTask(key, task.get("taskInfo", {}).get("name") or key, path)


def _hook(task: Mapping[str, Any]) -> tuple[str, ...]:
    """The node between an exit handler's task and the graph."""
    if task.get("triggerPolicy", {}).get("strategy") != AFTER_ALL:
        return ()
    return tuple(f"{name}.onExit" for name in task["dependentTasks"])
