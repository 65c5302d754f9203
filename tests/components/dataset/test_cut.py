"""What params ask of the cut: fractions, given lists, small classes."""

from collections import Counter

import pytest

from components.dataset.cut import cut
from components.dataset.split import Member
from reelflow.errors import DataError, ParamsError
from reelflow.params import DatasetParams
from reelflow.progress import watched_by

PARAMS = DatasetParams(
    source="clips",
    split="group",
    split_lists=None,
    validation=0.1,
    test=0.28,
    drop_small_classes=False,
    clip_timeout_s=60,
    seed=1,
)


def ucf101(classes=("Punch", "YoYo"), groups=12, clips=4):
    """Clips by UCF101's names."""
    return [
        Member(f"{name}/v_{name}_g{group:02d}_c{clip:02d}.avi", name, f"{name}_g{group:02d}")
        for name in classes
        for group in range(1, groups + 1)
        for clip in range(1, clips + 1)
    ]


def labels_of(members):
    return {member.label for member in members}


def with_lists(folder, train, test, **changes):
    """Params with lists in UCF101's form: CRLF, and class numbers in the train list alone."""
    (folder / "train.txt").write_bytes("".join(f"{path} 1\r\n" for path in train).encode())
    (folder / "test.txt").write_bytes("".join(f"{path}\r\n" for path in test).encode())
    lists = {"train": str(folder / "train.txt"), "test": str(folder / "test.txt")}
    return PARAMS.model_validate({**PARAMS.model_dump(), "split_lists": lists, **changes})


def changed(**changes):
    return PARAMS.model_copy(update=changes)


def test_a_random_split_cuts_groups():
    members = ucf101(groups=3, clips=20)
    splits = cut(members, labels_of(members), changed(split="random")).splits
    counts = Counter(splits.values())
    assert {split: counts[split] for split in counts} == {"train": 74, "validation": 12, "test": 34}
    assert len({(member.group, splits[member.path]) for member in members}) > 6


def test_small_classes_are_named_with_what_they_have():
    members = [*ucf101(), Member("Biking/1.avi", "Biking", "x"), Member("Dive/1.avi", "Dive", "y")]
    members.append(Member("Dive/2.avi", "Dive", "y"))
    with pytest.raises(DataError) as refused:
        cut(members, {*labels_of(members), "Empty"}, PARAMS)
    said = str(refused.value)
    assert "3 class(es) are too small" in said
    assert "Biking: 1 clip(s) in 1 group(s)" in said
    assert "Dive: 2 clip(s) in 1 group(s)" in said
    assert "Empty: 0 clip(s) in 0 group(s)" in said
    assert "YoYo" not in said
    assert "--drop-small-classes" in said


def test_small_classes_are_dropped_and_said():
    members = [*ucf101(), Member("Biking/1.avi", "Biking", "x")]
    with watched_by((notices := []).append):
        result = cut(members, labels_of(members), changed(drop_small_classes=True))
    assert result.dropped_classes == ("Biking",)
    assert result.splits.keys() == {member.path for member in ucf101()}
    assert notices[0]["message"] == "classes dropped as too small: Biking"


@pytest.mark.parametrize("drop", [True, False])
def test_one_class_is_not_enough(drop):
    members = ucf101(("YoYo",))
    with pytest.raises(DataError, match="needs two classes or more"):
        cut(members, labels_of(members), changed(drop_small_classes=drop))


def test_given_lists_are_followed_and_validation_comes_out_of_train(tmp_path):
    members = ucf101()
    listed = [member for member in members if "_c04" not in member.path]
    test = [member.path for member in listed if member.group[-2:] in ("01", "02", "03")]
    train = [member.path for member in listed if member.path not in test]
    result = cut(members, labels_of(members), with_lists(tmp_path, train, test))
    assert {path for path, split in result.splits.items() if split == "test"} == set(test)
    assert result.splits.keys() == {member.path for member in listed}
    assert {(rejected.path, rejected.reason) for rejected in result.rejected} == {
        (member.path, "it is in neither split list") for member in members if member not in listed
    }
    validation = [path for path, split in result.splits.items() if split == "validation"]
    assert len(validation) == pytest.approx(0.1 * len(listed), abs=3)
    groups = {(member.group, result.splits[member.path]) for member in listed}
    assert len(groups) == len({member.group for member in listed})


def test_lists_that_cut_groups_are_noticed(tmp_path):
    members = ucf101()
    train = [member.path for member in members if "_c01" not in member.path]
    test = [member.path for member in members if "_c01" in member.path]
    with watched_by((notices := []).append):
        cut(members, labels_of(members), with_lists(tmp_path, train, test))
    assert "24 group(s) stand in both lists" in notices[0]["message"]


def test_a_class_that_is_in_one_list_alone_is_named(tmp_path):
    members = ucf101()
    train = [member.path for member in members if member.label == "YoYo" and "_g01" not in member.path]
    test = [member.path for member in members if member.path not in train]
    with pytest.raises(DataError, match=r"Punch: 0 clip\(s\) in 0 group\(s\) in the train list"):
        cut(members, labels_of(members), with_lists(tmp_path, train, test))


def test_lists_that_leave_no_train_clips_are_refused(tmp_path):
    members = ucf101(groups=12, clips=1)
    train = [member.path for member in members if member.group[-2:] in ("01", "02")]
    test = [member.path for member in members if member.path not in train]
    with pytest.raises(DataError, match="leaves nothing of the train list"):
        cut(members, labels_of(members), with_lists(tmp_path, train, test, validation=0.2))


def test_lists_that_contradict_each_other_or_are_missing_are_errors(tmp_path):
    members = ucf101()
    paths = [member.path for member in members]
    with pytest.raises(DataError, match=r"such as Punch/v_Punch_g01_c01\.avi"):
        cut(members, labels_of(members), with_lists(tmp_path, paths, paths[:1]))
    with pytest.raises(DataError, match="lists no clips"):
        cut(members, labels_of(members), with_lists(tmp_path, paths, []))
    params = with_lists(tmp_path, paths, paths)
    (tmp_path / "test.txt").unlink()
    with pytest.raises(ParamsError, match=r"test\.txt: No such file"):
        cut(members, labels_of(members), params)


def test_the_official_lists_fit_the_official_names(shared_data):
    folder = shared_data / "ucf101_splits"
    lists = {"train": str(folder / "trainlist01.txt"), "test": str(folder / "testlist01.txt")}
    params = PARAMS.model_validate({**PARAMS.model_dump(), "split_lists": lists})
    names = [line.strip().split()[0] for line in (folder / "trainlist01.txt").read_text().splitlines()]
    names += [line.strip() for line in (folder / "testlist01.txt").read_text().splitlines()]
    members = [Member(name, name.split("/")[0], name.rsplit("_", 1)[0]) for name in names]
    result = cut(members, labels_of(members), params)
    counts = Counter(result.splits.values())
    assert (counts["train"] + counts["validation"], counts["test"]) == (9537, 3783)
    assert counts["validation"] == pytest.approx(1332, abs=60)
    assert len({(member.group, result.splits[member.path]) for member in members}) == 101 * 25
