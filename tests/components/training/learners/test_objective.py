"""What training minimises."""

import numpy as np
import pytest

from components.training.learners.graph import Stepper, scorer
from components.training.learners.objective import distributions, is_right, loss_of, measure
from reelflow.nets.heads import build_head
from tests import fake_features as fake

TEACHER = np.array([[0.9, 0.08, 0.02], [0.2, 0.5, 0.3]], np.float32)
SCORES = np.array([[0.6, 0.3, 0.1], [0.1, 0.7, 0.2]], np.float32)
TRUTH = np.array([0, 2])


def loss(targets: np.ndarray, params, *, is_taught: bool) -> float:
    return float(np.mean(loss_of(params, is_taught=is_taught)(targets, SCORES)))


def cross_entropy(targets: np.ndarray, scores: np.ndarray) -> float:
    return float(-(targets * np.log(scores)).sum(axis=1).mean())


def test_without_anything_else_it_is_cross_entropy_with_the_labels():
    params = fake.training_params()
    targets = distributions(TRUTH, 3, params, teacher=None)
    expected = -np.log([0.6, 0.2]).mean()
    assert loss(targets, params, is_taught=False) == pytest.approx(expected, rel=1e-5)
    assert np.array(is_right(targets, SCORES)).tolist() == [1, 0]


def test_smoothed_labels_are_the_targets():
    params = fake.training_params(label_smoothing=0.3)
    targets = distributions(TRUTH, 3, params, teacher=None)
    np.testing.assert_allclose(targets[0], [0.8, 0.1, 0.1, 0, 0, 0], rtol=1e-6)
    expected = cross_entropy(targets[:, :3], SCORES)
    assert loss(targets, params, is_taught=False) == pytest.approx(expected, rel=1e-5)
    assert np.array(is_right(targets, SCORES)).tolist() == [1, 0]


def test_a_teacher_s_part_is_softened_on_both_sides_and_scaled():
    params = fake.training_params(teacher_weight=0.7, teacher_temperature=3)
    targets = distributions(TRUTH, 3, params, TEACHER)

    def softened(values: np.ndarray) -> np.ndarray:
        powers = values ** (1 / 3)
        return powers / powers.sum(axis=1, keepdims=True)

    hard, soft = cross_entropy(np.eye(3)[TRUTH], SCORES), cross_entropy(softened(TEACHER), softened(SCORES))
    assert loss(targets, params, is_taught=True) == pytest.approx(0.3 * hard + 0.7 * 9 * soft, rel=1e-5)
    assert np.array(is_right(targets, SCORES)).tolist() == [1, 0]


def stepper(**changes):
    params = fake.training_params(dropout=0, dense_units=4, **changes)
    network = build_head("single_frame", frames=5, dim=8, classes=3, params=params)
    return network, Stepper(network, params, is_taught=False)


def test_the_rate_falls_as_the_study_says():
    _, step = stepper(learning_rate=0.1, decay=0.5)
    targets = distributions(TRUTH, 3, fake.training_params(), teacher=None)
    rates = []
    for _ in range(3):
        rates.append(float(step.optimizer.learning_rate))
        step(np.ones((2, 5, 8), np.float32), targets)
    assert type(step.optimizer).__name__ == "Adam"
    assert rates == pytest.approx([0.1, 0.1 / 1.5, 0.1 / 2])


def test_weight_decay_spares_biases_and_norms():
    network, step = stepper(weight_decay=0.5, learning_rate=0.1)
    before = {variable.path: variable.numpy() for variable in network.trainable_variables}
    step.optimizer.apply([np.zeros_like(value) for value in before.values()])
    for variable in network.trainable_variables:
        left = 1 - 0.1 * 0.5 if variable.name == "kernel" else 1
        np.testing.assert_allclose(variable.numpy(), before[variable.path] * left, rtol=1e-5)


def test_one_graph_takes_batches_of_every_size():
    network, _ = stepper()
    features, score = np.random.default_rng(1).random((7, 5, 8), np.float32), scorer(network)
    parts = [score(features[:1]), score(features[1:4]), score(features[4:])]
    np.testing.assert_allclose(np.concatenate(parts), score(features), atol=1e-6)


def test_a_teachers_score_of_zero_is_softened_to_something_finite():
    params = fake.training_params(teacher_temperature=4)
    targets = distributions(np.array([0]), 3, params, np.array([[1, 0, 0]], np.float32))
    softened = targets[:, 3:]
    assert softened.sum() == pytest.approx(1)
    assert (softened > 0).all()
    assert targets.dtype == np.float32


def test_measures_are_of_the_labels():
    loss, accuracy = measure(TEACHER, TRUTH)
    assert loss == pytest.approx(-np.log([0.9, 0.3]).mean(), rel=1e-6)
    assert accuracy == 0.5
    assert measure(np.array([[1, 0, 0]], np.float32), np.array([1]))[0] == pytest.approx(-np.log(1e-7))
