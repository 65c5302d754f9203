"""Recurring runs are made to agree with the file, whatever fails in between."""

import re
from dataclasses import replace

import hypothesis
import kfp_server_api as kfp
import pytest
from hypothesis import strategies as st

from pipelines.cluster.api.errors import ApiError
from pipelines.cluster.recurring.apply import apply
from pipelines.cluster.recurring.diff import mark
from pipelines.cluster.recurring.pipeline_name import pipeline_of
from pipelines.cluster.recurring.schedules import DeclaredSchedule
from pipelines.cluster.submit import ensure_experiment
from pipelines.cluster.versions import ensure_version, version_name
from tests.fake_kfp import FakeKfp
from tests.fake_kfp.inputs import config_for, quick_client, small_package

WEEKLY = DeclaredSchedule("weekly", "0 0 3 * * MON", True, small_package())
NIGHTLY = DeclaredSchedule("nightly", "0 30 2 * * *", True, small_package())


def wanted(*declared):
    """The same of what is declared."""
    return sorted((d.name, d.cron, d.enabled, version_name(d.package)) for d in declared)


class Cluster:
    """A server, and what talks to it."""

    def __init__(self, fake, folder):
        self.fake, self.kfp = fake, config_for(folder, fake).kfp
        self.client = quick_client(config_for(folder, fake))

    def apply(self, *declared, **options):
        """What was done, as (name, verb) pairs."""
        return [(a.name, a.verb) for a in apply(self.client, self.kfp, list(declared), **options)]

    def ours(self):
        """Our recurring runs on the server, the oldest first."""
        runs = self.fake.store.recurring_runs.values()
        return [run for run in runs if "[reelflow" in run.get("description", "")]

    def held(self):
        """Name, cron, enabled and the package that starts next, of what the server holds of ours."""
        return sorted(
            (
                run["display_name"],
                run["trigger"]["cron_schedule"]["cron"],
                run["mode"] == "ENABLE",
                self.next_version(run).partition("-")[0],
            )
            for run in self.ours()
        )

    def next_version(self, run):
        """The name of the version that a recurring run starts next."""
        assert list(run["pipeline_version_reference"]) == ["pipeline_id"]
        return self.fake.store.newest_version(run["pipeline_version_reference"]["pipeline_id"])["name"]

    def start(self, number=-1):
        """Let the scheduler start a run of one of ours; the run."""
        return self.fake.store.start_scheduled(self.ours()[number]["recurring_run_id"])

    def add_pinned(self, schedule):
        """A recurring run as older reelflows made it: of a version, in the one pipeline."""
        body = kfp.V2beta1RecurringRun(
            display_name=schedule.name,
            description=f"Kept by `python -m pipelines schedule apply` {mark(self.kfp.pipeline, 16 * '0')}",
            experiment_id=ensure_experiment(self.client, self.kfp.experiment),
            pipeline_version_reference=ensure_version(self.client, self.kfp.pipeline, schedule.package),
            service_account=self.kfp.service_account,
            trigger=kfp.V2beta1Trigger(cron_schedule=kfp.V2beta1CronSchedule(cron=schedule.cron)),
            max_concurrency="1",
            no_catchup=True,
            mode="ENABLE",
        )
        create = self.client.recurring_runs.recurring_run_service_create_recurring_run
        return create(recurring_run=body).recurring_run_id

    def add_foreign(self, name):
        """What somebody else has scheduled."""
        body = kfp.V2beta1RecurringRun(
            display_name=name,
            experiment_id=ensure_experiment(self.client, "theirs"),
            pipeline_version_reference=ensure_version(self.client, "theirs", small_package("theirs")),
            trigger=kfp.V2beta1Trigger(cron_schedule=kfp.V2beta1CronSchedule(cron="0 0 0 * * *")),
            max_concurrency="3",
            mode="ENABLE",
        )
        create = self.client.recurring_runs.recurring_run_service_create_recurring_run
        return create(recurring_run=body).recurring_run_id


every_installation = pytest.mark.parametrize(
    "cluster", [(), ("team",)], indirect=True, ids=["single-user", "multi-user"]
)


@pytest.fixture
def cluster(request, tmp_path):
    with FakeKfp(*getattr(request, "param", ("team",))) as fake:
        yield Cluster(fake, tmp_path)


@every_installation
def test_a_schedule_is_created_as_declared(cluster):
    assert cluster.apply(WEEKLY) == [("weekly", "create")]
    assert cluster.held() == wanted(WEEKLY)
    (run,) = cluster.fake.store.recurring_runs.values()
    assert (run["max_concurrency"], run["no_catchup"]) == ("1", True)
    assert run["service_account"] == cluster.kfp.service_account


@every_installation
def test_a_second_apply_writes_nothing(cluster):
    cluster.apply(WEEKLY, NIGHTLY)
    before = len(cluster.fake.writes)
    assert cluster.apply(WEEKLY, NIGHTLY) == [("weekly", "keep"), ("nightly", "keep")]
    assert len(cluster.fake.writes) == before


def test_a_changed_package_is_a_new_version_and_nothing_else_is_touched(cluster):
    cluster.apply(WEEKLY)
    run, before = cluster.start(), cluster.ours()
    cluster.fake.requests.clear()
    changed = replace(WEEKLY, package=small_package("second"))
    assert cluster.apply(changed) == [("weekly", "upload")]
    assert cluster.fake.writes == ["POST /pipelines/upload_version"]
    assert cluster.held() == wanted(changed)
    assert cluster.ours() == before
    assert (run["state"], cluster.fake.store.killed) == ("RUNNING", [])
    assert cluster.apply(changed) == [("weekly", "keep")]


def test_an_earlier_package_becomes_the_newest_version_again(cluster):
    second = replace(WEEKLY, package=small_package("second"))
    for schedule, verb in [(WEEKLY, "create"), (second, "upload"), (WEEKLY, "upload"), (WEEKLY, "keep")]:
        assert cluster.apply(schedule) == [("weekly", verb)]
        assert cluster.held() == wanted(schedule)
    names = [version["name"] for version in cluster.fake.store.versions.values()]
    first = version_name(WEEKLY.package)
    assert names == [first, version_name(second.package), f"{first}-2"]


OTHER_CRON = replace(WEEKLY, cron="0 0 4 * * MON")


def test_another_cron_is_a_new_recurring_run_and_the_idle_old_one_goes(cluster):
    cluster.apply(WEEKLY)
    cluster.start()["state"] = "SUCCEEDED"
    old = cluster.ours()[0]["recurring_run_id"]
    cluster.fake.requests.clear()
    assert cluster.apply(OTHER_CRON) == [("weekly", "replace")]
    assert cluster.held() == wanted(OTHER_CRON)
    new = cluster.ours()[0]["recurring_run_id"]
    assert cluster.fake.writes == [
        "POST /recurringruns",  # disabled
        f"POST /recurringruns/{old}:disable",
        f"POST /recurringruns/{new}:enable",
        f"DELETE /recurringruns/{old}",
    ]


def test_an_old_one_at_work_is_disabled_and_goes_when_its_run_has_ended(cluster):
    cluster.apply(WEEKLY)
    run = cluster.start()
    assert cluster.apply(OTHER_CRON) == [("weekly", "replace"), ("weekly", "wait")]
    off = replace(WEEKLY, enabled=False)
    assert cluster.held() == wanted(off, OTHER_CRON)
    told = apply(cluster.client, cluster.kfp, [OTHER_CRON])
    assert [(one.verb, run["run_id"] in one.why) for one in told] == [("keep", False), ("wait", True)]
    assert "`--now`" in told[1].why
    run["state"] = "SUCCEEDED"
    assert cluster.apply(OTHER_CRON) == [("weekly", "clean up")]
    assert cluster.held() == wanted(OTHER_CRON)
    assert cluster.fake.store.killed == []


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "CANCELING", "PAUSED", ""])
def test_every_run_that_has_not_ended_is_at_work(cluster, state):
    cluster.apply(WEEKLY)
    cluster.start()["state"] = state
    assert cluster.apply() == [("weekly", "wait")]


def test_the_hard_way_deletes_at_once_and_says_what_it_killed(cluster):
    cluster.apply(WEEKLY)
    run = cluster.start()
    told = apply(cluster.client, cluster.kfp, [OTHER_CRON], now=True)
    assert [one.verb for one in told] == ["replace", "kill"]
    assert run["run_id"] in told[1].why
    assert cluster.held() == wanted(OTHER_CRON)
    assert cluster.fake.store.killed == [run["run_id"]]


def test_a_change_taken_back_enables_the_old_one_again(cluster):
    cluster.apply(WEEKLY)
    (old,) = cluster.ours()
    cluster.start()
    cluster.apply(OTHER_CRON)
    assert cluster.apply(WEEKLY) == [("weekly", "enable"), ("weekly", "clean up")]
    assert cluster.ours() == [old]


def test_a_recurring_run_of_an_older_reelflow_is_migrated(cluster):
    old = cluster.add_pinned(WEEKLY)
    run = cluster.fake.store.start_scheduled(old)
    told = apply(cluster.client, cluster.kfp, [WEEKLY])
    assert [one.verb for one in told] == ["replace", "wait"]
    assert "older reelflow" in told[0].why
    assert cluster.fake.store.recurring_runs[old]["mode"] == "DISABLE"
    run["state"] = "FAILED"
    assert cluster.apply(WEEKLY) == [("weekly", "clean up")]
    assert cluster.held() == wanted(WEEKLY)
    assert cluster.fake.store.killed == []


def test_each_schedule_has_a_pipeline_of_its_own_name(cluster):
    cluster.apply(WEEKLY, NIGHTLY, replace(WEEKLY, name="Every Monday, early"))
    assert [(p["name"], p["display_name"]) for p in cluster.fake.store.pipelines.values()] == [
        ("reelflow-training-schedule-weekly", "reelflow-training schedule weekly"),
        ("reelflow-training-schedule-nightly", "reelflow-training schedule nightly"),
        (
            "reelflow-training-schedule-every-monday-early-030d1002",
            "reelflow-training schedule Every Monday, early",
        ),
    ]


def test_names_of_pipelines_are_names_of_kubernetes_and_not_too_long():
    names = [pipeline_of("Our Pipelines", "x" * 120), pipeline_of("Our Pipelines", "x" * 119 + "y")]
    assert len({one.name for one in names}) == 2
    for one in names:
        assert re.fullmatch(r"[a-z0-9][-a-z0-9]{1,126}[a-z0-9]", one.name)


def test_on_and_off_need_no_new_one(cluster):
    off = replace(WEEKLY, enabled=False)
    cluster.apply(WEEKLY)
    (before,) = cluster.fake.store.recurring_runs
    assert cluster.apply(off) == [("weekly", "disable")]
    assert cluster.held() == wanted(off)
    assert cluster.apply(WEEKLY) == [("weekly", "enable")]
    assert cluster.held() == wanted(WEEKLY)
    assert list(cluster.fake.store.recurring_runs) == [before]


def test_what_is_no_longer_declared_and_at_work_is_disabled_first(cluster):
    cluster.apply(WEEKLY)
    run = cluster.start()
    assert cluster.apply() == [("weekly", "wait")]
    assert cluster.held() == wanted(replace(WEEKLY, enabled=False))
    run["state"] = "SUCCEEDED"
    assert cluster.apply() == [("weekly", "remove")]
    assert (cluster.held(), cluster.fake.store.killed) == ([], [])


def test_what_is_no_longer_declared_goes(cluster):
    cluster.apply(WEEKLY, NIGHTLY)
    assert cluster.apply(NIGHTLY) == [("nightly", "keep"), ("weekly", "remove")]
    assert cluster.apply() == [("nightly", "remove")]
    assert cluster.held() == []


@every_installation
def test_what_others_have_scheduled_stays(cluster):
    foreign = {cluster.add_foreign("weekly"), cluster.add_foreign("theirs")}
    cluster.apply(WEEKLY)
    other = cluster.kfp.model_copy(update={"pipeline": "another-pipeline"})
    apply(cluster.client, other, [NIGHTLY])
    assert cluster.apply() == [("weekly", "remove")]
    left = {run["display_name"] for run in cluster.fake.store.recurring_runs.values()}
    assert foreign <= set(cluster.fake.store.recurring_runs)
    assert left == {"weekly", "theirs", "nightly"}


def test_a_dry_run_writes_nothing_and_tells_the_same(cluster):
    cluster.apply(WEEKLY)
    before = len(cluster.fake.writes)
    declared = [replace(WEEKLY, cron="0 0 4 * * *"), replace(NIGHTLY, package=small_package("second"))]
    cluster.start()
    told = cluster.apply(*declared, dry_run=True)
    assert len(cluster.fake.writes) == before
    assert told == cluster.apply(*declared)
    assert told == [("weekly", "replace"), ("weekly", "wait"), ("nightly", "create")]


@every_installation
def test_a_dry_run_on_an_empty_server_writes_nothing(cluster):
    assert cluster.apply(WEEKLY, dry_run=True) == [("weekly", "create")]
    assert cluster.fake.writes == []


def test_more_schedules_than_a_page_are_all_seen(cluster, monkeypatch):
    monkeypatch.setattr("pipelines.cluster.api.client.PAGE_SIZE", 2)
    many = [replace(WEEKLY, name=f"job {number}") for number in range(5)]
    cluster.apply(*many)
    assert {verb for _, verb in cluster.apply(*many)} == {"keep"}


@pytest.mark.parametrize("path", ["/recurringruns$", ":disable$", ":enable$"])
@pytest.mark.parametrize("kind", [403, 500, "reset"])
def test_a_replacement_that_breaks_off_is_completed_and_two_are_never_on(cluster, kind, path):
    cluster.apply(WEEKLY)
    cluster.start()
    cluster.fake.fail(kind, method="POST", path=path, times=99)
    with pytest.raises(ApiError):
        cluster.apply(OTHER_CRON)
    assert sum(enabled for _, _, enabled, _ in cluster.held()) <= 1
    cluster.fake.faults.clear()
    assert cluster.apply(OTHER_CRON)[-1] == ("weekly", "wait")
    assert cluster.held() == wanted(replace(WEEKLY, enabled=False), OTHER_CRON)


@pytest.mark.parametrize("kind", [401, 403, 500, "reset"])
def test_a_replacement_that_breaks_off_leaves_one_and_is_completed_later(cluster, kind):
    cluster.apply(WEEKLY)
    changed = replace(WEEKLY, cron="0 0 4 * * MON")
    cluster.fake.fail(kind, method="DELETE", times=99)
    with pytest.raises(ApiError):
        cluster.apply(changed)
    assert set(wanted(replace(WEEKLY, enabled=False), changed)) == set(cluster.held())
    cluster.fake.faults.clear()
    assert cluster.apply(changed) == [("weekly", "clean up")]
    assert cluster.held() == wanted(changed)


@pytest.mark.parametrize("kind", ["reset", "lost", "truncated", 503])
def test_an_answer_lost_on_create_leaves_one(cluster, kind):
    cluster.fake.fail(kind, method="POST", path="/recurringruns$")
    cluster.apply(WEEKLY)
    assert cluster.held() == wanted(WEEKLY)


@pytest.mark.parametrize("kind", ["reset", "lost", 503])
def test_an_answer_lost_on_disable_is_asked_for_again(cluster, kind):
    cluster.apply(WEEKLY)
    cluster.fake.fail(kind, path=":disable$")
    off = replace(WEEKLY, enabled=False)
    assert cluster.apply(off) == [("weekly", "disable")]
    assert cluster.held() == wanted(off)


def test_an_answer_lost_on_delete_is_no_failure(cluster):
    cluster.apply(WEEKLY)
    cluster.fake.fail("lost", method="DELETE")
    assert cluster.apply() == [("weekly", "remove")]
    assert cluster.held() == []


KINDS = st.sampled_from(["reset", "lost", "truncated", "html", "garbage", 302, 401, 403, 409, 500, 503])
DECLARED = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.tuples(st.sampled_from(["0 0 1 * * *", "0 0 2 * * *"]), st.booleans(), st.sampled_from("xy")),
)


def schedules(drawn):
    return [DeclaredSchedule(name, cron, on, small_package(word)) for name, (cron, on, word) in drawn.items()]


@hypothesis.settings(max_examples=15)
@hypothesis.given(
    states=st.lists(DECLARED, min_size=1, max_size=3),
    faults=st.lists(st.tuples(KINDS, st.integers(0, 25), st.integers(1, 4)), max_size=3),
    at_work=st.integers(0, 2),
)
def test_whatever_fails_when_the_last_apply_makes_it_right(tmp_path_factory, states, faults, at_work):
    with FakeKfp() as fake:
        cluster = Cluster(fake, tmp_path_factory.getbasetemp())
        foreign = cluster.add_foreign("a")
        for kind, skip, times in faults:
            fake.fail(kind, skip=skip, times=times)
        for state in states:
            before = {name for name, *_ in cluster.held()}
            for run in cluster.ours()[:at_work]:
                fake.store.start_scheduled(run["recurring_run_id"])
            try:
                cluster.apply(*schedules(state))
            except ApiError:
                assert before & set(state) <= {name for name, *_ in cluster.held()}
        fake.faults.clear()
        cluster.apply(*schedules(states[-1]))
        assert fake.store.killed == []
        for run in fake.store.runs.values():
            run["state"] = "SUCCEEDED"
        cluster.apply(*schedules(states[-1]))
        assert cluster.held() == wanted(*schedules(states[-1]))
        assert foreign in fake.store.recurring_runs
        assert {verb for _, verb in cluster.apply(*schedules(states[-1]))} <= {"keep"}
