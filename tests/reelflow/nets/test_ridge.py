"""Ridge regression agrees with scikit-learn's, wide or tall."""

import numpy as np
import pytest

from reelflow.nets.ridge import fit_path, fit_sharpness, log_loss, softmax


def made_up(rows: int, dims: int, classes: int):
    chance = np.random.default_rng(rows)
    truth = np.arange(rows) % classes
    places = chance.normal(size=(classes, dims))
    values = (chance.normal(size=(rows, dims)) + places[truth]).astype(np.float32)
    return values - values.mean(axis=0), truth


@pytest.mark.parametrize(("rows", "dims", "classes"), [(30, 200, 2), (200, 30, 5), (60, 60, 3)])
def test_weights_are_those_of_scikit_learn(rows, dims, classes):
    from sklearn.linear_model import Ridge

    values, truth = made_up(rows, dims, classes)
    penalties = (10.0, 1.0, 0.1)
    weights, bias = fit_path(values, truth, penalties, classes)
    assert weights.dtype == bias.dtype == np.float32
    assert weights.shape == (dims, len(penalties), classes)
    for place, penalty in enumerate(penalties):
        expected = Ridge(alpha=penalty).fit(values.astype(np.float64), np.eye(classes)[truth])
        np.testing.assert_allclose(weights[:, place], expected.coef_.T, atol=2e-4)
        np.testing.assert_allclose(bias, expected.intercept_, atol=1e-5)


def test_equal_rows_and_a_tiny_penalty_can_be_solved():
    values, truth = made_up(20, 50, 2)
    values, truth = np.repeat(values, 3, axis=0), np.repeat(truth, 3)
    weights, bias = fit_path(values, truth, [1e-12], 2)
    assert ((values @ weights[:, 0] + bias).argmax(axis=1) == truth).all()


def test_a_class_without_rows_gets_no_value():
    values, truth = made_up(20, 50, 2)
    weights, bias = fit_path(values, truth, [1.0], 3)
    np.testing.assert_array_equal(weights[:, 0, 2], 0)
    assert bias[2] == 0


def test_sharpness_has_the_lowest_loss():
    chance = np.random.default_rng(1)
    logits = chance.normal(size=(3000, 4)).astype(np.float32) * 3
    scores = softmax(logits)
    truth = (chance.random((3000, 1)) > scores.cumsum(axis=1)).sum(axis=1).clip(max=3)
    found = fit_sharpness(logits / 7, truth)
    assert found == pytest.approx(7, rel=0.1)
    best = log_loss(logits / 7 * found, truth)
    assert best < min(log_loss(logits / 7 * found * other, truth) for other in (0.8, 1.25))
    own = scores[np.arange(3000), truth]
    assert log_loss(logits, truth) == pytest.approx(-np.log(own).mean(), rel=1e-4)
