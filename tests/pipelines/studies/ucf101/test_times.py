"""Seconds of trainings from the events of a run."""

import json
from pathlib import Path

import pytest

from pipelines.studies.ucf101.results import ClassifierResult
from pipelines.studies.ucf101.times import TrainingTime, kept_time, training_times
from reelflow.artifacts.evaluations import Candidate
from tests.fake_reports import evaluation_report

TASK = "training thumbnail-gru"


def started(time: float, task: str = TASK) -> dict[str, object]:
    return {"kind": "started", "time": time, "task": task}


def epoch(time: float) -> dict[str, object]:
    return {"kind": "epoch", "time": time, "epoch": 1}


def finished(time: float, *, reused: bool = False, task: str = TASK) -> dict[str, object]:
    return {"kind": "finished", "time": time, "task": task, "reused": reused}


def write(folder: Path, *events: dict[str, object]) -> Path:
    path = folder / "events.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events) + '{"kind": "fin')
    return path


def test_an_epoch_is_the_median_from_end_to_end(tmp_path):
    events = write(
        tmp_path,
        *(started(0, "dataset"), finished(9, task="dataset")),
        *(started(10), epoch(20), epoch(22), epoch(25), epoch(90), finished(95)),
        *(started(95, "evaluation thumbnail-gru"), finished(200, task="evaluation thumbnail-gru")),
    )
    assert training_times(events) == {TASK: TrainingTime(total_s=85, epoch_s=3)}


def test_a_killed_attempt_counts_to_its_last_sign_of_life(tmp_path):
    events = write(
        tmp_path,
        *(started(0), epoch(10), epoch(14)),
        *(started(1000), {"kind": "notice", "time": 1001, "message": "resumes"}, epoch(1006), finished(1010)),
    )
    assert training_times(events)[TASK] == TrainingTime(total_s=14 + 10, epoch_s=4)


def test_a_reused_training_says_nothing_about_its_time(tmp_path):
    events = write(tmp_path, started(0), finished(1, reused=True))
    assert training_times(events)[TASK] == TrainingTime()
    events = write(
        tmp_path, started(0), epoch(5), epoch(7), finished(9), started(50), finished(51, reused=True)
    )
    assert training_times(events)[TASK] == TrainingTime(total_s=9, epoch_s=2)


def test_one_epoch_has_no_time_and_a_run_without_events_no_trainings(tmp_path):
    assert training_times(write(tmp_path, started(0), epoch(5), finished(9)))[TASK].epoch_s is None
    assert training_times(tmp_path / "missing.jsonl") == {}
    (tmp_path / "damaged.jsonl").write_text('[]\n{"kind": "epoch"}\nnull\n')
    assert training_times(tmp_path / "damaged.jsonl") == {}
    assert training_times(write(tmp_path, started(0), finished(2)))[TASK].total_s == pytest.approx(2)


def test_a_time_outlives_the_events_for_the_same_model(tmp_path):
    path, time = tmp_path / "kept" / "thumbnail-gru.json", TrainingTime(total_s=9, epoch_s=2)
    same = ClassifierResult(Candidate(tmp_path, evaluation_report()))
    other = ClassifierResult(Candidate(tmp_path, evaluation_report(model_sha256="ab" * 32)))
    assert kept_time(TrainingTime(), same, path) == TrainingTime()
    assert kept_time(time, same, path) == time
    assert kept_time(TrainingTime(), same, path) == time
    assert kept_time(TrainingTime(), other, path) == TrainingTime()
