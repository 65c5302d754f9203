"""Clips per class, as tall as the classes need."""

import pytest

from reelflow.charts.clips import draw_clips_per_class
from reelflow.contracts import Clip
from tests.fake_features import make_clips


def clips_of(labels, durations_s) -> list[Clip]:
    clips = make_clips(tuple(labels), {"train": len(durations_s)})
    return [
        clip.model_copy(update={"duration_s": d})
        for clip, d in zip(clips, durations_s * len(labels), strict=True)
    ]


@pytest.mark.parametrize("classes", [2, 101])
def test_the_chart_grows_with_the_classes(classes):
    figure = draw_clips_per_class(clips_of([f"class {n:03d}" for n in range(classes)], [2.0]))
    assert figure.get_size_inches()[1] * 72 > 14 * classes
    assert len(figure.axes[0].get_yticklabels()) == classes


def test_bars_are_stacked_by_duration():
    figure = draw_clips_per_class(clips_of(["a", "b"], [0.5, 0.6, 12.0, 90.0]))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["under 1 s", "10 to 15 s", "60 s and more"]
    widths = [[bar.get_width() for bar in bars] for bars in figure.axes[0].containers]
    assert widths == [[2, 2], [1, 1], [1, 1]]
    lefts = [[bar.get_x() for bar in bars] for bars in figure.axes[0].containers]
    assert lefts == [[0, 0], [2, 2], [3, 3]]
