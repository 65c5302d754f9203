"""Finished runs side by side, from what is in MLflow alone."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipelines.__main__ import app
from reelflow.artifacts.evaluations import SCORES
from reelflow.errors import ParamsError
from reelflow.files import sha256_file, write_array
from reelflow.settings import Settings
from reelflow.tracking.records import record_folder
from tests.fake_reports import (
    PARAMS,
    dataset_report,
    evaluation_report,
    release_report,
    save_step,
    scored,
    training_report,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
CLIPS = 40
TRUTH = np.arange(CLIPS) % 2


@pytest.fixture
def tracked(empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an MLflow of its own."""
    uri = f"sqlite:///{shutil.copy(empty_database, tmp_path / 'mlflow.db')}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return tmp_path


def record(folder: Path, name: str, right: int, learning_rate: float = 0.001) -> None:
    """A finished run whose classifier names the first `right` clips correctly."""
    settings = Settings().model_copy(update={"run_name": name})
    place = folder / re.sub(r"\W", "_", name)
    answers = np.where(np.arange(CLIPS) < right, TRUTH, 1 - TRUTH)
    scores = np.eye(2, dtype=np.float32)[answers]
    place.mkdir()
    write_array(place / SCORES, scores)
    params = PARAMS.training.model_copy(update={"learning_rate": learning_rate})
    report = evaluation_report(
        training=training_report(test=scored(clips=CLIPS)),
        clip_ids=tuple(f"{number:016x}" for number in range(CLIPS)),
        truth=tuple(map(int, TRUTH)),
        groups=tuple(f"g{number // 2}" for number in range(CLIPS)),
        scores_sha256=sha256_file(place / SCORES),
        metrics={"accuracy": right / CLIPS, "macro_f1": 0.5},
    )
    release = release_report().model_copy(update={"name": report.name})
    steps = (
        (dataset_report(), "dataset", PARAMS.dataset),
        (training_report(), "training", params),
        (report, "evaluation", PARAMS.evaluation),
        (release, "release", PARAMS.release),
    )
    for one, step, section in steps:
        step_folder = save_step(place / step, one, step, section)
        if step == "evaluation":
            shutil.move(place / SCORES, step_folder / SCORES)
        record_folder(settings, step_folder)


def shown(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["compare", *map(str, arguments)])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def test_runs_are_compared_clip_by_clip(tracked: Path) -> None:
    record(tracked, "monday", right=20)
    record(tracked, "tuesday", right=39, learning_rate=0.01)
    record(tracked, "wednesday", right=38)
    told = shown("--out", tracked / "page.html")
    rows = [line for line in told.splitlines() if line.startswith("│")]
    assert [row.split("│")[1].strip() for row in rows[:3]] == ["wednesday", "tuesday", "monday"]
    assert "0.975" in told
    assert "tuesday, monday" in told
    assert "+47.5 points" in told
    assert "tuesday is better beyond noise" in told
    assert "no difference beyond noise" in told
    (differs,) = [row for row in rows if "training.learning_rate" in row]
    assert [cell.strip() for cell in differs.split("│")[2:5]] == ["0.001", "0.01", "0.001"]
    assert "training.epochs" not in told, "what is the same is not shown"
    page = (tracked / "page.html").read_text()
    assert page.count("<circle") == 3
    assert "tuesday is better beyond noise" in page
    assert "://" not in page.replace("http-equiv", "")


def test_runs_are_named_or_the_newest(tracked: Path) -> None:
    for name in ("monday", "tuesday", "wednesday"):
        record(tracked, name, right=30)
    assert "wednesday" not in shown("tuesday", "monday")
    assert "monday" not in shown("--last", 2)


def test_a_name_of_a_run_is_text_on_the_page(tracked: Path) -> None:
    record(tracked, "<script>alert(1)</script>", right=20)
    record(tracked, "tuesday", right=30)
    shown("--out", tracked / "page.html")
    assert "<script>" not in (tracked / "page.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("monday", "sunday"), "no finished run is called sunday; the newest are monday"),
        ((), "1 finished run(s) found, two are needed"),
    ],
)
def test_what_cannot_be_compared_is_told(tracked: Path, arguments: tuple[str, ...], told: str) -> None:
    record(tracked, "monday", right=20)
    failed = CliRunner().invoke(app, ["compare", *arguments]).exception
    assert isinstance(failed, ParamsError)
    assert told in str(failed)
