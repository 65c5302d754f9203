"""Features of several views: which one is learnt from, which ones are scored."""

from pathlib import Path

import numpy as np
import pytest

from components.training.learners.epochs import draw
from components.training.step import run
from reelflow.artifacts.predictions import read_predictions
from reelflow.errors import ParamsError
from reelflow.nets.examples import load_examples
from reelflow.nets.saved import load_head
from tests import fake_features as fake

LABELS = ("down", "up")
COUNTS = {"train": 12, "validation": 4, "test": 6}
VIEWS = ("plain", "flip", "earlier")
QUICK = {"learning_rate": 0.01, "epochs": 3, "units": 4, "dense_units": 8}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("inputs")
    clips = fake.make_clips(LABELS, COUNTS)
    dataset = fake.write_dataset(folder / "dataset", clips, LABELS)
    return {
        "dataset": dataset,
        "features": fake.write_features(folder / "features", clips, LABELS, views=VIEWS),
    }


def test_features_are_the_same_from_memory_and_from_their_files(inputs):
    (here, _), (there, _) = load_examples(**inputs), load_examples(**inputs, most_bytes=0)
    assert here.codes is not None
    assert there.codes is None
    rows, views = np.array([3, 0, 43, 3]), np.array([0, 2, 1, 1])
    np.testing.assert_array_equal(here.features(rows, views), there.features(rows, views))
    np.testing.assert_array_equal(here.features(rows), there.features(rows))
    assert not np.array_equal(here.features(rows), here.features(rows, views))


def test_every_clip_is_seen_once_an_epoch_in_a_view_drawn_for_it():
    order, views = draw(300, 3, np.random.default_rng((1, 2)))
    assert sorted(order) == list(range(300))
    assert np.bincount(views).min() > 70
    again, same = draw(300, 3, np.random.default_rng((1, 2)))
    assert order.tolist() == again.tolist()
    assert views.tolist() == same.tolist()
    assert views.tolist() != draw(300, 3, np.random.default_rng((1, 3)))[1].tolist()
    assert draw(4, 1, np.random.default_rng(1))[1].tolist() == [0] * 4


def train(folder: Path, inputs: dict[str, Path], head: str, **changes):
    folder.mkdir()
    params = fake.training_params(**QUICK | changes)
    return run(params, head=head, protocol="holdout", **inputs, model=folder)


def test_views_change_what_is_learnt(tmp_path, inputs):
    clips = fake.make_clips(LABELS, COUNTS)
    plain = fake.write_features(tmp_path / "features", clips, LABELS)
    several = train(tmp_path / "several", inputs, "single_frame")
    alone = train(tmp_path / "alone", inputs | {"features": plain}, "single_frame")
    assert several.curves["train_loss"] != alone.curves["train_loss"]
    assert several.views == alone.views == ("plain",)


@pytest.mark.parametrize("head", ["gru", "segment_linear"])
def test_scores_are_means_over_the_views_that_a_device_can_compute(tmp_path, inputs, head):
    report = train(tmp_path / "model", inputs, head, views="average")
    assert report.views == ("plain", "flip")
    examples, clips = load_examples(**inputs)
    rows = examples.rows_of([clip for clip in clips if clip.split == "test"])
    network = load_head(tmp_path / "model" / "model.keras")
    plain, flip = (network.predict_on_batch(examples.features(rows, view)) for view in (0, 1))
    scores = read_predictions(tmp_path / "model", report.test, classes=2)
    np.testing.assert_allclose(scores, (plain + flip) / 2, rtol=1e-5)
    assert not np.allclose(scores, plain, rtol=5e-5, atol=0)


def test_a_linear_head_scores_each_clip_once_however_many_views(tmp_path, inputs):
    report = train(tmp_path / "model", inputs, "segment_linear")
    assert len(report.validation.clip_ids) == 2 * (COUNTS["train"] + COUNTS["validation"])
    assert len(set(report.validation.clip_ids)) == len(report.validation.clip_ids)


@pytest.mark.parametrize("head", ["gru", "segment_linear"])
def test_a_head_may_see_all_views_at_once(tmp_path, inputs, head):
    clips = fake.make_clips(LABELS, COUNTS)
    features = fake.write_features(tmp_path / "features", clips, LABELS, views=("plain", "flip"))
    inputs = inputs | {"features": features}
    report = train(tmp_path / "model", inputs, head, views="beside")
    assert (report.views, report.beside) == (("plain", "flip"), True)
    examples, clips = load_examples(**inputs)
    rows = examples.rows_of([clip for clip in clips if clip.split == "test"])
    every = np.concatenate([examples.features(rows, view) for view in (0, 1)], axis=-1)
    scores = load_head(tmp_path / "model" / "model.keras").predict_on_batch(every)
    np.testing.assert_allclose(
        read_predictions(tmp_path / "model", report.test, classes=2), scores, atol=1e-6
    )


def test_views_that_no_device_computes_are_not_put_side_by_side(tmp_path, inputs):
    with pytest.raises(ParamsError, match="the features hold earlier, which no device can compute"):
        train(tmp_path / "model", inputs, "gru", views="beside")
