"""MLflow fails during a search, and has everything of it once after a replay."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from pipelines.local.replay import replay, replay_before_a_run
from pipelines.sweep import driver, trainings
from pipelines.sweep.trainings import Trainer
from pipelines.trials.candidate import SweepCandidate
from pipelines.trials.report import RESULTS
from pipelines.trials.search import FoldScore
from pipelines.trials.space import load_space
from reelflow.errors import ParamsError, ReelflowError, StorageError, TrackingError
from reelflow.settings import Settings
from reelflow.tracking import client as mlflow_client
from reelflow.tracking.spool.owed import TrackingSpool
from tests.fake_search import base_params, made_up, write_space
from tests.faults.store.proxy import FaultyProxy, reset
from tests.faults.tracking.seen import all_of
from tests.faults.tracking.test_once import FAULTS
from tests.mlflow_server import MlflowServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("mlflow-server"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
COUNT = itertools.count()
PROBE = "reelflow.txt"  # of a start at which MLflow was there
CALM: list[dict[str, Any]] = []
TRIALS, FOLDS, STUDIES = 3, 2, 3
FAILS = 3  # segments of which a training fails
OTHER = {"seed": 2}


@dataclass
class Searching:
    """A search whose trainings are made up; only MLflow is real.

    Attributes:
        folder: of clips and output.
        settings: of the user.
        judged: what happens at each training, by its number.
        trained: trainings so far.
        shown: what was printed.
    """

    folder: Path
    settings: Settings
    judged: dict[int, Callable[[], None]] = field(default_factory=dict)
    trained: int = 0
    shown: StringIO = field(default_factory=StringIO)

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def spool(self) -> TrackingSpool:
        return TrackingSpool(self.settings.spool)

    @property
    def is_owed(self) -> bool:
        return any(self.spool.all())

    @property
    def console(self) -> Console:
        return Console(file=self.shown, width=1000)

    def run(self, **changes: object) -> int:
        """The command; returns its exit code."""
        mlflow_client._connect.cache_clear()
        (self.folder / "clips").mkdir(exist_ok=True)
        params = base_params(self.folder / "clips")
        space = load_space(write_space(self.folder, **changes), params)
        try:
            driver.run_sweep(params, space, self.out, self.console, self.settings)
        except ReelflowError as error:
            self.shown.write(f"{error}\n")
            return error.exit_code
        return 0

    def replayed(self) -> int:
        """What `track replay` does; returns its exit code."""
        mlflow_client._connect.cache_clear()
        try:
            found = replay(self.settings, self.console)
        except ReelflowError as error:
            return error.exit_code
        return TrackingError.exit_code if found.refused else 0

    def judge(self, _: Trainer, candidate: SweepCandidate, dataset: Path) -> FoldScore:
        """In the place of a training."""
        self.trained += 1
        self.judged.get(self.trained, lambda: None)()
        if candidate.training.get("segments") == FAILS:
            raise ParamsError("the loss is NaN or infinite")
        return FoldScore(5 + len(candidate.head) % 5, 10, 5.0)


@pytest.fixture
def searching(proxy: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Searching:
    """A search that nothing is known of, in an experiment of its own, at a server that was seen before."""
    settings = Settings(
        tracking_uri=proxy.endpoint, experiment=f"search-{next(COUNT)}", spool=tmp_path / "spool"
    )
    found = Searching(tmp_path, settings)
    found.spool.remember(settings)
    monkeypatch.setattr(driver, "prepare", made_up)
    monkeypatch.setattr(Trainer, "judge", lambda *given: found.judge(*given))
    groups = tuple("abcd")
    tested = trainings.Tested(np.array([True, True, False, True]), groups)
    monkeypatch.setattr(Trainer, "test", lambda *_: tested)
    return found


@pytest.fixture
def untouched(searching: Searching, server: MlflowServer) -> list[dict[str, Any]]:
    """What MLflow has of the same search without faults; asked once."""
    if CALM:
        return CALM
    (searching.folder / "calm").mkdir()
    settings = searching.settings.model_copy(
        update={"experiment": f"{searching.settings.experiment} calm", "tracking_uri": server.address}
    )
    calm = Searching(searching.folder / "calm", settings)
    assert calm.run() == 0
    searching.trained = 0
    found = runs(settings)
    assert len(found) == 1 + TRIALS * STUDIES
    assert {run["status"] for run in found} == {"FINISHED", "FAILED"}
    assert {run["status"] for run in found if run["tags"].get("reelflow.state") == "FAIL"} == {"FAILED"}
    assert set(found[0]["artifacts"]) == {f"sweep/{name}" for name in RESULTS}
    CALM.extend(found)
    return CALM


def runs(settings: Settings) -> list[dict[str, Any]]:
    """What MLflow has, the parent first, without the run's name and sizes of files, which differ."""
    found = all_of(settings, "none")["runs"]
    (parent,) = [run for run in found if not run["parent"]]
    assert all(run["parent"] in ("", parent["name"]) for run in found)
    for run in found:
        run["tags"].pop("reelflow.run", None)
    rows = [run | {"artifacts": [path for path, _ in run["artifacts"] if path != PROBE]} for run in found]
    rows = [run | {"name": "" if not run["parent"] else run["name"], "parent": ""} for run in rows]
    return sorted(rows, key=lambda run: str(run["name"]))


def told(searching: Searching, server: MlflowServer) -> list[dict[str, Any]]:
    """What MLflow has, asked beside the proxy."""
    return runs(searching.settings.model_copy(update={"tracking_uri": server.address}))


@pytest.mark.parametrize(
    ("began", "fault"),
    [
        ("start", "reset"),
        ("start", "html"),
        ("training 1", "500"),
        ("training 8", "reset"),
        ("training 8", "401"),
        ("end", "429"),
        ("end", "403"),
        ("end", "hang"),
    ],
)
def test_a_search_loses_nothing(searching, untouched, server, proxy, began, fault, monkeypatch):
    def go_away() -> None:
        proxy.spoil("request", FAULTS[fault])

    if began == "start":
        go_away()
    elif began.startswith("training"):
        searching.judged[int(began.split()[1])] = go_away
    else:
        write = driver.write_results
        monkeypatch.setattr(driver, "write_results", lambda *given: (write(*given), go_away()))
    assert searching.run() == 7, searching.shown.getvalue()
    assert "run python -m pipelines track replay, or the same command" in searching.shown.getvalue()
    assert all((searching.out / name).is_file() for name in RESULTS)
    assert searching.is_owed
    proxy.mend()
    assert searching.replayed() == 0
    assert not searching.is_owed
    assert told(searching, server) == untouched


def test_an_outage_that_ends_before_the_search_leaves_nothing_to_do(searching, untouched, server, proxy):
    searching.judged = {1: lambda: proxy.spoil("request", reset), 9: proxy.mend}
    assert searching.run() == 0, searching.shown.getvalue()
    assert not searching.is_owed
    assert "trials are recorded at the end" in searching.shown.getvalue()
    assert told(searching, server) == untouched


@pytest.mark.parametrize(
    ("requests", "last"),
    [(3, "answer lost"), (9, "cut upload"), (30, "answer lost"), (70, "reset"), (120, "cut upload")],
)
def test_a_replay_that_ends_anywhere_goes_on_where_it_was(
    searching, untouched, server, proxy, requests, last
):
    proxy.spoil("request", reset)
    assert searching.run() == 7
    proxy.mend()
    proxy.die_after(requests, FAULTS[last])
    code = searching.replayed()
    proxy.mend()
    assert (code, searching.is_owed) in ((7, True), (0, False))
    assert searching.replayed() == 0
    assert not searching.is_owed
    assert told(searching, server) == untouched


def test_the_times_are_those_of_the_search(searching, proxy, server):
    proxy.spoil("request", reset)
    assert searching.run() == 7
    proxy.mend()
    (owed,) = searching.spool.all()
    assert searching.replayed() == 0
    client, experiment = mlflow_client.connect(searching.settings)
    found = client.search_runs([experiment])
    (parent,) = [run for run in found if run.info.run_name == owed.run]
    assert parent.info.end_time == owed.search.ended_ms
    assert parent.info.start_time == min(run.info.start_time for run in found)
    for run in found:
        assert run.info.start_time <= run.info.end_time <= owed.search.ended_ms


def test_the_next_run_sends_it(searching, untouched, server, proxy):
    proxy.spoil("request", reset)
    assert searching.run() == 7
    proxy.mend()
    replay_before_a_run(searching.settings, searching.console)
    assert not searching.is_owed
    assert told(searching, server) == untouched


def test_the_same_command_sends_it_too_and_trains_nothing_again(searching, untouched, server, proxy):
    proxy.spoil("request", reset)
    assert searching.run() == 7
    proxy.mend()
    trained = searching.trained
    assert searching.run() == 0
    assert searching.trained == trained
    assert not searching.is_owed
    assert told(searching, server) == untouched


def test_a_search_that_is_stopped_while_mlflow_is_away_is_recorded_when_it_has_ended(
    searching, untouched, server, proxy
):
    def stop() -> None:
        raise KeyboardInterrupt

    proxy.spoil("request", reset)
    searching.judged[8] = stop
    with pytest.raises(KeyboardInterrupt):
        searching.run()
    assert not searching.is_owed
    proxy.mend()
    searching.judged.clear()
    assert searching.run() == 0
    assert told(searching, server) == untouched


def test_an_address_where_nothing_has_ever_answered_is_a_mistake(searching, proxy, tmp_path):
    proxy.spoil("request", reset)
    (searching.spool.folder / "seen.json").unlink()
    assert searching.run() == 7
    assert not (searching.out / "work").exists()
    assert not searching.is_owed


def test_another_search_leaves_a_result_that_is_owed_as_it_is(searching, untouched, server, proxy):
    proxy.spoil("request", reset)
    assert searching.run() == 7
    kept = (searching.out / "sweep.json").read_bytes()
    assert searching.run(**OTHER) == StorageError.exit_code
    assert "holds the search sweep-" in searching.shown.getvalue()
    assert (searching.out / "sweep.json").read_bytes() == kept
    proxy.mend()
    assert searching.run(**OTHER) == 0
    assert not searching.is_owed
    found = all_of(searching.settings, "none")["runs"]
    assert sorted(run["params"]["sweep.seed"] for run in found if not run["parent"]) == ["1", "2"]


@pytest.mark.parametrize("lost", ["sweep.db", "sweep.json", "sweep.png", "work/run.json"])
def test_a_search_whose_folder_is_gone_is_told_and_holds_up_nothing(searching, proxy, lost):
    proxy.spoil("request", reset)
    assert searching.run() == 7
    proxy.mend()
    (searching.out / lost).unlink()
    assert searching.replayed() == 0
    assert "cannot be recorded any more" in searching.shown.getvalue()
    assert not searching.is_owed
