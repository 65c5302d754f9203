"""What MLflow's own page shows of a finished run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reelflow.settings import Settings
from reelflow.tracking import client as mlflow_client
from reelflow.tracking.facts.origin import commit
from reelflow.tracking.facts.spans import MS, Span
from reelflow.tracking.records import record_folder
from reelflow.tracking.spool.curves import Curves
from tests.fake_reports import (
    PARAMS,
    dataset_report,
    evaluation_report,
    release_report,
    save_step,
    training_report,
)
from tests.mlflow_page import VIEW, MlflowPage, mlflow_page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

NASTY = "<img src=x onerror=alert(1)> | class"
SPAN = Span(started_ms=1_700_000_000_000, ended_ms=1_700_000_010_500, machine="x86_64, 2 CPUs, 8 GB")


@pytest.fixture
def recorded(settings: Settings, tmp_path: Path) -> Settings:
    row = evaluation_report().per_class[0].model_copy(update={"label": NASTY})
    evaluated = evaluation_report(per_class=(row,))
    client, _ = mlflow_client.connect(settings)
    client.create_registered_model("reelflow")
    client.create_model_version("reelflow", "mlflow-artifacts:/x")
    for report, step, section in (
        (dataset_report(), "dataset", PARAMS.dataset),
        (training_report(), "training", PARAMS.training),
        (evaluated, "evaluation", PARAMS.evaluation),
        (release_report(explanation=f"better than {NASTY}"), "release", PARAMS.release),
    ):
        record_folder(settings, save_step(tmp_path / step, report, step, section), SPAN)
    curves = Curves(settings, "training thumbnail-gru")
    ends = range(SPAN.started_ms // MS + 10, SPAN.started_ms // MS + 40, 10)
    figures = {"cpu_utilization_percentage": 87.0, "system_memory_usage_megabytes": 1234.5}
    curves.add_all({"kind": "usage", "time": end, "figures": figures} for end in ends)
    curves.send()
    return settings


@pytest.fixture
def page(chromium: str, recorded: Settings, tmp_path: Path) -> Iterator[MlflowPage]:
    folder = tmp_path / "server"
    folder.mkdir()
    with mlflow_page(chromium, tmp_path / "mlflow.db", folder) as found:
        yield found


def test_the_page_shows_data_sets_source_commit_times_and_descriptions(page, settings):
    client, experiment = mlflow_client.connect(settings)
    runs = {run.info.run_name: run for run in client.search_runs([experiment])}
    page.open(f"#/experiments/{experiment}/runs?{VIEW}", "night run")
    page.show_columns("User", "Version", "Description")
    page.wait_for(lambda: commit()[:6] in page.text)
    shown = page.text
    for text in ("clips training", "clips validation", "clips test", "reelflow 0.1.0", "**thumbnail-gru**"):
        assert text in shown, text
    page.open(f"#/experiments/{experiment}/runs/{runs['thumbnail-gru'].info.run_id}?{VIEW}", "About this run")
    page.wait_for(lambda: "lowest classes" in page.text)
    shown = page.text
    assert "10.5s" in shown
    assert "accuracy 0.800 [0.70, 0.90] on 10 test clips of 5 groups" in shown
    assert NASTY in shown, "a name of a class is text"
    assert commit()[:7] in shown


def test_what_a_training_took_is_under_system_metrics(page, settings):
    client, experiment = mlflow_client.connect(settings)
    (child,) = client.search_runs([experiment], "attributes.run_name = 'thumbnail-gru'")
    page.open(f"#/experiments/{experiment}/runs/{child.info.run_id}?{VIEW}", "System metrics (2)")
    assert "system/cpu_utilization_percentage" in page.text
    path = f"#/experiments/{experiment}/runs/{child.info.run_id}/system-metrics?{VIEW}"
    page.open(path, "cpu_utilization_percentage")
    assert "system_memory_usage_megabytes" in page.text
    assert "train_loss" not in page.text


def test_a_link_in_a_description_leads_to_the_view_of_model_training(page, settings):
    page.open(f"#/models/reelflow/versions/1?{VIEW}", "promoted to champion")
    assert f"better than {NASTY}" in page.text
    client, _ = mlflow_client.connect(settings)
    note = client.get_model_version("reelflow", "1").description
    link = note.partition("[report](")[2].partition(")")[0]
    page.open(link, "night run")
    assert VIEW in page.url
    assert "artifacts/report/report.html" in page.url
