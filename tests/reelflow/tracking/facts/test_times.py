"""Runs in MLflow have the times of the work, whenever they are recorded, and however often."""

from pathlib import Path

import pytest

from reelflow.settings import Settings
from reelflow.tracking import client as mlflow_client
from reelflow.tracking.facts.spans import Span, span_of
from reelflow.tracking.records import finish_run, record_folder
from reelflow.tracking.spool.curves import Curves
from reelflow.tracking.spool.owed import Owed, TrackingSpool
from reelflow.tracking.spool.sending import send
from tests.fake_reports import (
    PARAMS,
    dataset_report,
    evaluation_report,
    release_report,
    save_step,
    training_report,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

DATASET = Span(started_ms=1_700_000_000_000, ended_ms=1_700_000_002_000)
TRAINING = Span(started_ms=1_700_000_003_000, ended_ms=1_700_000_013_500)
EVALUATION = Span(started_ms=1_700_000_014_000, ended_ms=1_700_000_016_000)
RELEASE = Span(started_ms=1_700_000_020_000, ended_ms=1_700_000_021_000)


def steps(folder: Path) -> dict[Path, Span]:
    """Folders of a run in the order of the work."""
    return {
        save_step(folder / "d", dataset_report(), "dataset", PARAMS.dataset): DATASET,
        save_step(folder / "t", training_report(), "training", PARAMS.training): TRAINING,
        save_step(folder / "e", evaluation_report(), "evaluation", PARAMS.evaluation): EVALUATION,
        save_step(folder / "r", release_report(version=0), "release", PARAMS.release): RELEASE,
    }


def times(settings: Settings) -> dict[str, tuple[int, int | None]]:
    client, experiment = mlflow_client.connect(settings)
    found = client.search_runs([experiment])
    assert len(found) == len({run.info.run_name for run in found})
    return {run.info.run_name: (run.info.start_time, run.info.end_time) for run in found}


EXPECTED = {
    "night run": (DATASET.started_ms, RELEASE.ended_ms),
    "thumbnail-gru": (TRAINING.started_ms, TRAINING.ended_ms),
}


def test_runs_have_the_times_of_the_work_however_often_they_are_recorded(settings, tmp_path):
    for _ in range(2):
        for folder, span in steps(tmp_path).items():
            record_folder(settings, folder, span)
        assert times(settings) == EXPECTED


def test_a_replay_hours_later_gives_the_same_times(settings, tmp_path):
    owed = Owed.of(settings).but(status="FINISHED", ended_ms=RELEASE.ended_ms)
    for folder, span in steps(tmp_path).items():
        owed = owed.with_folder(folder, span)
    spool = TrackingSpool(settings.spool)
    spool.keep(owed)
    (kept,) = spool.all()
    assert kept == owed
    assert send(kept, settings, spool).is_empty
    assert times(settings) == EXPECTED


def test_work_that_a_cache_spared_takes_no_time_of_the_run_that_reuses_it(settings, tmp_path):
    folders = steps(tmp_path)
    for folder, span in folders.items():
        record_folder(settings, folder, span)
    second = settings.model_copy(update={"run_name": "second night"})
    for folder in list(folders)[1:3]:
        record_folder(second, folder, None)
    client, experiment = mlflow_client.connect(settings)
    reused = max(client.search_runs([experiment]), key=lambda run: run.info.start_time)
    assert reused.info.run_name == "thumbnail-gru"
    assert reused.info.start_time > RELEASE.ended_ms
    assert reused.info.end_time - reused.info.start_time < 60_000


def test_a_training_whose_run_fails_afterwards_keeps_its_times(settings, tmp_path):
    folders = steps(tmp_path)
    for folder in list(folders)[:2]:
        record_folder(settings, folder, folders[folder])
    finish_run(settings, "FAILED")
    assert times(settings)["thumbnail-gru"] == EXPECTED["thumbnail-gru"]
    client, experiment = mlflow_client.connect(settings)
    assert {run.info.status for run in client.search_runs([experiment])} == {"FAILED"}


def test_a_run_that_live_curves_make_begins_with_its_work(settings, tmp_path):
    curves = Curves(settings)
    curves.add({"kind": "started", "task": "training thumbnail-gru", "time": TRAINING.started_ms / 1000})
    epoch = {"kind": "epoch", "fold": "holdout", "epoch": 1, "train_loss": 0.5, "seconds": 1.0}
    curves.add(epoch | {"time": TRAINING.started_ms / 1000 + 5})
    curves.send()
    folders = steps(tmp_path)
    for folder in list(folders)[1:3]:
        record_folder(settings, folder, folders[folder])
    assert times(settings)["thumbnail-gru"] == EXPECTED["thumbnail-gru"]


def test_an_event_tells_the_span_of_work_that_was_done():
    event = {"kind": "finished", "time": 1_700_000_013.5, "seconds": 10.5, "reused": False, "machine": "m"}
    assert span_of(event) == TRAINING.model_copy(update={"machine": "m"})
    assert span_of(event | {"reused": True}) is None
    assert span_of({"kind": "started", "time": 1.0, "task": "training"}) is None
