"""Intervals, calibration and baselines of made-up scores."""

from pathlib import Path

import pytest

from components.evaluation.inputs import read_inputs
from components.evaluation.report import measure
from reelflow.contracts import EvaluationReport
from reelflow.params import load_params
from tests import fake_features as fake
from tests import fake_scores

LABELS = ("down", "up")
PARAMS = load_params(Path("params.yaml")).evaluation.model_copy(update={"resamples": 400})


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("inputs")
    dataset, features = fake.write_both(folder, counts={"train": 2, "validation": 60, "test": 40})
    baselines = fake_scores.write_baselines(folder / "baselines", dataset)
    return {"dataset": dataset, "features": features, "baselines": baselines}


def report_of(folder: Path, inputs: dict[str, Path], protocol: str = "holdout", **how) -> EvaluationReport:
    """Measure made-up scores."""
    model = fake_scores.write_training(
        folder / "model", inputs["dataset"], inputs["features"], protocol=protocol, **how
    )
    params = PARAMS.model_copy(update={"protocol": protocol})
    return measure(params, read_inputs(protocol=protocol, model=model, **inputs), "0" * 64)


def test_every_headline_figure_lies_in_its_interval(tmp_path, inputs):
    report = report_of(tmp_path, inputs, right=0.8)
    assert report.intervals.keys() == {"accuracy", "top5_accuracy", "macro_f1"}
    for name, interval in report.intervals.items():
        assert interval.low <= report.metrics[name] <= interval.high
    assert report.intervals["top5_accuracy"].low == 1  # of two classes, two answers are right
    accuracy = report.intervals["accuracy"]
    assert 0.65 < accuracy.low < 0.8 < accuracy.high < 0.95
    assert (report.metrics["accuracy_low"], report.metrics["accuracy_high"]) == (accuracy.low, accuracy.high)


def test_a_baseline_is_compared_clip_by_clip_whatever_its_order(tmp_path, inputs):
    report = report_of(tmp_path, inputs, right=0.8)
    metadata, thumbnails = report.baselines
    assert (metadata.name, thumbnails.name) == ("metadata", "thumbnails")
    assert metadata.accuracy == report.metrics["baseline_metadata_accuracy"] == 0.5
    assert thumbnails.accuracy == pytest.approx(0.6, abs=0.02)
    assert metadata.difference == pytest.approx(0.3)
    assert metadata.difference_interval.low < metadata.difference < metadata.difference_interval.high
    assert metadata.clearly_above


def test_a_model_that_only_knows_the_shortcut_is_not_clearly_above_it(tmp_path, inputs):
    baselines = fake_scores.write_baselines(
        tmp_path / "baselines", inputs["dataset"], right={"metadata": 0.75, "thumbnails": 0.5}
    )
    report = report_of(tmp_path, inputs | {"baselines": baselines}, right=0.8)
    metadata, thumbnails = report.baselines
    assert metadata.difference > 0
    assert not metadata.clearly_above
    assert thumbnails.clearly_above


def test_a_lead_in_both_of_two_groups_is_not_clear_if_it_is_of_four_clips(tmp_path):
    clips = fake.make_clips(LABELS, {"train": 2, "validation": 4, "test": 10})
    halves = ("one", "other")
    clips = [
        clip.model_copy(update={"group": halves[place % 2]}) if clip.split == "test" else clip
        for place, clip in enumerate(clips)
    ]
    dataset = fake.write_dataset(tmp_path / "dataset", clips, LABELS)
    features = fake.write_features(tmp_path / "features", clips, LABELS)
    baselines = fake_scores.write_baselines(tmp_path / "baselines", dataset)
    inputs = {"dataset": dataset, "features": features, "baselines": baselines}
    few, many = (report_of(tmp_path / str(right), inputs, right=right).baselines[1] for right in (0.8, 1.0))
    assert few.difference_interval.low > 0
    assert (few.clearly_above, many.clearly_above) == (False, True)


def test_scores_that_are_too_sure_are_spread_out(tmp_path, inputs):
    report = report_of(tmp_path, inputs, sureness=6)
    found = report.calibration
    assert found.temperature > 1.5
    assert found.error < found.error_before / 1.5
    assert report.metrics["calibration_error"] == found.error
    assert sum(row.clips for row in found.bins) == 80


def test_answers_are_rejected_until_the_validation_clips_reach_the_target(tmp_path, inputs):
    easy = report_of(tmp_path / "easy", inputs, validated=1.0).calibration
    assert (easy.reject_below, easy.target_met, easy.accepted) == (0, True, 1)
    assert easy.accepted_accuracy == pytest.approx(0.8, abs=0.02)
    hard = report_of(tmp_path / "hard", inputs, right=0.7, validated=0.8).calibration
    assert hard.target_met
    assert 0.5 < hard.reject_below < 1
    assert 0 < hard.accepted < 1
    none = report_of(tmp_path / "none", inputs, validated=0.0).calibration
    assert (none.reject_below, none.target_met) == (0, False)


def test_test_clips_calibrate_nothing(tmp_path, inputs):
    one, other = (report_of(tmp_path / str(right), inputs, right=right).calibration for right in (0.6, 0.95))
    assert (one.temperature, one.reject_below) == (other.temperature, other.reject_below)
    assert one.error != other.error


@pytest.mark.parametrize("protocol", ["group_kfold(4)", "leave_one_group_out"])
def test_folds_are_pooled(tmp_path, protocol):
    dataset, features = fake.write_both(tmp_path, counts={"train": 6, "validation": 2, "test": 4})
    baselines = fake_scores.write_baselines(tmp_path / "baselines", dataset, protocol=protocol)
    inputs = {"dataset": dataset, "features": features, "baselines": baselines}
    report = report_of(tmp_path, inputs, protocol, right=0.75)
    assert len(set(report.clip_ids)) == 24
    assert len(set(report.groups)) == 12
    assert report.metrics["accuracy"] == 0.75
    assert report.training.protocol == protocol


def test_one_group_of_test_clips_still_has_an_interval(tmp_path):
    clips = fake.make_clips(LABELS, {"train": 2, "validation": 4, "test": 10})
    clips = [clip.model_copy(update={"group": clip.split}) for clip in clips]
    dataset = fake.write_dataset(tmp_path / "dataset", clips, LABELS)
    features = fake.write_features(tmp_path / "features", clips, LABELS)
    baselines = fake_scores.write_baselines(tmp_path / "baselines", dataset)
    report = report_of(tmp_path, {"dataset": dataset, "features": features, "baselines": baselines})
    assert report.intervals["accuracy"].high - report.intervals["accuracy"].low > 0.2
