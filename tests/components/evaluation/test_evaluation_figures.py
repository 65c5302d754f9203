"""Figures of two and of a hundred classes, with names that fonts and formulas trip over."""

import struct

import numpy as np
import pytest

from components.evaluation.figures import draw_confusion, draw_per_class, draw_reliability
from reelflow.contracts import ClassScores
from tests.fake_reports import calibration


def size(path) -> tuple[int, int]:
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    return struct.unpack(">II", content[16:24])


@pytest.mark.parametrize("classes", [2, 101])
def test_confusion_is_large_enough_to_read(tmp_path, classes):
    labels = [f"AClassOfAction{place}" for place in range(classes)]
    matrix = np.random.default_rng(1).integers(0, 20, (classes, classes))
    draw_confusion(matrix, labels, "thumbnail-gru", tmp_path / "confusion.png")
    width, height = size(tmp_path / "confusion.png")
    assert min(width, height) > 9 * classes  # pixels a class
    assert 300 < max(width, height) < 3000


@pytest.mark.parametrize("classes", [2, 101])
def test_per_class_bars_are_large_enough_to_read(tmp_path, classes):
    rows = [
        ClassScores(label=f"AClassOfAction{place}", precision=0.5, recall=0.6, f1=0.55, support=3)
        for place in range(classes)
    ]
    draw_per_class(rows, "thumbnail-gru", tmp_path / "per_class.png")
    width, height = size(tmp_path / "per_class.png")
    assert height > 18 * classes
    assert width == 960


@pytest.mark.parametrize("reject_below", [0.0, 0.6])
def test_reliability_is_drawn_with_and_without_a_threshold(tmp_path, reject_below):
    draw_reliability(calibration(reject_below=reject_below), "a $b$", tmp_path / "reliability.png")
    assert size(tmp_path / "reliability.png") == (720, 720)


def test_labels_in_any_script_and_with_dollars_are_drawn(tmp_path):
    labels = ("$a_b$ $", "走る", "Ünïcode 🎬", "_hidden", r"back\slash$")
    draw_confusion(np.eye(5), labels, "x", tmp_path / "confusion.png")
    rows = [ClassScores(label=label, precision=1, recall=1, f1=1, support=1) for label in labels]
    draw_per_class(rows, "x", tmp_path / "per_class.png")
    assert size(tmp_path / "confusion.png")
    assert size(tmp_path / "per_class.png")


def test_the_same_matrix_gives_the_same_bytes(tmp_path):
    for name in ("one.png", "two.png"):
        draw_confusion(np.eye(3), "abc", "x", tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
