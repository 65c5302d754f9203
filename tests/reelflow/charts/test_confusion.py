"""Confusion matrices of two, of a hundred and of many more classes."""

import struct
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from reelflow.charts.canvas import inline, save
from reelflow.charts.confusion import MOST_NUMBERED, draw_confusion


def labels(classes):
    return [f"AClassOfAction{place}" for place in range(classes)]


def dense(classes):
    return np.random.default_rng(1).integers(1, 20, (classes, classes))


def texts(figure):
    return [part.text for part in ET.fromstring(inline(figure, "a matrix")).iter("text")]


def test_counts_are_as_they_come():
    found = texts(draw_confusion([[3, 1], [0, 0]], ["a", "b"], by_row=False, title="a $title$"))
    assert sorted(found) == sorted(["a", "a", "b", "b", "a $title$", "3", "1"])


def test_by_row_is_in_percent_and_empty_rows_stay_empty():
    found = texts(draw_confusion([[3, 1], [0, 0]], ["a", "b"], by_row=True))
    assert sorted(found) == sorted(["a", "a", "b", "b", "75", "25"])


@pytest.mark.parametrize(("by_row", "scale"), [(True, "percent of the row"), (False, "clips")])
def test_many_classes_have_a_scale_in_place_of_numbers(by_row, scale):
    classes = MOST_NUMBERED + 1
    assert scale in texts(draw_confusion(np.eye(classes), labels(classes), by_row=by_row))
    assert scale not in texts(draw_confusion(np.eye(classes - 1), labels(classes - 1), by_row=by_row))


def test_a_hundred_classes_stay_small():
    svg = inline(draw_confusion(dense(101), labels(101), by_row=False), "a matrix")
    assert len(svg) < 150_000
    assert "AClassOfAction100" in svg


def test_a_thousand_classes_are_drawn_with_some_of_their_labels():
    names = texts(draw_confusion(np.eye(1000), labels(1000), by_row=False))
    assert 100 < len(names) < 300
    assert "AClassOfAction0" in names


@pytest.mark.parametrize(("classes", "points"), [(2, 96), (6, 288), (20, 320), (101, 808), (400, 1000)])
def test_cells_are_large_enough_to_read_and_the_whole_is_bounded(classes, points):
    figure = draw_confusion(np.eye(classes), labels(classes), by_row=True)
    assert (figure.get_size_inches() * 72).round().tolist() == [points, points]


def test_a_file_has_the_labels_around_the_matrix(tmp_path):
    save(draw_confusion(np.eye(2), labels(2), by_row=True), tmp_path / "confusion.png")
    width, height = struct.unpack(">II", (tmp_path / "confusion.png").read_bytes()[16:24])
    assert width == pytest.approx(height, abs=20)
    assert 2 * 96 + 150 < width < 2 * 96 + 300
