"""Finished runs side by side, from what is in MLflow alone."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.__main__ import app
from reelflow.errors import ParamsError
from tests.pipelines.compare.recorded import CLIPS, record, shown

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


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
    assert "the first is better beyond noise" in told
    assert "no difference beyond noise" in told
    (differs,) = [row for row in rows if "training.learning_rate" in row]
    assert [cell.strip() for cell in differs.split("│")[2:5]] == ["0.001", "0.01", "0.001"]
    assert "training.epochs" not in told, "what is the same is not shown"
    page = (tracked / "page.html").read_text()
    assert page.count("<circle") == 3
    assert "the first is better beyond noise" in page
    assert "://" not in page.replace("http-equiv", "")


def cells_of(told: str, name: str) -> list[str]:
    """The row of a run in the first table."""
    return [
        cell.strip()
        for line in told.splitlines()
        if line.startswith(f"│ {name} ")
        for cell in line.split("│")
    ]


def test_time_of_a_frame_is_empty_where_it_was_not_measured(tracked: Path) -> None:
    record(tracked, "monday", right=30, released={"frame_ms": 7.25, "size_mb": 2.0})
    record(tracked, "tuesday", right=30)
    told = shown()
    assert cells_of(told, "monday")[7:9] == ["2", "7.25"]
    assert cells_of(told, "tuesday")[7:9] == ["", ""]


def test_it_says_what_follows_and_what_does_not(tracked: Path) -> None:
    record(tracked, "monday", right=20)
    record(tracked, "tuesday", right=39)
    told = shown("monday", "tuesday")
    assert "tuesday is better than the other run beyond noise." in told
    assert "monday is not clearly better than a shortcut: metadata, thumbnails." in told
    assert "tuesday is not clearly better" not in told
    assert "by chance" not in told, "one comparison"
    record(tracked, "wednesday", right=38)
    told = shown("--last", 3)
    assert "No run is better beyond noise than wednesday or tuesday." in told
    assert "3 comparisons: of 20 between equal runs, about one has p < 0.05 by chance." in told
    assert "None of these runs is better than another beyond noise." in shown("--last", 2)


@pytest.mark.slow
def test_runs_with_other_test_clips_are_compared_on_common_ones(tracked: Path) -> None:
    record(tracked, "monday", right=30)
    record(tracked, "tuesday", right=30, first_clip=10)
    told = shown()
    assert "were not tested on the same clips, so that their accuracies do not compare" in told
    assert f"│ {CLIPS - 10} " in told
    record(tracked, "wednesday", right=30, first_clip=CLIPS)
    told = shown("monday", "wednesday")
    assert "no test clips in common" in told
    assert "These runs cannot be compared: no two of them answered the same test clips." in told


@pytest.mark.slow
def test_runs_with_other_classes_are_not_compared(tracked: Path) -> None:
    record(tracked, "monday", right=30)
    record(tracked, "tuesday", right=30, labels=("falling", "sitting"))
    assert re.search(r"│ tuesday, monday +│ 0 +│ +│ +│ other classes +│", shown())


def test_a_run_whose_answers_are_gone_keeps_its_figures(tracked: Path) -> None:
    record(tracked, "monday", right=30)
    record(tracked, "tuesday", right=30)
    kept = list(tracked.rglob("artifacts/evaluation/scores.npy"))
    assert len(kept) == 2
    kept[0].write_bytes(b"")
    told = shown()
    assert "0.750, no interval" in told
    assert "answers are not in MLflow" in told
    assert re.search("MLflow has no answers to test clips of (monday|tuesday): only figures", told)


def test_a_run_that_is_named_twice_is_one(tracked: Path) -> None:
    record(tracked, "monday", right=30)
    failed = CliRunner().invoke(app, ["compare", "monday", "monday"]).exception
    assert isinstance(failed, ParamsError)
    assert "1 finished run(s) found" in str(failed)


@pytest.mark.slow
def test_runs_are_named_or_the_newest(tracked: Path) -> None:
    for name in ("monday", "tuesday", "wednesday"):
        record(tracked, name, right=30)
    assert "wednesday" not in shown("tuesday", "monday")
    assert "monday" not in shown("--last", 2)


@pytest.mark.slow
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
