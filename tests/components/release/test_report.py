import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from components.release.figures import confusions, curve_chart, matrix_chart, ticks
from components.release.step import run
from components.release.stills import choose
from reelflow.params import load_params
from tests.fake_registry import MemoryRegistry
from tests.fake_run import write_run

PARAMS = load_params(Path("params.yaml")).release
EVIL = "<script>alert(1)</script>"
SECTIONS = [
    "candidates",
    "gates",
    "samples",
    "confusion",
    "classes",
    "curves",
    "dataset",
    "quarantine",
    "provenance",
]


class Page(HTMLParser):
    """Elements, ids and references of a page; fails on elements that are closed in the wrong order."""

    VOID = ("meta", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        values = dict(attributes)
        self.ids += [values["id"]] if "id" in values else []
        names = ("src", "href", "action", "data", "poster", "srcset", "xlink:href", "style")
        self.references += [values[name] or "" for name in names if name in values]
        assert not any(name.startswith("on") for name in values)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def page(folder: Path, *arguments, **options) -> str:
    made = write_run(folder / "run", *arguments, **options)
    run(PARAMS, **made.inputs, release=folder / "release", registry=MemoryRegistry())
    return (folder / "release" / "report.html").read_text(encoding="utf-8")


def test_the_page_refers_to_nothing_but_itself(tmp_path):
    text = page(tmp_path)
    found = Page(text)
    assert {"script", "link", "iframe", "object", "embed", "form", "base"}.isdisjoint(found.tags)
    assert found.references
    assert all(reference.startswith(("data:image/", "#")) for reference in found.references)
    assert not re.search(r"https?:|@import|url\(|@font-face", text)
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text


def test_every_section_is_there_and_the_links_lead_to_them(tmp_path):
    found = Page(page(tmp_path))
    assert [name for name in found.ids if name in SECTIONS] == SECTIONS
    assert [link.removeprefix("#") for link in found.references if link.startswith("#")] == SECTIONS


def test_the_verdict_stands_in_words(tmp_path):
    words = " ".join(" ".join(Page(page(tmp_path)).text).split())
    assert "thumbnail-gru names 8 of 10 test clips correctly" in words
    assert "Promoted to champion" in words
    assert "always naming the most frequent class would give 50.0" in words
    assert "come from 5 groups (recordings), none of which was trained on." in words


def test_labels_paths_and_reasons_are_escaped(tmp_path):
    text = page(tmp_path, (EVIL, "a&b 'c' \"d\" ünïcode", "x" * 300))
    found = Page(text)
    assert EVIL not in text
    assert "script" not in found.tags
    assert EVIL in "".join(found.text)
    assert "<b>broken" not in text
    assert "a/<b>broken</b>.mp4" in "".join(found.text)


def test_a_dozen_clips_are_shown_as_five_frames_each(tmp_path):
    text = page(tmp_path, [f"class {number}" for number in range(6)], accuracies={"gru": 0.5})
    assert text.count("data:image/jpeg;base64,") == 12 * 5
    assert text.count('<span class="bad">✗') == 8
    assert text.count('<span class="good">✓ <strong>') == 4


def test_a_perfect_classifier_and_two_classes(tmp_path):
    text = page(tmp_path, accuracies={"gru": 1.0})
    assert "Not one test clip was mistaken." in text
    assert not re.search(r"\bnan\b", text)


def test_a_hundred_classes_stay_within_bounds(tmp_path):
    heads = {"gru": 0.7, "lstm": 0.6, "single_frame": 0.5}
    text = page(tmp_path, [f"Class {n:03d}" for n in range(101)], accuracies=heads, clips_per_class=8)
    Page(text)
    assert len(text) < 3_000_000
    assert "Class 100" in text


def test_wrong_clips_come_first_and_classes_take_turns():
    truth = np.array([0, 0, 0, 1, 1])
    scores = np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.6, 0.4], [0.45, 0.55]], np.float32)
    assert choose(scores, truth) == [2, 3, 1, 0, 4]


def test_many_wrong_clips_leave_room_for_right_ones():
    truth = np.zeros(40, int)
    scores = np.tile(np.array([[0.4, 0.6]], np.float32), (40, 1))
    scores[30:] = [0.9, 0.1]
    shown = choose(scores, truth)
    assert len(shown) == 12
    assert sum(row >= 30 for row in shown) == 4
    scores[30:] = [0.1, 0.9]
    assert len(choose(scores, truth)) == 12


@pytest.mark.parametrize(("top", "last"), [(1.0, 1.0), (2.31, 2.0), (0.047, 0.04), (60, 60.0), (1, 1.0)])
def test_ticks_are_few_and_round(top, last):
    found = ticks(top)
    assert found[0] == 0
    assert found[-1] == last
    assert 3 <= len(found) <= 6


def test_a_curve_of_one_epoch_is_a_dot():
    chart = curve_chart("loss", {"train": (0.5,)}, 1, None)
    (line,) = chart.lines
    assert line.path == f"M{line.dot[0]} {line.dot[1]}"
    assert line.value == 0.5


def test_higher_values_stand_higher_and_later_epochs_further_right():
    chart = curve_chart("accuracy", {"train": (0.0, 1.0)}, 2, 1.0)
    assert chart.lines[0].path == "M46.0 186.0L408.0 12.0"
    assert chart.marker == 408.0


def test_a_matrix_by_row_is_in_percent_and_empty_rows_stay_empty():
    chart = matrix_chart([[3, 1], [0, 0]], ["a", "b"], by_row=True)
    assert [(text, level) for _, _, text, level in chart.numbers] == [("75", 8), ("25", 3)]
    raw = matrix_chart([[3, 1], [0, 0]], ["a", "b"], by_row=False)
    assert [(text, level) for _, _, text, level in raw.numbers] == [("3", 10), ("1", 4)]


def test_the_most_frequent_errors_come_first():
    found = confusions([[5, 1, 0], [4, 2, 0], [0, 0, 3]], ["a", "b", "c"])
    assert found == [("b", "a", 4, 6), ("a", "b", 1, 6)]
