"""`segment_linear` is solved, its penalty chosen on whole groups, its weights set in the model."""

import numpy as np
import pytest

from reelflow.errors import DataError
from reelflow.nets.heads import build_head, is_linear
from reelflow.nets.linear import LinearFit, Standard, behind_summary, fit_linear, summaries_of
from reelflow.nets.runtime import seed_everything
from reelflow.nets.saved import load_head, save_head
from tests.fake_features import training_params

FRAMES, DIM = 7, 12
PENALTIES = (0.01, 1.0, 100.0)


def clips(count: int = 48, classes: int = 2, groups: int = 8, noise: float = 0.3):
    """Classes are directions of a ramp; each group adds an offset of its own, as a camera's place does."""
    chance = np.random.default_rng(count)
    truth = np.arange(count) % classes
    names = [f"g{place % groups}" for place in range(0, count * 7, 7)]
    ends = chance.normal(size=(classes, DIM))
    ramp = np.linspace(-1, 1, FRAMES)[None, :, None]  # (1, frames, 1)
    offset = {name: 3 + chance.normal(size=DIM) * 0.2 for name in sorted(set(names))}
    features = ramp * ends[truth][:, None] + chance.normal(0, noise, (count, FRAMES, DIM))
    features += np.stack([offset[name] for name in names])[:, None]
    return features.astype(np.float32), truth.astype(np.int64), names


def new_model(classes: int = 2, frames: int = FRAMES, dim: int = DIM, views: int = 1, **changes):
    seed_everything(1)
    params = training_params(penalties=PENALTIES, segments=3, **changes)
    model = build_head("segment_linear", frames=frames, dim=dim, classes=classes, params=params, views=views)
    return model, params


def fit(features, truth, groups, seed: int = 1, **changes) -> tuple[LinearFit, object]:
    model, params = new_model(int(truth.max()) + 1, features.shape[1], features.shape[2], **changes)
    batches = (features[start : start + 10] for start in range(0, len(features), 10))
    return fit_linear(model, summaries_of(model, batches), truth, groups, params, seed), model


@pytest.mark.parametrize("motion", [False, True])
@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("classes", [2, 5])
def test_it_learns_what_generalises_to_other_groups(classes, centered, motion, tmp_path):
    features, truth, groups = clips(classes=classes)
    found, model = fit(features, truth, groups, motion=motion, centered=centered)
    assert found.scores.shape == (len(truth), classes)
    assert found.scores.dtype == np.float32
    np.testing.assert_allclose(found.scores.sum(axis=1), 1, rtol=1e-5)
    assert found.accuracy == (found.scores.argmax(axis=1) == truth).mean() > 0.9
    own = found.scores[np.arange(len(truth)), truth].astype(np.float64)
    assert found.loss == pytest.approx(-np.log(own).mean(), rel=1e-3)
    assert found.penalty in PENALTIES
    others, _, _ = clips(count=48, classes=classes, noise=0.31)
    assert (model.predict_on_batch(others).argmax(axis=1) == truth).mean() > 0.9
    digest = save_head(model, tmp_path / "model.keras")
    loaded = load_head(tmp_path / "model.keras", sha256=digest)
    np.testing.assert_array_equal(loaded.predict_on_batch(others), model.predict_on_batch(others))


def test_the_same_rows_give_the_same_bytes_and_batches_do_not_matter(tmp_path):
    features, truth, groups = clips()
    first, model = fit(features, truth, groups)
    digest = save_head(model, tmp_path / "first.keras")
    again, model = fit(features, truth, groups)
    np.testing.assert_array_equal(first.scores, again.scores)
    assert save_head(model, tmp_path / "again.keras") == digest
    whole, params = new_model()
    in_one = fit_linear(whole, summaries_of(whole, [features]), truth, groups, params, 1)
    np.testing.assert_allclose(in_one.scores, first.scores, atol=1e-4)


def test_the_part_behind_the_summaries_has_the_weights_of_the_fit():
    features, truth, groups = clips()
    model, params = new_model()
    rest, rows = behind_summary(model), summaries_of(model, [features])
    fit_linear(model, rows, truth, groups, params, 1)
    np.testing.assert_allclose(rest.predict_on_batch(rows), model.predict_on_batch(features), atol=1e-6)


def test_no_row_is_scored_by_a_model_that_saw_its_group():
    """Labels without sense that each group's rows share: seen, they could be learnt by heart."""
    chance = np.random.default_rng(5)
    groups = [f"g{place // 6}" for place in range(120)]
    truth = np.repeat(chance.permutation([0, 1] * 10), 6)
    look = np.repeat(chance.normal(size=(20, 1, DIM)), 6, axis=0)
    features = (look + chance.normal(0, 0.01, (120, FRAMES, DIM))).astype(np.float32)
    honest, _ = fit(features, truth, groups)
    leaking, _ = fit(features, truth, [str(place) for place in range(120)])
    assert leaking.accuracy > 0.85
    assert honest.accuracy < 0.7


@pytest.mark.parametrize("noise", [0.3, 4.0])
def test_the_penalty_with_the_lowest_loss_is_taken(noise):
    features, truth, groups = clips(count=40, noise=noise)
    found, _ = fit(features, truth, groups)
    losses = {}
    for penalty in PENALTIES:
        model, params = new_model()
        params = params.model_copy(update={"penalties": (penalty,)})
        losses[penalty] = fit_linear(model, summaries_of(model, [features]), truth, groups, params, 1).loss
    assert found.loss == pytest.approx(min(losses.values()), abs=1e-4)
    assert losses[found.penalty] == min(losses.values())


def test_rows_that_are_all_right_do_not_make_certainty():
    features, truth, groups = clips(noise=0.02)
    found, _ = fit(features, truth, groups)
    assert found.accuracy == 1
    assert 0.9 < found.scores.max() < 1


def test_a_class_that_lives_in_one_group_is_never_right_but_learnt_in_the_end():
    features, truth, groups = clips(classes=3, noise=0.1)
    groups = ["lonely" if label == 2 else name for label, name in zip(truth, groups, strict=True)]
    found, model = fit(features, truth, groups)
    assert (found.scores[truth == 2].argmax(axis=1) != 2).all()
    assert np.isfinite(found.loss)
    assert (model.predict_on_batch(features).argmax(axis=1) == truth).all()


@pytest.mark.parametrize("name", [lambda label: "one", lambda label: f"group of {label}"])
def test_too_few_groups_are_refused(name):
    features, truth, _ = clips()
    with pytest.raises(DataError, match=r"come from one group .* add clips of other sources"):
        fit(features, truth, [name(label) for label in truth])


def test_few_clips_of_a_class_and_two_groups_will_do():
    features, truth, _ = clips(count=7, classes=3)
    found, _ = fit(features, truth, ["a", "b", "a", "b", "a", "b", "b"])
    assert np.isfinite(found.scores).all()


def test_many_classes():
    features, truth, groups = clips(count=606, classes=101, groups=6, noise=0.05)
    found, model = fit(features, truth, groups)
    assert found.accuracy > 0.5
    assert (model.predict_on_batch(features).argmax(axis=1) == truth).mean() > found.accuracy - 0.05


def test_features_that_never_change_do_no_harm():
    features, truth, groups = clips()
    features[:, :, 3] = 0.5
    found, model = fit(features, truth, groups)
    assert found.accuracy > 0.9
    assert np.isfinite(model.predict_on_batch(features)).all()
    fit(np.zeros_like(features), truth, groups)


def test_the_penalty_means_the_same_whatever_the_scale_of_features():
    features, truth, groups = clips()
    small, large = fit(features, truth, groups)[0], fit(features * 64, truth, groups)[0]
    assert small.penalty == large.penalty
    np.testing.assert_allclose(small.scores, large.scores, atol=1e-3)


def test_a_dimension_gone_astray_does_not_decide():
    features, truth, groups = clips()
    _, model = fit(features, truth, groups)
    expected = model.predict_on_batch(features)
    far, farther = features.copy(), features.copy()
    far[:, -1, 0], farther[:, -1, 0] = 1e4, 1e12
    np.testing.assert_allclose(model.predict_on_batch(far), model.predict_on_batch(farther), atol=1e-4)
    assert np.abs(model.predict_on_batch(far) - expected).max() > 1e-4


def test_standard_rows_have_mean_0_and_length_1():
    rows = np.random.default_rng(1).normal(5, [1, 2, 3, 4], (500, 4)).astype(np.float32)
    ready = Standard.of(rows)(rows)
    np.testing.assert_allclose(ready.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose((ready**2).sum(axis=1).mean(), 1, rtol=0.05)


def test_only_this_head_is_linear():
    assert is_linear("segment_linear")
    assert not is_linear("gru")
