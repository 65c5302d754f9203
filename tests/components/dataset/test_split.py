"""What params ask of the cut: fractions, given lists, small classes."""

from collections import Counter
from dataclasses import replace
from unicodedata import normalize

import pytest

from components.dataset.split import split_clips
from reelflow.contracts import SPLITS
from reelflow.errors import DataError, ParamsError
from reelflow.params import DatasetParams
from reelflow.progress import watched_by
from reelflow.splitting.splits import Member

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
    lists |= {"incomplete": changes.pop("incomplete", "refuse")}
    return PARAMS.model_validate({**PARAMS.model_dump(), "split_lists": lists, **changes})


def changed(**changes):
    return PARAMS.model_copy(update=changes)


def test_a_random_split_cuts_groups():
    members = ucf101(groups=3, clips=20)
    splits = split_clips(members, labels_of(members), changed(split="random")).splits
    counts = Counter(splits.values())
    assert {split: counts[split] for split in counts} == {"train": 74, "validation": 12, "test": 34}
    assert len({(member.group, splits[member.path]) for member in members}) > 6


def test_a_random_split_says_which_groups_it_cuts():
    members = ucf101(groups=3, clips=20)
    with watched_by((notices := []).append):
        notes = split_clips(members, labels_of(members), changed(split="random")).notes
    in_test, in_validation = notes
    assert in_test.startswith(
        "6 group(s) have clips in test and in train or validation, as dataset.split is random: 34 of 34 test"
    )
    assert (
        "12 of 12 validation clips have others of their group there, such as Punch/v_Punch_g0"
        in in_validation
    )
    assert tuple(notice["message"] for notice in notices) == notes
    assert split_clips(members, labels_of(members), PARAMS).notes == ()


def test_small_classes_are_named_with_what_they_have():
    members = [*ucf101(), Member("Biking/1.avi", "Biking", "x"), Member("Dive/1.avi", "Dive", "y")]
    members.append(Member("Dive/2.avi", "Dive", "y"))
    with pytest.raises(DataError) as refused:
        split_clips(members, {*labels_of(members), "Empty"}, PARAMS)
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
        result = split_clips(members, labels_of(members), changed(drop_small_classes=True))
    assert result.dropped_classes == ("Biking",)
    assert result.splits.keys() == {member.path for member in ucf101()}
    assert notices[0]["message"] == "classes dropped as too small: Biking"


@pytest.mark.parametrize("drop", [True, False])
def test_one_class_is_not_enough(drop):
    members = ucf101(("YoYo",))
    with pytest.raises(DataError, match="needs two classes or more"):
        split_clips(members, labels_of(members), changed(drop_small_classes=drop))


def test_given_lists_are_followed_and_validation_comes_out_of_train(tmp_path):
    members = ucf101()
    listed = [member for member in members if "_c04" not in member.path]
    test = [member.path for member in listed if member.group[-2:] in ("01", "02", "03")]
    train = [member.path for member in listed if member.path not in test]
    result = split_clips(members, labels_of(members), with_lists(tmp_path, train, test))
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
        split_clips(members, labels_of(members), with_lists(tmp_path, train, test))
    (note,) = [notice["message"] for notice in notices]
    assert note.startswith(
        "24 group(s) have clips in test and in train or validation, as the lists say: 24 of"
    )
    assert "such as Punch/v_Punch_g01_c01.avi and Punch/v_Punch_g01_c02.avi" in note


def test_a_class_that_is_in_one_list_alone_is_named(tmp_path):
    members = ucf101()
    train = [member.path for member in members if member.label == "YoYo" and "_g01" not in member.path]
    test = [member.path for member in members if member.path not in train]
    with pytest.raises(DataError, match=r"Punch: 0 clip\(s\) in 0 group\(s\) in the train list"):
        split_clips(members, labels_of(members), with_lists(tmp_path, train, test))


@pytest.mark.parametrize("side", ["train", "test"])
def test_a_group_that_a_complete_class_shares_stays_where_the_lists_put_it(tmp_path, side):
    both = [f"Both/{part}{number}.avi" for part in ("train", "test") for number in range(3)]
    members = [Member(path, "Both", path.removeprefix("Both/")) for path in both]
    members += [Member(f"One/{number}.avi", "One", f"one{number}") for number in range(6)]
    members += [Member(f"One/shared{number}.avi", "One", f"{side}{number}.avi") for number in range(3)]
    train = [*both[:3], *(member.path for member in members if member.label == "One")]
    params = with_lists(tmp_path, train, both[3:], incomplete="split")
    splits = split_clips(members, {"Both", "One"}, params).splits
    assert len(splits) == len(members)
    groups = {member.group: set() for member in members}
    for member in members:
        groups[member.group].add(splits[member.path])
    assert all(len(found) == 1 for found in groups.values())
    assert {splits[member.path] for member in members if member.label == "One"} == {*SPLITS}


def partial_copy(folder, **changes):
    """Lists of three classes; Punch stands in the test list alone, Dive is one clip of many listed."""
    members = ucf101()
    first_groups = {f"YoYo_g{group:02d}" for group in range(1, 5)}
    test = [member.path for member in members if member.label == "Punch" or member.group in first_groups]
    train = [member.path for member in members if member.path not in test]
    dive = [f"Dive/v_Dive_g{group:02d}_c01.avi" for group in range(1, 6)]
    params = with_lists(folder, [*train, *dive[:3]], [*test, *dive[3:], "Swim/v_Swim_g01_c01.avi"], **changes)
    return [*members, Member(dive[0], "Dive", "Dive_g01")], params


@pytest.mark.parametrize("split", ["group", "random"])
def test_classes_that_the_lists_do_not_suffice_for_are_cut_by_group(tmp_path, split):
    members, params = partial_copy(tmp_path, incomplete="split", drop_small_classes=True, split=split)
    with watched_by((notices := []).append):
        result = split_clips(members, labels_of(members), params)
    assert result.dropped_classes == ("Dive",)
    kept = [member for member in members if member.label != "Dive"]
    assert result.splits.keys() == {member.path for member in kept}
    yoyo = {m.group for m in kept if m.label == "YoYo" and result.splits[m.path] == "test"}
    assert yoyo == {f"YoYo_g{group:02d}" for group in range(1, 5)}  # as listed
    punch = Counter(result.splits[member.path] for member in kept if member.label == "Punch")
    assert punch == {"train": 32, "validation": 4, "test": 12}  # near 62, 10 and 28 % of 48 in groups of 4
    assert len({(m.group, result.splits[m.path]) for m in kept if m.label == "Punch"}) == 12
    assert ["dataset.split is random" in note for note in result.notes[3:]] == [True] * (split == "random")
    assert result.notes[:3] == (
        "97 of 102 listed clips are available and usable; 1 of the 4 classes have no clip",
        "partly available classes: Dive 1 of 5",
        "1 class(es) lack clips in one of the lists and are split by whole groups instead (Punch: 48 clips, "
        "all in the test list): figures that these classes take part in cannot be compared with figures on "
        "the lists",
    )
    said = [notice["message"] for notice in notices]
    assert said == [*result.notes[:3], "classes dropped as too small: Dive", *result.notes[3:]]


def test_classes_too_small_to_be_cut_are_refused_with_what_they_have(tmp_path):
    members, params = partial_copy(tmp_path, incomplete="split")
    with pytest.raises(DataError) as refused:
        split_clips(members, labels_of(members), params)
    assert "1 class(es) are too small" in str(refused.value)
    assert "each needs at least 3 groups" in str(refused.value)
    assert "Dive: 1 clip(s) in 1 group(s)\n" in str(refused.value)
    assert "Punch" not in str(refused.value)


def test_all_classes_may_be_cut_freely(tmp_path):
    members = ucf101()
    train = [member.path for member in members if member.label == "YoYo"]
    test = [member.path for member in members if member.label == "Punch"]
    result = split_clips(members, labels_of(members), with_lists(tmp_path, train, test, incomplete="split"))
    assert {(m.label, result.splits[m.path]) for m in members} == {
        (label, split) for label in ("Punch", "YoYo") for split in ("train", "validation", "test")
    }
    assert "YoYo: 48 clips, all in the train list" in result.notes[0]


def test_a_whole_copy_is_cut_as_listed_without_a_note(tmp_path):
    members = ucf101()
    test = [member.path for member in members if member.group[-2:] in ("01", "02", "03")]
    train = [member.path for member in members if member.path not in test]
    found = [
        split_clips(members, labels_of(members), with_lists(tmp_path, train, test, incomplete=incomplete))
        for incomplete in ("refuse", "split")
    ]
    assert found[0] == found[1]
    assert found[0].notes == ()


def test_a_long_note_is_cut_short_on_the_screen_alone(tmp_path):
    members = ucf101([f"Class{number:03d}" for number in range(40)], groups=4, clips=2)
    listed = [member.path for member in members] + [
        member.path.replace("_c01", "_c09") for member in members if "_c01" in member.path
    ]
    test = [path for path in listed if "_g01" in path]
    params = with_lists(tmp_path, [path for path in listed if path not in test], test)
    with watched_by((notices := []).append):
        result = split_clips(members, labels_of(members), params)
    assert result.notes[1].count(" 8 of 12") == 40
    assert len(notices[1]["message"]) <= 400
    assert notices[1]["message"].endswith("(see dataset.json)")


def test_lists_of_another_folder_are_pointed_out(tmp_path):
    members = [Member(f"UCF-101/{m.path}", m.label, m.group) for m in ucf101()]
    params = with_lists(tmp_path, ["YoYo/a.avi"], ["YoYo/b.avi"], incomplete="split")
    with pytest.raises(
        DataError, match=r"none of 96 clips is in the split lists; the first clip is UCF-101/"
    ):
        split_clips(members, labels_of(members), params)


def test_lists_that_leave_no_train_clips_are_refused(tmp_path):
    members = ucf101(groups=12, clips=1)
    train = [member.path for member in members if member.group[-2:] in ("01", "02")]
    test = [member.path for member in members if member.path not in train]
    with pytest.raises(DataError, match="uses up the train list: lower it"):
        split_clips(members, labels_of(members), with_lists(tmp_path, train, test, validation=0.2))


def test_lists_that_contradict_each_other_or_are_missing_are_errors(tmp_path):
    members = ucf101()
    paths = [member.path for member in members]
    with pytest.raises(DataError, match=r"such as Punch/v_Punch_g01_c01\.avi"):
        split_clips(members, labels_of(members), with_lists(tmp_path, paths, paths[:1]))
    with pytest.raises(DataError, match="lists no clips"):
        split_clips(members, labels_of(members), with_lists(tmp_path, paths, []))
    params = with_lists(tmp_path, paths, paths)
    (tmp_path / "test.txt").unlink()
    with pytest.raises(ParamsError, match=r"test\.txt: No such file"):
        split_clips(members, labels_of(members), params)


def test_the_official_lists_fit_the_official_names(shared_data):
    folder = shared_data / "ucf101_splits"
    lists = {"train": str(folder / "trainlist01.txt"), "test": str(folder / "testlist01.txt")}
    params = PARAMS.model_validate({**PARAMS.model_dump(), "split_lists": lists})
    names = [line.strip().split()[0] for line in (folder / "trainlist01.txt").read_text().splitlines()]
    names += [line.strip() for line in (folder / "testlist01.txt").read_text().splitlines()]
    members = [Member(name, name.split("/")[0], name.rsplit("_", 1)[0]) for name in names]
    result = split_clips(members, labels_of(members), params)
    counts = Counter(result.splits.values())
    assert (counts["train"] + counts["validation"], counts["test"]) == (9537, 3783)
    assert counts["validation"] == pytest.approx(1332, abs=60)
    assert len({(member.group, result.splits[member.path]) for member in members}) == 101 * 25


FOLDERS = ("train", "validation", "test")


def in_folders(*splits, clips=3):
    members = [
        Member(f"{split}/{label}/{number}.mp4", label, f"{label}{split}{number}")
        for split in splits
        for label in ("grow", "shrink")
        for number in range(clips)
    ]
    return members, {member.path: member.path.split("/")[0] for member in members}


def test_split_folders_are_followed():
    members, folders = in_folders(*FOLDERS)
    result = split_clips(members, labels_of(members), PARAMS, folders=folders)
    assert (result.splits, result.notes) == (folders, ())


def test_without_a_validation_folder_its_clips_come_from_train():
    members, folders = in_folders("train", "test", clips=5)
    splits = split_clips(members, labels_of(members), PARAMS, folders=folders).splits
    assert {path for path, split in splits.items() if split == "test"} == {
        path for path, split in folders.items() if split == "test"
    }
    assert set(splits.values()) == set(FOLDERS)


def test_groups_in_several_split_folders_are_said():
    members, folders = in_folders(*FOLDERS)
    members = [replace(member, group=member.path[-5:]) for member in members]
    with watched_by((notices := []).append):
        notes = split_clips(members, labels_of(members), PARAMS, folders=folders).notes
    assert [note.split(":")[0] for note in notes] == [
        "3 group(s) have clips in test and in train or validation, as the split folders say",
        "3 group(s) have clips in validation and in train, as the split folders say",
    ]
    assert tuple(notice["message"] for notice in notices) == notes


def test_a_class_that_a_split_folder_lacks_is_named_with_what_was_refused():
    members, folders = in_folders(*FOLDERS)
    members = [member for member in members if not member.path.startswith("test/grow")]
    refused = {"grow": ["the file is empty", "the file is empty", "it is a web page"]}
    with pytest.raises(DataError) as error:
        split_clips(members, labels_of(members), PARAMS, folders=folders, refused=refused)
    said = str(error.value)
    assert (
        "grow: 0 clip(s) in 0 group(s) in the test folder, and 3 refused: 2 the file is empty; 1 it" in said
    )
    assert "Repair the refused clips, add clips, or drop" in said


def test_many_clips_in_few_groups_are_told_how_to_part_them():
    members = [Member(f"{label}/{i}.mp4", label, label) for label in ("a", "b") for i in range(9)]
    with pytest.raises(DataError, match=r"groups\.csv or by dataset\.group_by_name: false"):
        split_clips(members, labels_of(members), PARAMS)


def test_lists_may_have_tabs(tmp_path):
    members = ucf101()
    test = [member.path for member in members if member.group[-2:] in ("01", "02")]
    train = [member.path for member in members if member.path not in test]
    params = with_lists(tmp_path, train, test)
    written = (tmp_path / "train.txt").read_bytes()
    (tmp_path / "train.txt").write_bytes(written.replace(b" 1\r", b"\t1\r").replace(b"/", b"\\"))
    splits = split_clips(members, labels_of(members), params).splits
    assert {path for path, split in splits.items() if split == "test"} == set(test)


@pytest.mark.parametrize("line", ["./{}", '"{}"', '"{}" 1', "{}, 1"])
def test_lists_may_be_what_find_and_spreadsheets_write(tmp_path, line):
    members = ucf101()
    test = [member.path for member in members if member.group[-2:] in ("01", "02")]
    train = [member.path for member in members if member.path not in test]
    params = with_lists(tmp_path, train, test)
    (tmp_path / "test.txt").write_text("\n".join([".", "./", " , 1", *map(line.format, test)]))
    result = split_clips(members, labels_of(members), params)
    assert {path for path, split in result.splits.items() if split == "test"} == set(test)
    assert result.notes == ()


@pytest.mark.parametrize(("there", "listed"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_lists_in_another_unicode_form_are_followed(tmp_path, there, listed):
    members = [replace(one, path=normalize(there, f"\u00e9/{one.path}")) for one in ucf101()]
    test = [member.path for member in members if member.group[-2:] in ("01", "02")]
    train = [member.path for member in members if member.path not in test]
    params = with_lists(tmp_path, *([normalize(listed, path) for path in part] for part in (train, test)))
    result = split_clips(members, labels_of(members), params)
    assert {path for path, split in result.splits.items() if split == "test"} == set(test)
    assert (result.rejected, result.notes) == ((), ())
