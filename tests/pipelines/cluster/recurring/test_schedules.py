"""Recurring runs are made to agree with the file, whatever fails in between."""

from dataclasses import replace

import hypothesis
import kfp_server_api as kfp
import pytest
from hypothesis import strategies as st

from pipelines.cluster.api.errors import ApiError
from pipelines.cluster.recurring.schedules import DeclaredSchedule, apply
from pipelines.cluster.submit import ensure_experiment, ensure_version, version_name
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

    def held(self):
        """Name, cron, enabled and version of what the server holds; others' left out."""
        store = self.fake.store
        return sorted(
            (
                run["display_name"],
                run["trigger"]["cron_schedule"]["cron"],
                run["mode"] == "ENABLE",
                store.versions[run["pipeline_version_reference"]["pipeline_version_id"]]["name"],
            )
            for run in store.recurring_runs.values()
            if "[reelflow" in run.get("description", "")
        )

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


@pytest.mark.parametrize(
    "changed", [replace(WEEKLY, cron="0 0 4 * * MON"), replace(WEEKLY, package=small_package("second"))]
)
def test_a_changed_schedule_is_replaced_new_before_old(cluster, changed):
    cluster.apply(WEEKLY)
    cluster.fake.requests.clear()
    assert cluster.apply(changed) == [("weekly", "replace")]
    assert cluster.held() == wanted(changed)
    assert [w.split("/")[0] for w in cluster.fake.writes][-2:] == ["POST ", "DELETE "]


def test_on_and_off_need_no_new_one(cluster):
    off = replace(WEEKLY, enabled=False)
    cluster.apply(WEEKLY)
    (before,) = cluster.fake.store.recurring_runs
    assert cluster.apply(off) == [("weekly", "disable")]
    assert cluster.held() == wanted(off)
    assert cluster.apply(WEEKLY) == [("weekly", "enable")]
    assert cluster.held() == wanted(WEEKLY)
    assert list(cluster.fake.store.recurring_runs) == [before]


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
    told = cluster.apply(*declared, dry_run=True)
    assert len(cluster.fake.writes) == before
    assert told == cluster.apply(*declared) == [("weekly", "replace"), ("nightly", "create")]


@every_installation
def test_a_dry_run_on_an_empty_server_writes_nothing(cluster):
    assert cluster.apply(WEEKLY, dry_run=True) == [("weekly", "create")]
    assert cluster.fake.writes == []


def test_more_schedules_than_a_page_are_all_seen(cluster, monkeypatch):
    monkeypatch.setattr("pipelines.cluster.api.client.PAGE_SIZE", 2)
    many = [replace(WEEKLY, name=f"job {number}") for number in range(5)]
    cluster.apply(*many)
    assert {verb for _, verb in cluster.apply(*many)} == {"keep"}


@pytest.mark.parametrize("kind", [401, 403, 500, "reset"])
def test_a_replacement_that_breaks_off_leaves_one_and_is_completed_later(cluster, kind):
    cluster.apply(WEEKLY)
    changed = replace(WEEKLY, cron="0 0 4 * * MON")
    cluster.fake.fail(kind, method="DELETE", times=99)
    with pytest.raises(ApiError):
        cluster.apply(changed)
    assert set(wanted(WEEKLY, changed)) == set(cluster.held())
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


@hypothesis.settings(max_examples=30)
@hypothesis.given(
    states=st.lists(DECLARED, min_size=1, max_size=3),
    faults=st.lists(st.tuples(KINDS, st.integers(0, 25), st.integers(1, 4)), max_size=3),
)
def test_whatever_fails_when_the_last_apply_makes_it_right(tmp_path_factory, states, faults):
    with FakeKfp() as fake:
        cluster = Cluster(fake, tmp_path_factory.getbasetemp())
        foreign = cluster.add_foreign("a")
        for kind, skip, times in faults:
            fake.fail(kind, skip=skip, times=times)
        for state in states:
            before = {name for name, *_ in cluster.held()}
            try:
                cluster.apply(*schedules(state))
            except ApiError:
                assert before & set(state) <= {name for name, *_ in cluster.held()}
        fake.faults.clear()
        cluster.apply(*schedules(states[-1]))
        assert cluster.held() == wanted(*schedules(states[-1]))
        assert foreign in fake.store.recurring_runs
        assert {verb for _, verb in cluster.apply(*schedules(states[-1]))} <= {"keep"}
