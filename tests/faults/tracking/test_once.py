"""MLflow fails at one request of a session, and has everything once after a replay."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from reelflow.settings import Settings
from reelflow.tracking import client as mlflow_client
from reelflow.tracking.model import saving
from tests.faults.store.proxy import (
    ALWAYS,
    Answer,
    Exchange,
    Fault,
    FaultyProxy,
    broken,
    cut_sent,
    other,
    pass_on,
    reset,
    reset_when_done,
    slow,
    stall,
    throttled,
)
from tests.faults.tracking.seen import all_of
from tests.faults.tracking.sessions import LocalRun
from tests.mlflow_server import MlflowServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("mlflow-server"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
COUNT = itertools.count()
REQUESTS = 155  # of a session without faults


def refusing(status: int) -> Fault:
    """What a server answers to a token that has run out, or may not do this."""

    def fault(exchange: Exchange) -> None:
        exchange.give(Answer(status, [("Content-Type", "text/plain")], b"You are not authenticated."))

    return fault


def full(exchange: Exchange) -> None:
    """What a server answers whose own disk is full."""
    told = (
        b'{"error_code": "INTERNAL_ERROR", "message": "sqlite3.OperationalError: database or disk is full"}'
    )
    exchange.give(Answer(500, [("Content-Type", "application/json")], told))


FAULTS = {
    "full": full,
    "reset": reset,
    "500": broken,
    "html": other,
    "429": throttled,
    "401": refusing(401),
    "403": refusing(403),
    "cut upload": cut_sent,
    "answer lost": reset_when_done,
    "hang": stall,
    "slow": slow,
}
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
BEGUN = [("reset", share) for share in SHARES]
BEGUN += [(fault, SHARES[(place + step) % 5]) for place, fault in enumerate(FAULTS) for step in (0, 2)]
BEGUN = sorted(set(BEGUN))
"""A refused line everywhere, each other fault at two of the places, each place with four faults or more."""


@pytest.fixture(autouse=True)
def small_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registered model that brings little code along: most requests would be uploads of that."""
    package = tmp_path / "reelflow"
    package.mkdir()
    (package / "__init__.py").write_text("VERSION = 1\n")  # the proxy passes on no empty body
    monkeypatch.setattr(saving, "PACKAGE", package)


@pytest.fixture
def at(proxy: FaultyProxy, tmp_path: Path) -> LocalRun:
    """A run that nothing is known of, in an experiment of its own."""
    name = f"once-{next(COUNT)}"
    settings = Settings(tracking_uri=proxy.endpoint, experiment=name, spool=tmp_path / "spool")
    return LocalRun.written(tmp_path / "run", settings, name)


def told(run: LocalRun, server: MlflowServer) -> dict[str, Any]:
    """What MLflow has, asked beside the proxy."""
    experiment = run.asked.experiment
    found = all_of(Settings(tracking_uri=server.address, experiment=experiment), experiment)
    for one in found["models"]:
        assert one[0] == experiment
    return found | {"models": [one[1:] for one in found["models"]]}


def check_whole(found: dict[str, Any]) -> None:
    """Everything is there, and once."""
    names = [run["name"] for run in found["runs"]]
    assert names == ["run of run", "thumbnail-gru"]
    parent, child = found["runs"]
    assert (parent["status"], child["status"]) == ("FINISHED", "FINISHED")
    assert child["parent"] == "run of run"
    assert child["points"]["training.curve.train_loss"] == [(1, 0.9), (2, 0.5), (3, 0.3)]
    assert [step for step, _ in child["points"]["training.curve.seconds"]] == [1, 2, 3]
    assert [value for _, value in child["points"]["system/cpu_utilization_percentage"]] == [51, 52, 53]
    assert [value for _, value in child["points"]["system/system_memory_usage_megabytes"]] == [
        1001,
        1002,
        1003,
    ]
    assert all(len({step for step, _ in points}) == len(points) for points in child["points"].values())
    assert all(len({step for step, _ in points}) == len(points) for points in parent["points"].values())
    assert "reelflow.failure" not in parent["tags"]
    assert parent["tags"]["reelflow.outcome"] == "done"
    assert found["models"] == [("READY", "thumbnail-gru")]
    assert found["versions"] == [(1, "thumbnail-gru")]
    assert found["aliases"] == [[("challenger", "1"), ("champion", "1")]]
    assert {path for path, _ in child["artifacts"]} >= {"model/model.keras", "model/training.json"}


def test_without_faults(at, server, proxy):
    assert at.session() == 0
    assert not at.is_owed
    check_whole(told(at, server))
    assert proxy.seen["request"] in range(REQUESTS - 20, REQUESTS + 20)


@pytest.mark.parametrize(("fault", "share"), BEGUN)
def test_an_outage_that_begins_somewhere_and_lasts(at, server, proxy, fault, share):
    proxy.spoil("request", FAULTS[fault], ALWAYS, after=int(REQUESTS * share))
    code = at.session()
    proxy.mend()
    assert code == (0 if fault == "slow" else 7)
    assert at.is_owed is (fault != "slow")
    assert at.replayed() == 0
    assert not at.is_owed
    check_whole(told(at, server))


class Forgetful:
    """A line on which every request is spoilt once: the same request, repeated, passes."""

    def __init__(self, fault: Fault) -> None:
        self._fault, self._known = fault, set[tuple[str, str, bytes]]()

    def __call__(self, exchange: Exchange) -> None:
        request = (exchange.command, exchange.path, exchange.sent)
        known = request in self._known
        self._known.add(request)
        (pass_on if known else self._fault)(exchange)


@pytest.mark.parametrize("fault", ["answer lost", "cut upload", "500"])
def test_mlflow_repeats_each_request_and_nothing_is_there_twice(at, server, proxy, fault, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    at.spool.remember(at.asked)
    mlflow_client._connect.cache_clear()
    proxy.spoil("request", Forgetful(FAULTS[fault]))
    code = at.session()
    if code:
        assert at.replayed() == 0
    check_whole(told(at, server))


@pytest.mark.parametrize(
    ("requests", "last"),
    [
        (requests, ("answer lost", "cut upload")[place % 2])
        for place, requests in enumerate(range(4, 160, 15))
    ],
)
def test_a_replay_that_ends_anywhere_goes_on_where_it_was(at, server, proxy, last, requests):
    at.spool.remember(at.asked)
    proxy.spoil("request", reset)
    assert at.session() == 7
    proxy.mend()
    proxy.die_after(requests, FAULTS[last])
    assert at.replayed() == 7
    proxy.mend()
    assert at.replayed() == 0
    check_whole(told(at, server))


def test_an_address_where_nothing_has_ever_answered_is_a_mistake(at, proxy):
    proxy.spoil("request", reset)
    assert at.session() == 7
    assert not at.is_owed
    assert not (at.out / "work" / "events.jsonl").exists()


@pytest.mark.parametrize("fault", ["403", "500"])
def test_a_run_that_is_refused_holds_up_no_other_and_a_server_that_is_away_does(
    at, server, proxy, tmp_path, fault
):
    at.spool.remember(at.asked)
    proxy.spoil("request", reset)
    closed = at.asked.model_copy(update={"experiment": f"{at.asked.experiment} closed"})
    first = LocalRun.written(tmp_path / "first", closed, "closed")
    assert (first.session(), at.session()) == (7, 7)
    assert at.replayed() == 7
    assert [owed.run for owed in at.spool.all()] == ["run of first", "run of run"]

    def refuses_one(exchange: Exchange) -> None:
        (FAULTS[fault] if b"closed" in exchange.sent or "closed" in exchange.path else pass_on)(exchange)

    proxy.spoil("request", refuses_one)
    assert at.replayed() == 7
    assert [owed.run for owed in at.spool.all()] == ["run of first"]
    check_whole(told(at, server))
    proxy.mend()
    assert at.replayed() == 0
    assert not at.is_owed


def test_a_champion_from_between_is_what_an_owed_bundle_is_judged_against(at, server, proxy, tmp_path):
    at.spool.remember(at.asked)
    proxy.spoil("request", reset)
    assert at.session() == 7
    proxy.mend()
    better = at.asked.model_copy(update={"spool": tmp_path / "of another machine"})
    model = at.asked.experiment
    assert LocalRun.written(tmp_path / "better", better, model, accuracies={"gru": 1.0}).session() == 0
    assert at.replayed() == 0
    found = told(at, server)
    assert found["versions"] == [(1, "thumbnail-gru"), (2, "thumbnail-gru")]
    assert found["aliases"] == [[("challenger", "2"), ("champion", "1")]]
