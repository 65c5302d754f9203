"""What MLflow shows of a classifier: its description, tables, and a run for each fold; once."""

import json
from pathlib import Path

import pytest
from mlflow.entities import Run

from reelflow.provenance.step import PROVENANCE, Provenance
from reelflow.settings import Settings
from reelflow.tracking import client as mlflow_client
from reelflow.tracking.facts.notes import MOST, classifier_note, release_note
from reelflow.tracking.facts.spans import Span
from reelflow.tracking.facts.tables import PREDICTIONS
from reelflow.tracking.records import NOTE_TAG, record_folder
from tests.fake_reports import (
    PARAMS,
    evaluation_report,
    made_up_folds,
    release_report,
    save_step,
    scored,
    summary_of,
    training_report,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

PROTOCOL = "group_kfold(2)"
SPAN = Span(started_ms=1_700_000_000_000, ended_ms=1_700_000_010_000, machine="x86_64, 2 CPUs, 8 GB")


def record(settings: Settings, folder: Path, **changes: object) -> dict[str, Run]:
    """A training and its evaluation, recorded twice; the runs by name."""
    tested = scored().model_copy(update={"folds": (0,) * 5 + (1,) * 5})
    training = training_report(protocol=PROTOCOL, folds=made_up_folds(PROTOCOL, 2), test=tested, **changes)
    save_step(folder / "t", training, "training", PARAMS.training)
    save_step(folder / "e", evaluation_report(training=training, **changes), "evaluation", PARAMS.evaluation)
    client, experiment = mlflow_client.connect(settings)
    for _ in range(2):
        record_folder(settings, folder / "t", SPAN)
        record_folder(settings, folder / "e", None)
    found = client.search_runs([experiment])
    runs = {run.info.run_name: run for run in found}
    assert len(runs) == len(found)
    return runs


def test_each_fold_is_a_run_below_its_classifier(settings, tmp_path):
    runs = record(settings, tmp_path)
    assert set(runs) == {"night run", "thumbnail-gru", "fold 1", "fold 2"}
    child = runs["thumbnail-gru"]
    for name in ("fold 1", "fold 2"):
        info, data = runs[name].info, runs[name].data
        assert data.tags["mlflow.parentRunId"] == child.info.run_id
        assert (info.start_time, info.end_time, info.status) == (SPAN.started_ms, SPAN.ended_ms, "FINISHED")
        assert data.metrics["train_clips"] == 12
        assert data.metrics["test_clips"] == 5
    accuracies = [runs[name].data.metrics["accuracy"] for name in ("fold 1", "fold 2")]
    assert accuracies == pytest.approx([1.0, 0.6])


def test_tables_are_read_by_mlflows_own_function(settings, tmp_path, monkeypatch):
    child = record(settings, tmp_path)["thumbnail-gru"]
    client, experiment = mlflow_client.connect(settings)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", settings.tracking_uri)  # `load_table` asks it, not its client
    tables = {
        entry["path"]: client.load_table(experiment, entry["path"], [child.info.run_id])
        for entry in json.loads(child.data.tags["mlflow.loggedArtifacts"])
    }
    assert set(tables) == {PREDICTIONS, "tables/per_class.json", "tables/confusion.json"}
    assert list(tables["tables/per_class.json"]["class"]) == ["falling", "rising"]
    assert tables["tables/confusion.json"].iloc[0].tolist()[:3] == ["falling", 5, 0]
    predictions = tables[PREDICTIONS]
    assert len(predictions) == 10, "once, though recorded twice"
    assert (predictions["actual"] == predictions["predicted"]).mean() == pytest.approx(0.8)
    assert set(predictions["fold"]) == {"fold 1", "fold 2"}


def test_the_description_of_a_classifier_names_figures_baselines_and_what_made_it(settings, tmp_path):
    note = record(settings, tmp_path)["thumbnail-gru"].data.tags[NOTE_TAG]
    assert r"**thumbnail-gru**: accuracy **0.800 [0.70, 0.90]** on 10 test clips of 5 groups" in note
    assert r"| metadata | 0.500 \[0.40, 0.60\] | +0.300 \[+0.05, +0.45\] | yes |" in note
    assert r"on x86\_64, 2 CPUs, 8 GB" in note
    assert r"Python 3.11" in note


def test_names_of_classes_are_text_and_long_descriptions_fit(tmp_path):
    nasty = "<img src=x onerror=alert(1)> | [x](javascript:alert(1))"
    row = evaluation_report().per_class[0].model_copy(update={"label": nasty})
    folder = save_step(tmp_path, evaluation_report(), "evaluation", PARAMS.evaluation)
    made = Provenance.read(folder / PROVENANCE)
    note = classifier_note(evaluation_report(per_class=(row,)), made, "")
    assert "<img" not in note
    assert "[x](" not in note
    report = release_report(warnings=("a long path " * 300,) * 4)
    note = release_note(report, summary_of(report), {"report": "#/a"})
    assert len(note) <= MOST
    assert note.endswith("more in the report")
    note = release_note(release_report(), summary_of(release_report()), {"report": "#/a", "lineage": "#/b"})
    assert "[report](#/a) · [lineage](#/b)" in note
    assert r"| thumbnail-gru | 0.800 \[0.70, 0.90\] | 0.800 |" in note
    assert r"| shortcut baseline metadata | 0.500 |" in note
