"""Recurring runs on the server: read, created, switched, deleted."""

from dataclasses import replace

import kfp_server_api as kfp

from pipelines.cluster.api.client import KubeflowClient, named, pages, where
from pipelines.cluster.api.errors import NOT_FOUND, ApiError, doing
from pipelines.cluster.recurring.diff import RecurringRun, mark_of
from pipelines.cluster.runs.model import ENDED


def recurring_runs(client: KubeflowClient, name: str = "") -> list[RecurringRun]:
    """Those of the namespace, ours and others'.

    Raises:
        ApiError: the server refused or did not answer.
    """
    found = pages(
        "list the recurring runs",
        client.list_recurring_runs,
        "recurring_runs",
        namespace=client.namespace,
        filter=named(name) if name else None,
    )
    return sorted((_read(run) for run in found), key=lambda run: (run.name, run.created, run.id))


def create(client: KubeflowClient, body: kfp.V2beta1RecurringRun) -> RecurringRun:
    """Create a recurring run, unless an answer that was lost has created it.

    Raises:
        ApiError: the server refused or did not answer.
    """
    name, own = body.display_name, mark_of(body.description)
    make = client.recurring_runs.recurring_run_service_create_recurring_run

    def find() -> RecurringRun | None:
        runs = recurring_runs(client, name)
        return next((r for r in runs if (r.name, r.pipeline, r.digest) == (name, *own)), None)

    return client.write(f"create the schedule {name}", lambda: _read(make(recurring_run=body)), find)


def switch(client: KubeflowClient, run: RecurringRun, *, enabled: bool) -> RecurringRun:
    """Enable or disable a recurring run; its active runs go on.

    Raises:
        ApiError: the server refused or did not answer.
    """
    if run.enabled is not enabled:
        act = client.enable_recurring_run if enabled else client.disable_recurring_run
        verb = "enable" if enabled else "disable"
        client.write(f"{verb} the schedule {run.name}", lambda: act(run.id))
    return replace(run, enabled=enabled)


def at_work(client: KubeflowClient, run: RecurringRun) -> list[str]:
    """The ids of its runs that have not ended.

    Raises:
        ApiError: the server refused or did not answer.
    """
    asked = where(
        ("recurring_run_id", "EQUALS", run.id),
        *(("state", "NOT_EQUALS", state) for state in sorted(ENDED)),
    )
    found = pages(f"look for runs of the schedule {run.name}", client.list_runs, "runs", filter=asked)
    return [str(one.run_id) for one in found]


def delete(client: KubeflowClient, run: RecurringRun) -> None:
    """Delete a recurring run, and with it its workflows.

    Raises:
        ApiError: the server refused or did not answer.
    """
    try:
        with doing(f"delete the old schedule {run.name}"):
            client.delete_recurring_run(run.id)
    except ApiError as error:
        if error.status != NOT_FOUND:  # an earlier attempt has deleted it
            raise


def _read(run: kfp.V2beta1RecurringRun) -> RecurringRun:
    trigger, version = run.trigger, run.pipeline_version_reference
    cron = trigger.cron_schedule.cron if trigger and trigger.cron_schedule else ""
    return RecurringRun(
        str(run.recurring_run_id),
        str(run.display_name),
        cron or "",
        _enabled(run),
        str(run.created_at),
        bool(version and version.pipeline_version_id),
        *mark_of(run.description),
    )


def _enabled(run: kfp.V2beta1RecurringRun) -> bool | None:
    """What was asked for; the status follows later, and may be unspecified."""
    enabled = {"ENABLE": True, "DISABLE": False, "ENABLED": True, "DISABLED": False}
    return next((enabled[word] for word in (run.mode, run.status) if word in enabled), None)
