"""What MLflow has not got waits on disk, and curves arrive while trainings run."""

import shutil
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

from reelflow.errors import TrackingError
from reelflow.progress import EventFile, emit, watched_by
from reelflow.settings import Settings
from reelflow.tracking import client as mlflow_client
from reelflow.tracking.records import record_folder
from reelflow.tracking.spool import live
from reelflow.tracking.spool.curves import Curves, metric_name
from reelflow.tracking.spool.live import live_curves
from reelflow.tracking.spool.owed import Owed, TrackingSpool
from reelflow.tracking.spool.recorder import RunRecorder
from reelflow.tracking.spool.sending import send
from reelflow.tracking.tracker import SHORT_CURVE
from reelflow.workers.usage.sampling import sampled
from tests.fake_reports import PARAMS, dataset_report, evaluation_report, save_step, training_report

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
AWAY = "http://127.0.0.1:9"
TASK = "training thumbnail-gru"
SECONDS = "training.curve.seconds"
CPU, MEMORY = "system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"
START = 1_790_000_000


@pytest.fixture(scope="module")
def shared(empty_database, tmp_path_factory) -> str:
    """One database for all tests of the file."""
    return f"sqlite:///{shutil.copy(empty_database, tmp_path_factory.mktemp('mlflow'))}"


@pytest.fixture
def settings(shared, request) -> Settings:
    return Settings(tracking_uri=shared, experiment=request.node.name[:40], run_name="night run")


@pytest.fixture
def away(settings) -> Settings:
    return settings.model_copy(update={"tracking_uri": AWAY})


def steps(place: Path) -> list[Path]:
    return [
        save_step(place / "d", dataset_report(), "dataset", PARAMS.dataset),
        save_step(place / "t", training_report(), "training", PARAMS.training, {"head": "gru"}),
        save_step(place / "e", evaluation_report(), "evaluation", PARAMS.evaluation),
    ]


def points(settings: Settings, metric: str) -> list[tuple[int, float]]:
    client, experiment = mlflow_client.connect(settings)
    return [
        (point.step, point.value)
        for run in client.search_runs([experiment])
        for point in client.get_metric_history(run.info.run_id, metric)
    ]


def epoch(number: int, seconds: float = 1.5, fold: str = "holdout") -> dict:
    return {"kind": "epoch", "fold": fold, "epoch": number, "train_loss": 1 / number, "seconds": seconds}


def test_what_mlflow_does_not_take_waits_and_is_sent_in_order(settings, away, tmp_path):
    spool, folders = TrackingSpool(settings.spool), steps(tmp_path)
    recorder = RunRecorder(away, away, reached=True)
    for folder in folders:
        recorder.step(folder)
    recorder.end("FINISHED")
    assert isinstance(recorder.problem, TrackingError)
    (owed,) = spool.all()
    assert (owed.folders, owed.status, owed.server) == (tuple(folders), "FINISHED", AWAY)
    for _ in range(2):  # as after a kill before the document is gone
        assert send(owed, settings, spool).is_empty
    assert not list(spool.all())
    client, experiment = mlflow_client.connect(settings)
    found = {run.info.run_name: run for run in client.search_runs([experiment])}
    assert set(found) == {"night run", "thumbnail-gru"}
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert points(settings, "training.curve.train_loss") == [(1, 0.9), (2, 0.5), (3, 0.3)]


def test_a_resumed_run_sends_what_waits_before_its_own(settings, away, tmp_path):
    spool, (dataset, training, _) = TrackingSpool(settings.spool), steps(tmp_path)
    RunRecorder(away, away).step(dataset)
    recorder = RunRecorder(settings, away)
    recorder.step(training)
    assert recorder.problem is None
    assert not list(spool.all())
    client, experiment = mlflow_client.connect(settings)
    assert {run.info.run_name for run in client.search_runs([experiment])} == {"night run", "thumbnail-gru"}


def test_a_failed_run_is_told_later(settings, away):
    RunRecorder(away, away).end("FAILED", ("features", "the disk is full"))
    spool = TrackingSpool(settings.spool)
    (owed,) = spool.all()
    send(owed, settings, spool)
    client, experiment = mlflow_client.connect(settings)
    (run,) = client.search_runs([experiment])
    assert run.info.status == "FAILED"
    assert run.data.tags["reelflow.failure"] == "features: the disk is full"


def test_outputs_that_are_gone_do_not_hold_up_the_others(settings, away, tmp_path):
    spool, (dataset, training, _) = TrackingSpool(settings.spool), steps(tmp_path)
    recorder = RunRecorder(away, away)
    recorder.step(dataset)
    recorder.step(training)
    shutil.rmtree(dataset)
    told: list[dict] = []
    (owed,) = spool.all()
    with watched_by(told.append):
        assert send(owed, settings, spool).is_empty
    assert f"{dataset} is not recorded in MLflow" in told[0]["message"]
    assert points(settings, "training.curve.train_loss")


def test_the_oldest_run_comes_first_and_names_make_no_paths(tmp_path):
    spool = TrackingSpool(tmp_path)
    for since, run in [(3.0, "c"), (1.0, "../a b/ä"), (2.0, "")]:
        spool.keep(Owed(run=run, server=AWAY, experiment="e", since=since, folders=(tmp_path,)))
    assert [owed.run for owed in spool.all()] == ["../a b/ä", "", "c"]
    assert {path.parent for path in tmp_path.rglob("*.json")} == {tmp_path}


def test_an_address_is_kept_without_its_password(tmp_path, settings):
    spool, server = TrackingSpool(tmp_path), "https://ann:secret@mlflow.example"
    theirs = settings.model_copy(update={"tracking_uri": server})
    assert not spool.knows(theirs)
    spool.remember(theirs)
    spool.keep(Owed.of(theirs).with_folder(tmp_path))
    assert spool.knows(theirs)
    assert not spool.knows(settings)
    assert "secret" not in "".join(path.read_text() for path in tmp_path.rglob("*.json"))


def test_an_epoch_that_is_trained_again_is_one_point(settings):
    first = Curves(settings, TASK)
    first.add_all([epoch(1), epoch(2), epoch(2, seconds=9)])
    first.send()
    again = Curves(settings, TASK)  # another process, which has lost the events
    again.add_all([epoch(2, seconds=7), epoch(3)])
    again.send()
    assert points(settings, SECONDS) == [(1, 1.5), (2, 1.5), (3, 1.5)]
    assert not again.are_due


def test_a_long_curve_that_arrived_live_is_not_sent_again(settings, monkeypatch, tmp_path):
    epochs = 2 * SHORT_CURVE
    curves = Curves(settings, TASK)
    curves.add_all(epoch(number) for number in range(1, epochs - 9))
    curves.send()
    sent = []
    log_batch = MlflowClient.log_batch
    monkeypatch.setattr(
        MlflowClient,
        "log_batch",
        lambda client, run, metrics=(), **other: (
            sent.extend(metrics) or log_batch(client, run, metrics, **other)
        ),
    )
    losses = tuple(1 / number for number in range(1, epochs + 1))
    report = training_report(curves={"train_loss": losses}, epochs_run=epochs)
    record_folder(settings, save_step(tmp_path / "t", report, "training", PARAMS.training, {"head": "gru"}))
    assert [one.step for one in sent if one.key == "training.curve.train_loss"] == [
        *range(epochs - 9, epochs + 1)
    ]
    found = points(settings, "training.curve.train_loss")
    assert found == [*enumerate(losses, start=1)]


def samples(settings: Settings) -> dict[str, list[tuple[int, float, int]]]:
    """Step, value and milliseconds since 1970, by metric."""
    client, experiment = mlflow_client.connect(settings)
    (child,) = (run for run in client.search_runs([experiment]) if run.info.run_name == "thumbnail-gru")
    return {
        metric: [
            (point.step, point.value, point.timestamp)
            for point in client.get_metric_history(child.info.run_id, metric)
        ]
        for metric in (CPU, MEMORY)
    }


def attempt(file: EventFile, started: float, *samples: tuple[int, float]) -> None:
    """A training that is killed after some samples: seconds after its start, and percent."""
    file({"kind": "started", "time": started, "task": TASK})
    for after, percent in samples:
        figures = {"cpu_utilization_percentage": percent, "system_memory_usage_megabytes": 100.0 + after}
        file({"kind": "usage", "time": started + after, "task": TASK, "figures": figures})


@pytest.mark.parametrize("is_away", ["never", "first", "second", "always"])
def test_samples_of_a_resumed_training_are_sent_once_and_go_on_in_time(settings, away, tmp_path, is_away):
    events, spool = tmp_path / "events.jsonl", TrackingSpool(settings.spool)
    asked, (there, gone) = settings, (one.model_copy(update={"events": events}) for one in (settings, away))
    file = EventFile(events)
    attempt(file, START, (10, 50.0), (20, 50.0))
    RunRecorder(gone if is_away in ("first", "always") else there, asked).curves()
    attempt(file, START + 100, (10, 50.0))
    recorder = RunRecorder(gone if is_away in ("second", "always") else there, asked)
    recorder.curves()
    recorder.end("FINISHED")
    for owed in [*spool.all()] * 2:  # as after a kill before the document is gone
        send(owed, settings, spool)
    late = Curves(settings, TASK)
    figures = {"system_memory_usage_megabytes": 120.0}
    late.add_all([{"kind": "usage", "time": START + 20, "figures": figures}])
    late.send()
    assert not list(spool.all())
    assert samples(settings) == {
        CPU: [(after, 50.0, (START + after) * 1000) for after in (10, 20, 110)],
        MEMORY: [
            (after, megabytes, (START + after) * 1000)
            for after, megabytes in ((10, 110.0), (20, 120.0), (110, 110.0))
        ],
    }


def test_what_a_training_takes_has_the_names_of_mlflow(settings):
    curves = Curves(settings, TASK)
    with watched_by(curves.add), sampled(0.05):
        time.sleep(0.3)
    curves.send()
    client, experiment = mlflow_client.connect(settings)
    (child,) = client.search_runs([experiment], "attributes.run_name = 'thumbnail-gru'")
    monitors = (CPUMonitor(), DiskMonitor(), NetworkMonitor())
    for monitor in monitors:
        monitor.collect_metrics()
    theirs = {f"system/{name}" for monitor in monitors for name in monitor.metrics}
    assert theirs - child.data.metrics.keys() == {"system/system_memory_usage_percentage"}


def test_what_other_steps_take_is_not_told(settings):
    curves = Curves(settings)
    curves.add_all([{"kind": "started", "time": 1.0, "task": "features thumbnail"}])
    curves.add_all([{"kind": "usage", "time": 11.0, "figures": {"cpu_utilization_percentage": 5.0}}])
    assert not curves.are_due


def test_points_wait_while_mlflow_is_away(settings, away):
    curves = Curves(away, TASK)
    curves.add(epoch(1))
    with pytest.raises(TrackingError):
        curves.send()
    assert curves.are_due


def test_folds_have_curves_of_their_own():
    assert metric_name("holdout", "train_loss") == "training.curve.train_loss"
    assert metric_name("fold 2", "train_loss") == "training.fold 2.train_loss"
    assert metric_name("group ä/#", "seconds") == "training.group ___.seconds"


def test_curves_arrive_while_the_training_runs(settings, monkeypatch):
    monkeypatch.setattr(live, "EVERY_S", 0.02)
    with live_curves(settings, TASK):
        emit("epoch", **{name: value for name, value in epoch(1).items() if name != "kind"})
        deadline = time.monotonic() + 20
        while not points(settings, SECONDS):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        emit("epoch", **{name: value for name, value in epoch(2).items() if name != "kind"})
    assert points(settings, SECONDS) == [(1, 1.5), (2, 1.5)]


def test_a_training_neither_waits_nor_fails_when_mlflow_is_away(away, monkeypatch):
    monkeypatch.setattr(live, "EVERY_S", 0.02)
    started = time.monotonic()
    with live_curves(away, TASK):
        for number in range(1, 4):
            emit("epoch", **{name: value for name, value in epoch(number).items() if name != "kind"})
            time.sleep(0.05)
    assert time.monotonic() - started < 5
