"""The gap between a random cut and the official lists: numbers, words, chart."""

from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.studies.comparison.chart import draw_cuts, save_cuts
from pipelines.studies.comparison.finding import finding
from pipelines.studies.comparison.gap import gap_between, gap_table, gaps
from pipelines.studies.ucf101.cuts import Cuts
from pipelines.studies.ucf101.results import ClassifierResult, read_results
from reelflow.artifacts.evaluations import Candidate
from reelflow.contracts import Interval
from reelflow.params import load_params
from tests.fake_reports import evaluation_report
from tests.fake_study import write_run

PAIR = ("pixels", "p3d_63")
EVALUATION = load_params(Path("params.study-b.yaml")).evaluation


def result(accuracy: float, low: float, high: float) -> ClassifierResult:
    report = evaluation_report(accuracy=accuracy)
    intervals = {**report.intervals, "accuracy": Interval(low=low, high=high)}
    return ClassifierResult(Candidate(Path(), report.model_copy(update={"intervals": intervals})))


def both(folder: Path, official: int, random: int) -> Cuts:
    """So many of 40 clips right; on the random cut groups have clips on both sides."""
    write_run(folder / "official", {PAIR: official})
    write_run(folder / "random", {PAIR: random}, straddling=True)
    return Cuts(*(read_results(folder / cut, [PAIR], EVALUATION) for cut in ("official", "random")))


def test_the_interval_of_the_gap_joins_both_intervals():
    gap = gap_between(result(0.6, 0.5, 0.7), result(0.9, 0.86, 0.93))
    assert gap.value == pytest.approx(0.3)
    assert gap.interval.low == pytest.approx(0.3 - (0.04**2 + 0.1**2) ** 0.5)
    assert gap.interval.high == pytest.approx(0.3 + (0.03**2 + 0.1**2) ** 0.5)
    assert gap.is_beyond_noise
    assert not gap_between(result(0.6, 0.5, 0.7), result(0.65, 0.5, 0.8)).is_beyond_noise


def test_a_certain_accuracy_still_leaves_the_other_s_noise():
    gap = gap_between(result(0.6, 0.5, 0.7), result(1.0, 1.0, 1.0))
    assert (round(gap.interval.low, 6), round(gap.interval.high, 6)) == (0.3, 0.5)


def test_the_gap_is_the_finding(tmp_path):
    cuts = both(tmp_path, official=20, random=38)
    assert gaps(cuts)[PAIR].value == pytest.approx(0.45)
    lead, official, random, gap = finding(cuts, {PAIR: Decimal("0.94")}, is_comparable=False)
    assert "higher accuracy in 1 of 1 classifiers, in 1 beyond noise; the mean gap is +0.4500.**" in lead
    assert official == (
        "Official lists: 0 of 40 test clips have others of their group in train or validation."
    )
    assert random.startswith(
        "Random cut: 32 of 40 test clips have others of their group in train or validation, such as"
    )
    assert gap.startswith("pixels with p3d_63: 0.5000 on the official lists, 0.9500 on the random cut")
    assert gap.endswith("beyond noise.")


def test_with_all_of_ucf101_it_is_said_which_cut_a_published_accuracy_is_near(tmp_path):
    cuts = both(tmp_path, official=20, random=38)
    assert (
        "the published 0.94 is nearer to ours on the random cut"
        in finding(cuts, {PAIR: Decimal("0.94")}, is_comparable=True)[-1]
    )
    assert (
        "the published 0.6 is nearer to ours on the official lists"
        in finding(cuts, {PAIR: Decimal("0.6")}, is_comparable=True)[-1]
    )


def test_a_lower_accuracy_on_the_random_cut_is_told_as_it_is(tmp_path):
    lead, *_ = finding(both(tmp_path, official=30, random=28), {}, is_comparable=False)
    assert "higher accuracy in 0 of 1 classifiers, in 0 beyond noise; the mean gap is -0.0500.**" in lead


def test_without_the_random_cut_there_is_no_gap(tmp_path):
    cuts = Cuts(both(tmp_path, official=20, random=38).official)
    assert gaps(cuts) == {}
    assert finding(cuts, {}, is_comparable=True) == [
        "The random cut was not run, on request (--no-random-cut): the gap is not known here."
    ]
    (row,) = gap_table(cuts, {}).rows
    assert row == (*PAIR, "", "0.5000", "0.4000", "0.6000", *("",) * 6, "40", "")


def test_the_chart_has_every_classifier_and_what_was_published(tmp_path):
    cuts = both(tmp_path, official=20, random=38)
    figure = draw_cuts(cuts, {PAIR: Decimal("0.9")})
    (axes,), (legend,) = figure.axes, figure.legends
    assert [text.get_text() for text in legend.texts] == ["official lists", "random cut", "published"]
    dots = [line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 1]
    assert dots == pytest.approx([0.5, 0.95, 0.9])
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        save_cuts(cuts, {}, tmp_path / name)
    assert (tmp_path / "one" / "cuts.png").read_bytes() == (tmp_path / "other" / "cuts.png").read_bytes()
