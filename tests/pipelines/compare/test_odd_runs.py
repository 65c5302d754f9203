"""Runs that others made, or named: brackets, equal names, groups of tasks, long lists."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from reelflow.settings import Settings
from reelflow.tracking.client import connect
from reelflow.tracking.runs import experiment as experiment_runs
from reelflow.tracking.tracker import CLASSIFIER_TAG
from tests.pipelines.compare.recorded import record, shown

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def test_brackets_in_names_are_no_markup(tracked: Path) -> None:
    """rich raised MarkupError for a run `[/red]x`, and left `[bold]` out."""
    record(tracked, "[/red]x", right=39)
    record(tracked, "[bold]y", right=20)
    told = shown("--out", tracked / "page.html")
    assert told.count("[/red]x") == 4  # figures, pair, what differs, conclusion
    assert "[bold]y, [/red]x" in told


def test_runs_of_one_name_are_told_apart(tracked: Path) -> None:
    """A person may rename runs on MLflow's page; the conclusion was that each is worse than another."""
    record(tracked, "a", right=39)
    record(tracked, "b", right=12)
    client, experiment = connect(Settings())
    ids = {}
    for run in client.search_runs([experiment], "tags.`reelflow.outcome` = 'done'"):
        ids[run.info.run_name] = run.info.run_id[:8]
        client.update_run(run.info.run_id, name="best")
    told = f"best ({ids['a']}) is better than the other run beyond noise."
    assert told in shown()
    assert told in shown(*ids.values())


def test_the_classifier_is_found_below_a_group_of_tasks(tracked: Path) -> None:
    """In KFP's tree a task's run may be a child of the run of its group, as of an exit handler."""
    record(tracked, "a", right=39)
    record(tracked, "b", right=12)
    client, experiment = connect(Settings())
    for parent in client.search_runs([experiment], "tags.`reelflow.outcome` = 'done'"):
        _move_below_a_group(client, experiment, parent.info.run_id)
    assert "a is better than the other run beyond noise." in shown()


def _move_below_a_group(client: MlflowClient, experiment: str, parent: str) -> None:
    (child,) = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'")
    group = client.create_run(experiment, tags={"mlflow.parentRunId": parent}, run_name="exit-handler-1")
    client.set_tag(child.info.run_id, "mlflow.parentRunId", group.info.run_id)
    client.set_tag(child.info.run_id, CLASSIFIER_TAG, f"{parent} {child.info.run_name}")


def test_a_run_behind_a_page_of_newer_ones_is_found(tracked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("old", "newer", "newest"):
        record(tracked, name, right=20)
    monkeypatch.setattr(experiment_runs, "MAX_RUNS", 2)
    assert "old, newest" in shown("old", "newest")


def test_why_runs_do_not_compare_is_told(tracked: Path) -> None:
    record(tracked, "a", right=20, labels=("[/b]", "<script>"))
    record(tracked, "b", right=20, labels=("x", "y"))
    assert "These runs cannot be compared: other classes." in shown()
