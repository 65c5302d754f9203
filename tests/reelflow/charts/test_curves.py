from xml.etree import ElementTree as ET

import pytest

from reelflow.charts.canvas import inline
from reelflow.charts.curves import draw_curves

CURVES = {
    "train_loss": (0.9, 0.5, 0.3),
    "validation_loss": (0.8, 0.45, 0.6),
    "train_accuracy": (0.5, 0.7, 0.9),
    "validation_accuracy": (0.5, 0.8, 0.75),
}


def texts(figure):
    return [part.text for part in ET.fromstring(inline(figure, "curves")).iter("text")]


def test_the_legend_tells_the_values_of_the_kept_epoch():
    found = texts(draw_curves(CURVES, 2, title="gru, $x$ fold"))
    assert {"train 0.500", "validation 0.450", "train 0.700", "validation 0.800"} <= set(found)
    assert found.count("at epoch 2, kept") == 2
    assert {"loss", "accuracy", "gru, $x$ fold"} <= set(found)


def test_one_measure_is_drawn_alone():
    found = texts(draw_curves(CURVES, 2, measures=["loss"]))
    assert "loss" in found
    assert "accuracy" not in found


def test_later_epochs_are_further_right_and_higher_values_higher():
    figure = draw_curves(CURVES, 2)
    loss, accuracy = figure.axes
    assert [line.get_xdata().tolist() for line in loss.lines[:2]] == [[1, 2, 3], [1, 2, 3]]
    assert tuple(accuracy.lines[1].get_ydata()) == CURVES["validation_accuracy"]
    assert accuracy.get_ylim() == (0, 1.02)


@pytest.mark.parametrize("values", [(0.5,), (0.0,)])
def test_a_curve_of_one_epoch_is_drawn(values):
    curves = {"train_loss": values, "validation_loss": values}
    found = texts(draw_curves(curves, 1, measures=["loss"]))
    assert f"train {values[0]:.3f}" in found
    assert "1" in found
