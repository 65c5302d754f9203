"""Pods are counted by the ids that Argo makes of names."""

from functools import reduce
from types import SimpleNamespace

from pipelines.cluster.runs.tasks.nodes import Nodes

PATH = ("exit-handler-1", "check")


def argo_id(name: str) -> str:
    """The id of a node of the workflow `wf`: FNV-1a of 32 bits."""
    hashed = reduce(lambda value, byte: (value ^ byte) * 16777619 % 2**32, name.encode(), 2166136261)
    return f"wf-{hashed}"


def nodes(*names: str) -> Nodes:
    children = [SimpleNamespace(pod_name=argo_id(name)) for name in names]
    return Nodes([SimpleNamespace(child_tasks=children), SimpleNamespace(child_tasks=None)])


def chain(*last: str) -> list[str]:
    """The nodes above the pods of `check`, and these last ones below it."""
    above, names = "wf(0)", ["wf(0)"]
    for name in ("root", *PATH):
        names += [f"{above}.{name}", f"{above}.{name}(0)"]
        above = names[-1]
    return [*names, *(above + name for name in last)]


def test_each_attempt_is_a_pod():
    assert nodes(*chain(".executor")).pods(PATH) == 0
    assert nodes(*chain(".executor", ".executor(0)")).pods(PATH) == 1
    assert nodes(*chain(".executor", ".executor(0)", ".executor(1)", ".executor(2)")).pods(PATH) == 3


def test_a_task_that_has_not_begun_has_no_number():
    assert nodes(*chain()[:5]).pods(PATH) is None
    assert Nodes([]).pods(PATH) is None


def test_where_argo_does_not_try_again_nothing_is_told():
    assert nodes("wf.root", "wf.root.exit-handler-1", "wf.root.exit-handler-1.check").pods(PATH) is None
