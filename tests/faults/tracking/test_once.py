"""MLflow fails at one request of a session, and has everything once after a replay."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reelflow.settings import Settings
from reelflow.tracking import registry
from tests.faults.store.proxy import (
    ALWAYS,
    Answer,
    Exchange,
    Fault,
    FaultyProxy,
    broken,
    cut_sent,
    other,
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


def refusing(status: int) -> Fault:
    """What a server answers to a token that has run out, or may not do this."""

    def fault(exchange: Exchange) -> None:
        exchange.give(Answer(status, [("Content-Type", "text/plain")], b"You are not authenticated."))

    return fault


FAULTS = {
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


@pytest.fixture(autouse=True)
def small_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registered model that brings little code along: most requests would be uploads of that."""
    package = tmp_path / "reelflow"
    package.mkdir()
    (package / "__init__.py").write_text("VERSION = 1\n")  # the proxy passes on no empty body
    monkeypatch.setattr(registry, "PACKAGE", package)


@pytest.fixture
def at(proxy: FaultyProxy, tmp_path: Path) -> LocalRun:
    """A run that nothing is known of, in an experiment of its own."""
    name = f"once-{next(COUNT)}"
    settings = Settings(tracking_uri=proxy.endpoint, experiment=name, spool=tmp_path / "spool")
    return LocalRun.written(tmp_path / "run", settings, name)


@pytest.fixture(scope="module")
def beside(server: MlflowServer) -> Iterator[dict[str, Any]]:
    """What has been found without faults; filled by the first test."""
    assert server
    yield {}


def told(run: LocalRun, server: MlflowServer) -> dict[str, Any]:
    """What MLflow has, asked beside the proxy."""
    experiment = run.asked.experiment
    found = all_of(Settings(tracking_uri=server.address, experiment=experiment), experiment)
    for one in found["models"]:
        assert one[0] == experiment
    return found | {"models": [one[1:] for one in found["models"]]}


def expected(found: dict[str, Any]) -> None:
    names = [run["name"] for run in found["runs"]]
    assert names == ["run of run", "thumbnail-gru"]
    parent, child = found["runs"]
    assert (parent["status"], child["status"]) == ("FINISHED", "FINISHED")
    assert child["parent"] == "run of run"
    assert child["points"]["training.curve.train_loss"] == [(1, 0.9), (2, 0.5), (3, 0.3)]
    assert [step for step, _ in child["points"]["training.curve.seconds"]] == [1, 2, 3]
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
    expected(told(at, server))
    print(proxy.seen)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_an_outage_that_begins_somewhere_and_lasts(at, server, proxy, fault, share):
    whole = 150
    proxy.spoil("request", FAULTS[fault], ALWAYS, after=int(whole * share))
    code = at.session()
    proxy.mend()
    assert code == (0 if fault == "slow" else 7)
    assert at.is_owed is (fault != "slow")
    assert at.replayed() == 0
    assert not at.is_owed
    expected(told(at, server))
