"""The random cut of a study: the same clips, as many of each class to test, drawn clip by clip."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from components.dataset.split import split_clips
from pipelines.studies.ucf101.cuts import on_random_cut
from pipelines.studies.ucf101.random_lists import draw_test_clips, write_lists
from reelflow.artifacts.clips import read_clips
from reelflow.params import load_params
from reelflow.splitting.splits import Member
from tests.fake_features import make_clips
from tests.fake_study import write_run

CLIPS = make_clips(("Punch", "YoYo"), {"train": 30, "validation": 10, "test": 20})
STUDY = load_params(Path("params.study-b.yaml"))


def lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


def test_every_class_has_as_many_test_clips_as_before():
    clips = [clip for clip in CLIPS if clip.label != "YoYo" or clip.split != "train"]
    drawn = draw_test_clips(clips, seed=1)
    labels = {clip.path: clip.label for clip in clips}
    assert Counter(labels[path] for path in drawn) == {"Punch": 20, "YoYo": 20}
    assert drawn != {clip.path for clip in clips if clip.split == "test"}
    assert drawn == draw_test_clips(clips[::-1], seed=1) != draw_test_clips(clips, seed=2)


def test_the_lists_hold_all_clips_once_and_their_path_tells_what_they_hold(tmp_path):
    lists = write_lists(CLIPS, 1, tmp_path)
    train, test = lines(lists["train"]), lines(lists["test"])
    assert sorted([*train, *test]) == sorted(clip.path for clip in CLIPS)
    assert set(test) == draw_test_clips(CLIPS, 1)
    assert write_lists(CLIPS, 1, tmp_path) == lists
    assert write_lists(CLIPS[:-1], 1, tmp_path)["test"] != lists["test"]


def test_the_data_set_step_follows_the_lists_of_a_random_cut(tmp_path):
    write_run(tmp_path / "work", {})
    params = on_random_cut(STUDY, tmp_path / "work" / "dataset-1", tmp_path)
    assert params.release.model_name == "study-b-random-cut"
    assert replaced(params.dataset) == replaced(STUDY.dataset)
    clips = read_clips(tmp_path / "work" / "dataset-1")
    members = [Member(clip.path, clip.label, clip.group) for clip in clips]
    result = split_clips(members, {"Punch", "YoYo"}, params.dataset)
    assert result.splits.keys() == {clip.path for clip in clips}
    counts = Counter(result.splits.values())
    assert counts["test"] == sum(clip.split == "test" for clip in clips)
    assert "dataset.split is random" in "".join(result.notes)
    again = [replace(member, group=member.path) for member in members]
    assert split_clips(again, {"Punch", "YoYo"}, params.dataset).notes == ()


def replaced(section):
    return section.model_copy(update={"split": "", "split_lists": None})
