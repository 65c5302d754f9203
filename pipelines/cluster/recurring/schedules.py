"""infra/schedules.yaml, typed, and applied to the server by the changes of diff.py."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import kfp_server_api as kfp
from pydantic import Field, field_validator

from pipelines.cluster.api.client import KubeflowClient, named, pages
from pipelines.cluster.api.errors import NOT_FOUND, ApiError, doing
from pipelines.cluster.config import ConfigSection, Kfp
from pipelines.cluster.recurring.cron import checked_cron
from pipelines.cluster.recurring.diff import RecurringRun, ScheduleChange, diff, mark, mark_of
from pipelines.cluster.run_options import RunOptions
from pipelines.cluster.submit import ensure_experiment, ensure_version, find_experiment, find_version
from pipelines.values import read_values


class Schedule(RunOptions):
    """A recurring run of the pipeline."""

    name: str = Field(min_length=1, max_length=120)
    cron: str = Field(description="six fields, seconds first, in the time zone of the server")
    enabled: bool = True

    @field_validator("cron")
    @classmethod
    def _checked_cron(cls, cron: str) -> str:
        return checked_cron(cron)


class Schedules(ConfigSection):
    """All of infra/schedules.yaml."""

    schedules: tuple[Schedule, ...]

    @field_validator("schedules")
    @classmethod
    def _names_differ(cls, schedules: tuple[Schedule, ...]) -> tuple[Schedule, ...]:
        names = [schedule.name for schedule in schedules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"more than one is called {', '.join(twice)}; give each its own name")
        return schedules


@dataclass(frozen=True)
class DeclaredSchedule:
    """A schedule and its compiled pipeline."""

    name: str
    cron: str
    enabled: bool
    package: str


def load_schedules(path: Path) -> Schedules:
    """Read a file of schedules.

    Raises:
        ParamsError: it cannot be read, or a value cannot be used.
    """
    return read_values(path, Schedules)


def apply(
    client: KubeflowClient, config: Kfp, declared: list[DeclaredSchedule], *, dry_run: bool = False
) -> list[ScheduleChange]:
    """Make the recurring runs on the server agree with the declared ones.

    Args:
        client: of the server.
        config: the experiment, the pipeline's name and the service account.
        declared: what the server is to hold.
        dry_run: return the changes and write nothing.

    Raises:
        ApiError: the server refused or did not answer; the same call completes the work.
    """
    bodies = _bodies(client, config, declared, dry_run=dry_run)
    changes = diff(config.pipeline, bodies, recurring_runs(client))
    for change in [] if dry_run else changes:
        _carry_out(client, change)
    return changes


def recurring_runs(client: KubeflowClient, name: str = "") -> list[RecurringRun]:
    """Those of the namespace, ours and others'.

    Raises:
        ApiError: the server refused or did not answer.
    """
    narrowed = {"namespace": client.namespace} | ({"filter": named(name)} if name else {})
    found = pages("list the recurring runs", client.list_recurring_runs, "recurring_runs", **narrowed)
    return sorted((_read(run) for run in found), key=lambda run: (run.name, run.created, run.id))


def _carry_out(client: KubeflowClient, change: ScheduleChange) -> None:
    if change.body is not None:
        _create(client, change.body)
    elif change.verb in ("enable", "disable"):
        switch = client.enable_recurring_run if change.verb == "enable" else client.disable_recurring_run
        client.write(f"{change.verb} the schedule {change.name}", lambda: switch(change.id))
    for recurring_run_id in change.delete:
        _delete(client, change.name, recurring_run_id)


def _create(client: KubeflowClient, body: kfp.V2beta1RecurringRun) -> None:
    name, own = body.display_name, mark_of(body.description)
    create = client.recurring_runs.recurring_run_service_create_recurring_run

    def find() -> str | None:
        runs = recurring_runs(client, name)
        return next((r.id for r in runs if (r.name, r.pipeline, r.digest) == (name, *own)), None)

    client.write(
        f"create the schedule {name}",
        lambda: str(create(recurring_run=body).recurring_run_id),
        find,
    )


def _delete(client: KubeflowClient, name: str, recurring_run_id: str) -> None:
    try:
        with doing(f"delete the old schedule {name}"):
            client.delete_recurring_run(recurring_run_id)
    except ApiError as error:
        if error.status != NOT_FOUND:  # an earlier attempt has deleted it
            raise


def _bodies(
    client: KubeflowClient, config: Kfp, declared: list[DeclaredSchedule], *, dry_run: bool
) -> list[kfp.V2beta1RecurringRun]:
    """What to create; a dry run does without what the server does not hold yet."""
    of_package = find_version if dry_run else ensure_version
    of_name = find_experiment if dry_run else ensure_experiment
    packages = dict.fromkeys(one.package for one in declared)
    versions = {package: of_package(client, config.pipeline, package) for package in packages}
    experiment_id = of_name(client, config.experiment) if declared else None
    return [_body(client, config, one, versions[one.package], experiment_id) for one in declared]


def _body(
    client: KubeflowClient,
    config: Kfp,
    schedule: DeclaredSchedule,
    version: kfp.V2beta1PipelineVersionReference | None,
    experiment_id: str | None,
) -> kfp.V2beta1RecurringRun:
    body = kfp.V2beta1RecurringRun(
        display_name=schedule.name,
        experiment_id=experiment_id,
        namespace=client.namespace,
        pipeline_version_reference=version,
        runtime_config=kfp.V2beta1RuntimeConfig(parameters={}),
        service_account=config.service_account,
        trigger=kfp.V2beta1Trigger(cron_schedule=kfp.V2beta1CronSchedule(cron=schedule.cron)),
        max_concurrency="1",
        no_catchup=True,
    )
    written = json.dumps(body.to_dict(), sort_keys=True, default=str)
    digest = hashlib.sha256(written.encode()).hexdigest()[:16]
    body.description = f"Kept by `python -m pipelines schedule apply` {mark(config.pipeline, digest)}"
    body.mode = kfp.RecurringRunMode.ENABLE if schedule.enabled else kfp.RecurringRunMode.DISABLE
    return body


def _read(run: kfp.V2beta1RecurringRun) -> RecurringRun:
    trigger = run.trigger
    cron = trigger.cron_schedule.cron if trigger and trigger.cron_schedule else ""
    return RecurringRun(
        str(run.recurring_run_id),
        str(run.display_name),
        cron or "",
        _enabled(run),
        str(run.created_at),
        *mark_of(run.description),
    )


def _enabled(run: kfp.V2beta1RecurringRun) -> bool | None:
    """What was asked for; the status follows later, and may be unspecified."""
    enabled = {"ENABLE": True, "DISABLE": False, "ENABLED": True, "DISABLED": False}
    return next((enabled[word] for word in (run.mode, run.status) if word in enabled), None)
