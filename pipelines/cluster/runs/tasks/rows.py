"""One row a task: what the API tells of drivers, executors and groups is folded in."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pipelines.cluster.runs.model import ENDED, FAILED, WELL, ClusterTask
from pipelines.cluster.runs.tasks.nodes import Nodes
from pipelines.cluster.runs.tasks.spec import SpecTask

DRIVER = "-driver"
GROUPS = ("root", "condition-", "exit-handler-", "for-loop-")
DRIVER_FAILED = "KFP's driver failed before the task began"
LATEST = datetime.max.replace(tzinfo=UTC)


def rows(details: Sequence[Any], tasks: Sequence[SpecTask], run_state: str) -> tuple[ClusterTask, ...]:
    """The tasks of a run in the order of their starts.

    Args:
        details: of the run.
        tasks: of its pipeline's spec; empty if that is not known: then KFP's names are shown.
        run_state: of the run.
    """
    named = {str(one.display_name): one for one in details if one.display_name}
    nodes = Nodes(details)
    found = [_row(task, named, nodes, run_state) for task in tasks or _guessed(named)]
    return tuple(sorted(found, key=lambda task: task.started or LATEST))  # sorting keeps the spec's order


def duration_s(start: datetime | None, end: datetime | None) -> float | None:
    """Seconds; the server writes the years 1 and 1970 for a time that has not come."""
    if start is None or start.year <= 1970:
        return None
    if end is None or end.year <= 1970:
        end = datetime.now(UTC)
    return (end - start).total_seconds()


def first_line(text: str | None) -> str:
    """The first line of an error."""
    return next((line.strip() for line in (text or "").splitlines() if line.strip()), "")


def message_of(one: Any) -> str:
    """The error of a run or a task, as the API reports it."""
    return first_line(one.error.message if one.error else "")


def _row(task: SpecTask, named: Mapping[str, Any], nodes: Nodes, run_state: str) -> ClusterTask:
    own, driver = named.get(task.key), named.get(task.key + DRIVER)
    if own is None or not own.state:  # a node that Argo left out has no state
        state = _state_without_own(driver, run_state)
        error = DRIVER_FAILED if state == FAILED else ""
        return ClusterTask(task.name, task.key, state, False, None, None, None, error)
    seconds = duration_s(own.start_time, own.end_time)
    pods = nodes.pods(task.path)
    cached = own.state == "SUCCEEDED" and (pods == 0 if pods is not None else seconds == 0)
    return ClusterTask(task.name, task.key, own.state, cached, pods, own.start_time, seconds, message_of(own))


def _state_without_own(driver: Any, run_state: str) -> str:
    if driver is not None and driver.state == FAILED:
        return FAILED
    if run_state in ENDED:
        return "SKIPPED" if run_state in WELL else "NOT RUN"
    return "STARTING" if driver is not None and driver.state else "PENDING"


def _guessed(named: Mapping[str, Any]) -> Iterable[SpecTask]:
    """Whether it has a driver and is not a group."""
    keys = [name.removesuffix(DRIVER) for name in named if name.endswith(DRIVER)]
    return [SpecTask(key, key, (key,)) for key in sorted(keys) if not key.startswith(GROUPS)]
