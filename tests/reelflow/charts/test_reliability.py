from xml.etree import ElementTree as ET

import pytest
from matplotlib.collections import PathCollection

from reelflow.charts.canvas import inline
from reelflow.charts.reliability import draw_reliability
from tests.fake_reports import calibration


def texts(figure):
    return [part.text for part in ET.fromstring(inline(figure, "reliability")).iter("text")]


def test_a_dot_a_range_with_the_number_of_its_clips():
    figure = draw_reliability(calibration())
    (dots,) = (found for found in figure.axes[0].collections if isinstance(found, PathCollection))
    assert dots.get_offsets().tolist() == [[0.55, 0.5], [0.64, 0.5], [0.84, 0.75], [0.97, 1.0]]
    sizes = dots.get_sizes()
    assert sizes[2] == pytest.approx(2 * sizes[0])
    assert [text.get_text() for text in figure.axes[0].texts] == ["2", "2", "4", "2"]


@pytest.mark.parametrize(("reject_below", "drawn"), [(0.0, False), (0.6, True)])
def test_the_threshold_is_drawn_where_there_is_one(reject_below, drawn):
    assert ("below: no answer" in texts(draw_reliability(calibration(reject_below=reject_below)))) is drawn


def test_a_title_tells_the_calibration():
    found = texts(draw_reliability(calibration(), "a $b$"))
    assert "a $b$, temperature 1.70" in found
    assert "expected calibration error 0.060, 0.210 unscaled" in found


def test_no_clips_give_an_empty_plot():
    assert "score of the answer" in texts(draw_reliability(calibration(bins=())))
