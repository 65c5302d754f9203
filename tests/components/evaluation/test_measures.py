"""Measures against values counted by hand."""

import numpy as np
import pytest

from components.evaluation import measures

# true classes 0 0 0 1 1 2; predicted 0 0 1 1 2 2
TRUTH = np.array([0, 0, 0, 1, 1, 2])
SCORES = np.array(
    [[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.4, 0.5, 0.1], [0.1, 0.8, 0.1], [0.3, 0.2, 0.5], [0.2, 0.2, 0.6]],
    dtype=np.float32,
)
LABELS = ("a", "b", "c")


def test_top_k_accuracy():
    assert measures.top_k_accuracy(SCORES, TRUTH, 1) == pytest.approx(4 / 6)
    assert measures.top_k_accuracy(SCORES, TRUTH, 2) == pytest.approx(5 / 6)
    assert measures.top_k_accuracy(SCORES, TRUTH, 3) == 1


def test_confusion_has_true_classes_in_rows():
    expected = [[2, 1, 0], [0, 1, 1], [0, 0, 1]]
    np.testing.assert_array_equal(measures.confusion(SCORES, TRUTH), expected)


def test_per_class():
    rows = measures.per_class(SCORES, TRUTH, LABELS)
    found = [(row.label, row.precision, row.recall, row.f1, row.support) for row in rows]
    assert found == [
        ("a", 1.0, pytest.approx(2 / 3), pytest.approx(0.8), 3),
        ("b", 0.5, 0.5, 0.5, 2),
        ("c", 0.5, 1.0, pytest.approx(2 / 3), 1),
    ]


def test_averages():
    macro, weighted = measures.averages(SCORES, TRUTH)
    assert (macro.label, weighted.label) == ("macro", "weighted")
    assert macro.precision == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert macro.f1 == pytest.approx((0.8 + 0.5 + 2 / 3) / 3)
    assert weighted.precision == pytest.approx((3 * 1 + 2 * 0.5 + 0.5) / 6)
    assert weighted.recall == pytest.approx(measures.top_k_accuracy(SCORES, TRUTH, 1))
    assert macro.support == weighted.support == 6


def test_a_class_never_predicted_has_no_precision():
    rows = measures.per_class(np.array([[0.9, 0.1]] * 2, np.float32), np.array([0, 1]), ("a", "b"))
    assert (rows[1].precision, rows[1].recall, rows[1].f1) == (0, 0, 0)


def test_the_most_confused_classes_in_label_order():
    matrix = np.diag([9] * 8)
    matrix[6, 1] = 3
    matrix[2, 3] = 1
    labels = tuple("abcdefgh")
    assert measures.most_confused(matrix, labels) == ("b", "c", "d", "g")
    assert measures.most_confused(np.diag([9] * 8), labels) == ()
    everywhere = np.ones((8, 8), dtype=np.int64)
    assert len(measures.most_confused(everywhere, labels)) == 5
