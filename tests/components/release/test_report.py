import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from components.release.charts import most_frequent_errors
from components.release.report_text import describe_baseline, describe_protocol, describe_rejection
from components.release.sections import fold_rows, reach
from components.release.step import run
from components.release.stills import choose
from components.release.warnings import warnings
from reelflow.artifacts.clips import read_clips
from reelflow.artifacts.evaluations import Candidate, read_candidates
from reelflow.charts.canvas import VARIABLES
from reelflow.contracts import Clip, DatasetReport, FramesReport, Interval, Rejected
from reelflow.params import load_params
from reelflow.settings import Settings
from tests.fake_registry import MemoryRegistry
from tests.fake_reports import baseline_comparison, calibration
from tests.fake_run import FakeRun, write_run

PARAMS = load_params(Path("params.yaml")).release.model_copy(update={"require_above_chance": False})
EVIL = "<script>alert(1)</script>"
SECTIONS = [
    "candidates",
    "baselines",
    "gates",
    "champion",
    "samples",
    "confusion",
    "classes",
    "calibration",
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
        names = ("src", "href", "action", "data", "poster", "srcset", "xlink:href")
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


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> str:
    """The page of two classes and two candidates."""
    return page(tmp_path_factory.mktemp("plain"))


def page(folder: Path, *arguments, **options) -> str:
    made = write_run(folder / "run", *arguments, **options)
    run(PARAMS, **made.inputs, settings=Settings(), release=folder / "release", registry=MemoryRegistry())
    return (folder / "release" / "report.html").read_text(encoding="utf-8")


def words(text: str) -> str:
    """What a reader sees, on one line."""
    return " ".join(" ".join(Page(text).text).split())


def test_the_page_refers_to_nothing_but_itself(plain):
    found = Page(plain)
    assert {"script", "link", "iframe", "object", "embed", "form", "base"}.isdisjoint(found.tags)
    assert found.references
    assert all(reference.startswith(("data:image/", "#")) for reference in found.references)
    assert len(found.ids) == len(set(found.ids))
    assert {link[1:] for link in found.references if link.startswith("#")} <= set(found.ids)
    assert not re.search(r"https?:|@import|url\((?!#)|@font-face", plain)
    assert "default-src &#39;none&#39;" in plain or "default-src 'none'" in plain


def test_every_section_is_there_and_the_links_lead_to_them(plain):
    found = Page(plain)
    assert [name for name in found.ids if name in SECTIONS] == SECTIONS
    links = [link.removeprefix("#") for link in found.references if link.startswith("#")]
    assert [link for link in links if link in SECTIONS] == SECTIONS


def test_the_verdict_stands_in_words(plain):
    found = words(plain)
    assert "thumbnail-gru classifies 8 of 10 test clips correctly" in found
    assert "Promoted to champion" in found
    assert "That is 80.0 % (95 % interval 70.0 to 90.0) over 2 classes" in found
    assert "always answering the most frequent class would reach 50.0" in found
    assert "come from 5 groups (recordings), none of which is in the training or validation clips." in found
    assert "One split: the models were trained on the train clips" in found
    assert "better than one with" not in found


def test_every_accuracy_bears_its_interval(plain):
    assert "(70.0 to 90.0) on 10 test clips</title>" in plain
    found = words(plain)
    assert "Accuracy 80.0 % 70.0 to 90.0 · 10 test clips" in found
    assert "Macro F1 0.800 0.70 to 0.90" in found
    assert "80.0 70.0 to 90.0 100.0 80.0" in found  # the row of the chosen candidate
    assert "thumbnail-single_frame, 50.0 % (40.0 to 60.0)" in found
    assert plain.count('class="whisker"') == 2 + 1 + 2 * 2  # candidates, the chosen one, each baseline


def test_a_classifier_that_is_not_clearly_above_a_baseline_is_told_in_the_verdict(tmp_path):
    found = words(page(tmp_path, baselines={"metadata": 0.75, "thumbnails": 0.3}))
    beware = "Warning: this classifier is not clearly better than one with clip metadata only."
    assert "It may have learned how the clips were made" in found
    assert found.count(beware) == 2  # in the verdict, and in the section
    assert "Not clearly above: a classifier with clip metadata only reaches 75.0 %" in found
    assert "Clearly above: a classifier with thumbnails only reaches 30.0 %" in found
    assert "Best shortcut 75.0 %" in found


def test_folds_stand_in_a_table_and_no_group_leaks(tmp_path):
    text = page(tmp_path, protocol="group_kfold(4)", folds=4)
    found = words(text)
    assert '<a href="#folds">' in text
    assert "4-fold cross-validation by group: every clip was tested once, by a model that had not" in found
    assert "none of which is in the training or validation clips" in found
    assert "fold 4 12 2 6 3" in found
    assert "all together 16" in found
    assert "The model in the bundle was trained on all clips" in found
    assert "Same answer on devices 100.0" in found
    assert "runtime LiteRT" not in found
    assert "16 clips, in turn to train, to validate and to test" in found


def in_few_groups(made: FakeRun) -> list[Clip]:
    """The clips of a run, in two groups, each in every split."""
    clips = read_clips(made.dataset)
    return [clip.model_copy(update={"group": f"g{place % 2}"}) for place, clip in enumerate(clips)]


def test_groups_on_both_sides_of_a_cut_are_warned_of_with_counts_and_an_example(tmp_path):
    made = write_run(tmp_path / "run")
    (chosen, *_), frames = read_candidates(made.evaluations), FramesReport.open(made.frames)
    assert not any("group(s)" in text for text in warnings(PARAMS, chosen, read_clips(made.dataset), frames))
    clips = in_few_groups(made)
    (found,) = [text for text in warnings(PARAMS, chosen, clips, frames) if "group(s)" in text]
    assert found.startswith(
        "Warning: 2 group(s) are both tested and trained or validated on: 10 of 10 test clips have "
        "others of their group there, such as falling/test"
    )
    undecoded = [Rejected(path=clip.path, reason="") for clip in clips if clip.split != "test"]
    frames = frames.model_copy(update={"quarantined": tuple(undecoded)})
    assert not any("group(s)" in text for text in warnings(PARAMS, chosen, clips, frames))


def test_groups_that_are_both_validated_and_trained_on_are_warned_of(tmp_path):
    made = write_run(tmp_path / "run")
    (chosen, *_), frames = read_candidates(made.evaluations), FramesReport.open(made.frames)
    clips = in_few_groups(made)
    validation = [clip for clip in clips if clip.split == "validation"]
    scored = chosen.report.training.validation.model_copy(
        update={"clip_ids": tuple(clip.clip_id for clip in validation)}
    )
    training = chosen.report.training.model_copy(update={"validation": scored})
    chosen = Candidate(chosen.folder, chosen.report.model_copy(update={"training": training}))
    _, found = [text for text in warnings(PARAMS, chosen, clips, frames) if "group(s)" in text]
    assert found.startswith("Warning: 1 group(s) are both validated and trained on: 2 of 2 validation clips")
    assert found.endswith("chosen on clips that are nearly known.")


def test_a_fold_shows_its_own_accuracy(tmp_path):
    made = write_run(tmp_path / "run", accuracies={"gru": 0.75}, protocol="group_kfold(2)", folds=2)
    (candidate,) = read_candidates(made.evaluations)
    folds = np.array(candidate.report.training.test.folds)
    right = candidate.scores().argmax(axis=1) == np.array(candidate.report.truth)
    rows = fold_rows([candidate])
    assert [row.accuracies for row in rows] == [(right[folds == 0].mean(),), (right[folds == 1].mean(),)]


def test_one_tested_group_is_said_to_be_one(tmp_path):
    assert "All test clips come from one group" in words(page(tmp_path, clips_per_class=1))


def test_what_the_scores_mean(plain):
    found = words(plain)
    assert "1.70: the raw scores were too high" in found
    assert "21.0 points before, 6.0 after" in found
    assert "An answer with a score below 61.0 % is rejected" in found


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "on the test clips 70.0 % of the clips are answered, and 85.7 % of these answers are right."),
        ({"reject_below": 0}, "No answer is rejected: on the validation clips 90 % were right without any"),
        ({"reject_below": 0, "target_met": False}, "no threshold makes 90 % of the answers"),
    ],
)
def test_what_becomes_of_unsure_answers(changes, expected):
    assert expected in describe_rejection(calibration(**changes))


@pytest.mark.parametrize(
    ("protocol", "folds", "expected"),
    [
        ("holdout", 1, "tested on held-out clips"),
        ("group_kfold(5)", 5, "5-fold cross-validation by group"),
        ("group_kfold(5, seed=2)", 5, "5-fold cross-validation by group"),
        ("leave_one_group_out", 21, "Each of the 21 groups was left out in turn"),
        ("cross_set(set1)", 1, "groups whose names begin with “set1”, and tested on all others"),
    ],
)
def test_every_protocol_has_words(protocol, folds, expected):
    assert expected in describe_protocol(protocol, folds)


@pytest.mark.parametrize(
    ("accuracy", "clearly", "start"),
    [(0.3, True, "Clearly"), (0.7, False, "Not clearly"), (0.9, False, "Not above")],
)
def test_a_describe_baseline(accuracy, clearly, start):
    assert describe_baseline(
        baseline_comparison("metadata", accuracy, 0.8, clearly_above=clearly)
    ).startswith(start)


def test_the_champion_comparison_is_a_table_of_four(tmp_path):
    registry = MemoryRegistry()
    for name, accuracy in (("first", 0.5), ("second", 0.9)):
        made = write_run(tmp_path / name, accuracies={"gru": accuracy}, clips_per_class=20)
        run(
            PARAMS,
            **made.inputs,
            settings=Settings(),
            release=tmp_path / f"{name} release",
            registry=registry,
        )
    found = words((tmp_path / "second release" / "report.html").read_text(encoding="utf-8"))
    assert "Better beyond noise: 90.0 % against 50.0 %" in found
    assert "Challenger right 20 16 only the challenger" in found
    assert "Challenger wrong 0 only the champion 4" in found
    assert "a split as uneven as 16 to 0 is rarely noise" in found
    first = words((tmp_path / "first release" / "report.html").read_text(encoding="utf-8"))
    assert "The challenger was compared with no other champion" in first


def test_notes_on_the_data_are_told(tmp_path):
    made = write_run(tmp_path / "run")
    report = DatasetReport.open(made.dataset)
    report.model_copy(update={"notes": ("3 clips of the lists are <missing>",)}).save(made.dataset)
    run(PARAMS, **made.inputs, settings=Settings(), release=tmp_path / "release", registry=MemoryRegistry())
    assert "<li>3 clips of the lists are &lt;missing&gt;</li>" in (
        tmp_path / "release" / "report.html"
    ).read_text(encoding="utf-8")


def test_a_head_that_is_fitted_at_once_has_a_report_too(tmp_path):
    made = write_run(tmp_path / "run")
    for candidate in read_candidates(made.evaluations):
        curves = {name: values[:1] for name, values in candidate.report.training.curves.items()}
        once = {"curves": curves, "epochs_run": 1, "best_epoch": 1}
        training = candidate.report.training.model_copy(update=once)
        candidate.report.model_copy(update={"training": training}).save(candidate.folder)
    run(PARAMS, **made.inputs, settings=Settings(), release=tmp_path / "release", registry=MemoryRegistry())
    assert "Fitted without epochs" in (tmp_path / "release" / "report.html").read_text(encoding="utf-8")


def test_charts_have_names_and_words_beside_them(plain):
    names = re.findall(r'<svg[^>]* role="img" aria-label="([^"]+)"', plain)
    assert len(names) == len(set(names)) == plain.count("<svg") == 2 * (2 + 2) + 2
    assert "Confusion matrix of thumbnail-gru, test clips" in names
    found = words(plain)
    assert "epoch 3 was kept: loss 0.400 and accuracy 90.0 % on the validation clips" in found
    assert "60 to 70 % 2 64.0 % 50.0 %" in found  # a range of scores
    assert "80 to 90 % 4 84.0 % 75.0 %" in found


def test_the_page_gives_every_colour_of_the_charts(plain):
    light, dark = plain.split("prefers-color-scheme: dark")
    for variable in VARIABLES.values():
        name = variable.removeprefix("var(").removesuffix(")")
        assert f"{name}: #" in light
        assert f"{name}: #" in dark


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
    assert "No test clip was misclassified." in text
    assert not re.search(r"\bnan\b", text)


@pytest.mark.slow
def test_a_hundred_classes_stay_within_bounds(tmp_path):
    labels = [f"Class {n:03d}" for n in range(101)]
    text = page(tmp_path, labels, accuracies={"gru": 0.7}, clips_per_class=8)
    Page(text)
    assert len(text) < 500_000
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


def test_the_most_frequent_errors_come_first():
    found = most_frequent_errors([[5, 1, 0], [4, 2, 0], [0, 0, 3]], ["a", "b", "c"])
    assert found == [("b", "a", 4, 6), ("a", "b", 1, 6)]


def test_an_axis_reaches_as_far_as_the_intervals():
    assert reach([Interval(low=-0.3, high=0.1), Interval(low=0, high=0.05)]) == 0.5
    assert reach([]) == 0.1
    assert reach([Interval(low=-1, high=1)]) == 1.0
