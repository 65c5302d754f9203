"""Candidates side by side: found, compared, refused."""

from pathlib import Path

import pytest

from reelflow.artifacts.evaluations import best_candidate, read_candidates
from reelflow.errors import BundleError
from tests.fake_reports import evaluation_report, training_report


def write(parent: Path, head: str, accuracy=0.5, loss=1.0, protocol="holdout", **changes) -> Path:
    folder = parent / f"thumbnail-{head}"
    folder.mkdir(parents=True)
    metrics = {"validation_accuracy": accuracy, "validation_loss": loss}
    training = training_report(head, protocol=protocol)
    evaluation_report(head, metrics=metrics, training=training, **changes).save(folder)
    return folder


def test_candidates_of_separate_evaluations_are_found_by_name(tmp_path):
    write(tmp_path / "two", "lstm")
    write(tmp_path / "one", "gru")
    assert [found.name for found in read_candidates(tmp_path)] == ["thumbnail-gru", "thumbnail-lstm"]


@pytest.mark.parametrize(
    ("gru", "lstm", "best"),
    [
        ((0.9, 2.0), (0.8, 1.0), "thumbnail-gru"),
        ((0.8, 2.0), (0.8, 1.0), "thumbnail-lstm"),
        ((0.8, 1.0), (0.8, 1.0), "thumbnail-gru"),
    ],
)
def test_the_best_has_the_highest_accuracy_then_the_lowest_loss_then_the_first_name(
    tmp_path, gru, lstm, best
):
    write(tmp_path, "gru", *gru)
    write(tmp_path, "lstm", *lstm)
    assert best_candidate(read_candidates(tmp_path)).name == best


def test_copies_count_once(tmp_path):
    first = write(tmp_path / "one", "gru")
    write(tmp_path / "two", "gru")
    (found,) = read_candidates(tmp_path)
    assert found.model == first / "training" / "model.keras"
    assert found.backbone_weights == first / "features" / "backbone.weights.h5"


def test_a_damaged_one_that_is_not_asked_for_is_left_out(tmp_path):
    write(tmp_path, "gru")
    (write(tmp_path, "lstm") / "evaluation.json").write_text("{}")
    assert [found.name for found in read_candidates(tmp_path, "thumbnail-gru")] == ["thumbnail-gru"]
    with pytest.raises(BundleError, match="thumbnail-lstm"):
        read_candidates(tmp_path)


def test_two_of_one_name_that_differ_are_refused(tmp_path):
    write(tmp_path / "one", "gru", 0.5)
    write(tmp_path / "two", "gru", 0.6)
    with pytest.raises(BundleError, match="differ"):
        read_candidates(tmp_path)


@pytest.mark.parametrize(
    "other", [{"data_hash": "b" * 64}, {"labels": ("x", "z")}, {"protocol": "group_kfold(5)"}]
)
def test_candidates_of_other_clips_are_refused(tmp_path, other):
    write(tmp_path, "gru")
    write(tmp_path, "lstm", **other)
    with pytest.raises(BundleError, match="measured on other clips"):
        read_candidates(tmp_path)


def test_a_head_that_is_no_longer_in_the_params_is_no_candidate(tmp_path):
    write(tmp_path, "gru", accuracy=0.9, data_hash="b" * 64)
    write(tmp_path, "lstm", accuracy=0.5)
    (found,) = read_candidates(tmp_path, "thumbnail-lstm")
    assert found.name == "thumbnail-lstm"
    with pytest.raises(BundleError, match=r"no evaluation of thumbnail-tcn below .* run the evaluation step"):
        read_candidates(tmp_path, "thumbnail-lstm,thumbnail-tcn")


def test_nothing_evaluated_is_an_error(tmp_path):
    with pytest.raises(BundleError, match="no evaluated classifier below"):
        read_candidates(tmp_path)


def test_altered_scores_are_refused(tmp_path):
    folder = write(tmp_path, "gru")
    (candidate,) = read_candidates(tmp_path)
    with pytest.raises(BundleError, match=r"scores\.npy"):
        candidate.scores()
    (folder / "scores.npy").write_bytes(b"other")
    with pytest.raises(BundleError, match=r"scores\.npy"):
        candidate.scores()


def test_heads_are_compared_on_clips_that_all_have_scored(tmp_path):
    """Linear heads have scored their training clips as well; a neural head has not."""
    for head, accuracy, crossed in (("segment_linear", 0.6, 0.9), ("tile_linear", 0.7, 0.8)):
        metrics = {"cross_validation_accuracy": crossed, "cross_validation_loss": 1.0}
        metrics |= {"validation_accuracy": accuracy, "validation_loss": 1.0}
        folder = tmp_path / f"thumbnail-{head}"
        folder.mkdir(parents=True)
        evaluation_report(head, metrics=metrics, training=training_report(head)).save(folder)
    assert best_candidate(read_candidates(tmp_path)).name == "thumbnail-segment_linear"
    write(tmp_path, "gru", accuracy=0.65)
    assert best_candidate(read_candidates(tmp_path)).name == "thumbnail-tile_linear"
