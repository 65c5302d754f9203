"""The plans of diff.py, carried out.

The order makes every interruption harmless: a version is uploaded before anything refers to it; a new
recurring run is created disabled, and enabled once the old one is disabled, so that never two of them start
runs; what is left undone, the next apply does.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass

import kfp_server_api as kfp

from pipelines.cluster.api.client import KubeflowClient
from pipelines.cluster.config import Kfp
from pipelines.cluster.recurring import server
from pipelines.cluster.recurring.diff import RecurringRun, SchedulePlan, WantedSchedule, diff, mark
from pipelines.cluster.recurring.pipeline_name import pipeline_of
from pipelines.cluster.recurring.schedules import DeclaredSchedule
from pipelines.cluster.submit import ensure_experiment, find_experiment
from pipelines.cluster.versions import ensure_pipeline, find_pipeline, is_newest, upload_newest


@dataclass(frozen=True)
class ScheduleChange:
    """What was done about a schedule, or would be: a row of what `apply` prints."""

    name: str
    verb: str
    why: str


def apply(
    client: KubeflowClient,
    config: Kfp,
    declared: list[DeclaredSchedule],
    *,
    dry_run: bool = False,
    now: bool = False,
) -> list[ScheduleChange]:
    """Make the recurring runs on the server agree with the declared ones.

    Args:
        client: of the server.
        config: the experiment, the pipeline's name and the service account.
        declared: what the server is to hold.
        dry_run: return the changes and write nothing.
        now: delete old recurring runs whose runs are at work, which kills these.

    Raises:
        ApiError: the server refused or did not answer; the same call completes the work.
    """
    wanted = _wanted(client, config, declared, dry_run=dry_run)
    worker = _Worker(client, dry_run=dry_run, now=now)
    plans = diff(config.pipeline, wanted, server.recurring_runs(client))
    return [change for plan in plans for change in worker.carry_out(plan)]


@dataclass(frozen=True)
class _Worker:
    client: KubeflowClient
    dry_run: bool
    now: bool

    def carry_out(self, plan: SchedulePlan) -> Iterator[ScheduleChange]:
        """Do what is planned for one schedule, and tell it."""
        wanted = plan.wanted
        if self.dry_run:
            old = plan.retire
        else:
            keep = self._ensure(plan, wanted) if wanted else None
            old = tuple(server.switch(self.client, run, enabled=False) for run in plan.retire)
            if wanted and keep:
                server.switch(self.client, keep, enabled=wanted.enabled)
        deleted, waiting = self._delete_idle(old)
        done = list(_told(plan, deleted=deleted > 0))
        if wanted and not done:
            done.append(ScheduleChange(plan.name, "keep", "unchanged"))
        yield from done
        for why in waiting:
            yield ScheduleChange(plan.name, "kill" if self.now else "wait", why)

    def _ensure(self, plan: SchedulePlan, wanted: WantedSchedule) -> RecurringRun:
        """Upload what is new, and create the recurring run; disabled beside another one."""
        if not wanted.newest:
            pipeline_id = wanted.body.pipeline_version_reference.pipeline_id
            upload_newest(self.client, pipeline_id, wanted.package)
        if plan.keep:
            return plan.keep
        body = copy(wanted.body)
        if plan.retire:
            body.mode = kfp.RecurringRunMode.DISABLE
        return server.create(self.client, body)

    def _delete_idle(self, old: Iterable[RecurringRun]) -> tuple[int, list[str]]:
        """Delete recurring runs without an active run; returns their number, and a text about the others."""
        deleted, told = 0, []
        for run in old:
            working = server.at_work(self.client, run)
            if working:
                told.append(_at_work(working, now=self.now))
            if self.now or not working:
                deleted += 1
                if not self.dry_run:
                    server.delete(self.client, run)
        return deleted, told


def _told(plan: SchedulePlan, *, deleted: bool) -> Iterator[ScheduleChange]:
    wanted, keep = plan.wanted, plan.keep
    if wanted is None:
        if deleted:
            yield ScheduleChange(plan.name, "remove", plan.why)
    elif keep is None:
        verb, why = ("replace", plan.why) if plan.retire else ("create", "new")
        yield ScheduleChange(plan.name, verb, why)
    else:
        if not wanted.newest:
            yield ScheduleChange(plan.name, "upload", "params, code or images changed")
        if keep.enabled is not wanted.enabled:
            yield ScheduleChange(plan.name, "enable" if wanted.enabled else "disable", "declared so")
        if deleted:
            yield ScheduleChange(plan.name, "clean up", plan.why)


def _at_work(runs: list[str], *, now: bool) -> str:
    names = ", ".join(runs)
    if now:
        return f"deleted with its active run, which stays RUNNING for ever: {names}"
    return (
        f"the old one is disabled, and deleted by a later apply: {names} is active (`--now` deletes it at "
        "once and kills this run)"
    )


def _wanted(
    client: KubeflowClient, config: Kfp, declared: list[DeclaredSchedule], *, dry_run: bool
) -> list[WantedSchedule]:
    """What the server is to hold; a dry run does without what it does not hold yet."""
    of_experiment = find_experiment if dry_run else ensure_experiment
    experiment_id = of_experiment(client, config.experiment) if declared else None
    found = []
    for one in declared:
        name = pipeline_of(config.pipeline, one.name)
        pipeline_id = find_pipeline(client, name.name) if dry_run else ensure_pipeline(client, name)
        newest = bool(pipeline_id) and is_newest(client, str(pipeline_id), one.package)
        body = _body(client, config, one, pipeline_id, experiment_id)
        found.append(WantedSchedule(body, one.package, newest))
    return found


def _body(
    client: KubeflowClient,
    config: Kfp,
    schedule: DeclaredSchedule,
    pipeline_id: str | None,
    experiment_id: str | None,
) -> kfp.V2beta1RecurringRun:
    """The recurring run; without a version, so that the server takes the newest one each time."""
    body = kfp.V2beta1RecurringRun(
        display_name=schedule.name,
        experiment_id=experiment_id,
        namespace=client.namespace,
        pipeline_version_reference=kfp.V2beta1PipelineVersionReference(pipeline_id=pipeline_id),
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
