"""infra/schedules.yaml, typed, and brought about on the server as the plan (plan.py) says."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kfp_server_api as kfp
from pydantic import Field, field_validator

from pipelines.cluster.api import Api, named
from pipelines.cluster.config import Kfp, Part
from pipelines.cluster.cron import checked_cron
from pipelines.cluster.failures import NOT_FOUND, ApiError
from pipelines.cluster.plan import Action, Recurring, mark, mark_of, plan
from pipelines.cluster.run_options import RunOptions
from pipelines.cluster.submit import (
    Version,
    ensure_experiment,
    ensure_version,
    find_experiment,
    find_version,
)
from pipelines.values import read_values


class Schedule(RunOptions):
    """A pipeline that runs again and again."""

    name: str = Field(min_length=1, max_length=120)
    cron: str = Field(description="six fields, seconds first, in the time zone of the server")
    enabled: bool = True

    @field_validator("cron")
    @classmethod
    def _checked_cron(cls, cron: str) -> str:
        return checked_cron(cron)


class Schedules(Part):
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
class Declared:
    """What is to run when: a schedule and its compiled pipeline."""

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


def apply(api: Api, config: Kfp, declared: list[Declared], *, dry_run: bool = False) -> list[Action]:
    """Make the server hold what is declared, and nothing else of ours.

    Args:
        api: where.
        config: the experiment, the pipeline's name and the service account.
        declared: what shall be there.
        dry_run: only say what would be done; nothing is written.

    Returns:
        what was, or would be, done.

    Raises:
        ApiError: the server refused or did not answer; the same call completes the work.
    """
    bodies = _bodies(api, config, declared, dry_run=dry_run)
    actions = plan(config.pipeline, bodies, recurring_runs(api))
    for action in [] if dry_run else actions:
        _carry_out(api, action)
    return actions


def recurring_runs(api: Api, name: str = "") -> list[Recurring]:
    """Those of the namespace, ours and others.

    Raises:
        ApiError: the server refused or did not answer.
    """
    within = {"namespace": api.namespace} if api.namespace else {}
    narrowed = {"filter": named(name)} if name else {}
    ask = api.recurring_runs.recurring_run_service_list_recurring_runs
    found = api.pages("list the recurring runs", ask, "recurring_runs", **within, **narrowed)
    return sorted((_recurring(run) for run in found), key=lambda run: (run.name, run.created, run.id))


def _carry_out(api: Api, action: Action) -> None:
    name, service = action.name, api.recurring_runs
    if action.body is not None:
        _create(api, action.body)
    elif action.verb == "enable":
        ask = service.recurring_run_service_enable_recurring_run
        api.call(f"enable the schedule {name}", ask, recurring_run_id=action.id)
    elif action.verb == "disable":
        ask = service.recurring_run_service_disable_recurring_run
        api.call(f"disable the schedule {name}", ask, recurring_run_id=action.id)
    for one in action.delete:
        _delete(api, name, one)


def _create(api: Api, body: Any) -> None:
    name, own = body.display_name, mark_of(body.description)
    ask = api.recurring_runs.recurring_run_service_create_recurring_run

    def find() -> str | None:
        runs = recurring_runs(api, name)
        return next((r.id for r in runs if (r.name, r.pipeline, r.digest) == (name, *own)), None)

    def create() -> str:
        answer = api.once(f"create the schedule {name}", ask, recurring_run=body)
        return str(answer.recurring_run_id)

    api.ensure(find, create)


def _delete(api: Api, name: str, one: str) -> None:
    ask = api.recurring_runs.recurring_run_service_delete_recurring_run
    try:
        api.call(f"delete the old schedule {name}", ask, recurring_run_id=one)
    except ApiError as error:
        if error.status != NOT_FOUND:  # an earlier try did it
            raise


def _bodies(api: Api, config: Kfp, declared: list[Declared], *, dry_run: bool) -> list[tuple[Any, bool]]:
    """What to create, and whether it is enabled; a dry run does without what is not there yet."""
    of_package = find_version if dry_run else ensure_version
    of_name = find_experiment if dry_run else ensure_experiment
    packages = dict.fromkeys(one.package for one in declared)
    versions = {package: of_package(api, config.pipeline, package) for package in packages}
    experiment_id = of_name(api, config.experiment) if declared else None
    return [(_body(api, config, one, versions[one.package], experiment_id), one.enabled) for one in declared]


def _body(api: Api, config: Kfp, one: Declared, version: Version | None, experiment_id: str | None) -> Any:
    body = kfp.V2beta1RecurringRun(
        display_name=one.name,
        experiment_id=experiment_id,
        namespace=api.namespace,
        pipeline_version_reference=version.reference() if version else None,
        runtime_config=kfp.V2beta1RuntimeConfig(parameters={}),
        service_account=config.service_account,
        trigger=kfp.V2beta1Trigger(cron_schedule=kfp.V2beta1CronSchedule(cron=one.cron)),
        max_concurrency="1",
        no_catchup=True,
    )
    written = json.dumps(body.to_dict(), sort_keys=True, default=str)
    digest = hashlib.sha256(written.encode()).hexdigest()[:16]
    body.description = f"Kept by `python -m pipelines schedule apply` {mark(config.pipeline, digest)}"
    body.mode = kfp.RecurringRunMode.ENABLE if one.enabled else kfp.RecurringRunMode.DISABLE
    return body


def _recurring(run: Any) -> Recurring:
    trigger = run.trigger
    cron = trigger.cron_schedule.cron if trigger and trigger.cron_schedule else ""
    return Recurring(
        str(run.recurring_run_id),
        str(run.display_name),
        cron or "",
        _enabled(run),
        str(run.created_at),
        *mark_of(run.description),
    )


def _enabled(run: Any) -> bool | None:
    """What was asked for; the status follows later, and may be unspecified."""
    said = {"ENABLE": True, "DISABLE": False, "ENABLED": True, "DISABLED": False}
    return next((said[word] for word in (run.mode, run.status) if word in said), None)
