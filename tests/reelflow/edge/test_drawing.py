"""The picture of a timeline: a lane for each label, nothing that a name could break."""

from xml.etree import ElementTree as ET

import pytest

from reelflow.edge.drawing import MAX_LANES, clock, draw
from reelflow.edge.segments import Segment
from reelflow.edge.timeline import Timeline

SVG = "{http://www.w3.org/2000/svg}"
EVIL = '<script>alert("1")</script>&\x00\x1b]0;\ufffe'


def timeline(labels: list[str], unsure: tuple[int, ...] = (), video: str = "long.mp4") -> Timeline:
    segments = [
        Segment(
            start_s=5.0 * place,
            end_s=5.0 * (place + 1),
            label=None if place in unsure else label,
            best_guess=label,
            score=0.5,
        )
        for place, label in enumerate(labels)
    ]
    times_s = tuple(segment.start_s + 2.5 for segment in segments)
    return Timeline(
        bundle="thumbnail-gru",
        video=video,
        duration_s=5.0 * len(labels),
        window_s=2.0,
        reject_below=0.4,
        segments=tuple(segments),
        change_points_s=tuple(segment.start_s for segment in segments[1:]),
        times_s=times_s,
        scores={label: (0.5,) * len(times_s) for label in labels},
    )


def test_bars_areas_and_change_points_stand_where_they_belong():
    root = ET.fromstring(draw(timeline(["hug", "kick", "hug", "push"], unsure=(1,))))
    bars = root.findall(f"{SVG}rect")[1:]  # the first is the background
    told = [bar.findtext(f"{SVG}title") for bar in bars]
    assert told == [
        "hug 0.50, 0 s to 5 s",
        "hug 0.50, 10 s to 15 s",
        "unsure (best guess kick 0.50), 5 s to 10 s",
        "push 0.50, 15 s to 20 s",
    ]
    left, middle, hollow, _ = bars
    assert float(left.get("x")) < float(hollow.get("x")) < float(middle.get("x"))
    assert left.get("y") == middle.get("y") != hollow.get("y")
    assert (left.get("fill") == "#fff", hollow.get("fill") == "#fff") == (False, True)
    changes = [line for line in root.findall(f"{SVG}line") if line.get("class") == "change"]
    assert next(float(line.get("x1")) for line in changes) == pytest.approx(float(hollow.get("x")))
    assert len(changes) == len(root.findall(f"{SVG}polygon")) == 3


def test_names_cannot_break_the_picture():
    picture = draw(timeline([EVIL, "b"], video=EVIL))
    root = ET.fromstring(picture)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "style", "rect", "text", "line", "polygon",
    }  # fmt: skip
    assert "<script" not in picture
    assert "\x1b" not in picture


def test_many_labels_have_few_lanes_and_the_rest_is_named():
    labels = [f"class {number}" for number in range(MAX_LANES + 7)]
    root = ET.fromstring(draw(timeline(labels)))
    assert len(root.findall(f"{SVG}polygon")) == MAX_LANES
    assert any("7 more labels are not drawn" in (text.text or "") for text in root.iter(f"{SVG}text"))


def test_times_are_told_as_a_clock():
    assert [clock(time_s) for time_s in (0, 4.46, 59.94, 61, 3600, 36_003)] == [
        "0 s", "4.5 s", "59.9 s", "1:01", "1:00:00", "10:00:03",
    ]  # fmt: skip


def test_the_longest_video_has_few_ticks():
    long = timeline(["a", "b"]).model_copy(update={"duration_s": 90 * 24 * 3600.0})
    assert len(ET.fromstring(draw(long)).findall(f"{SVG}line")) < 40
