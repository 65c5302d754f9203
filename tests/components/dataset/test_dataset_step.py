"""The dataset step on real files: what it keeps, what it leaves out, what it refuses."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import pytest
import yaml

from components.dataset.lists.inputs import list_inputs
from components.dataset.step import run
from reelflow.artifacts.clips import read_clips
from reelflow.contracts import DatasetReport
from reelflow.errors import DataError, ParamsError
from reelflow.params import DatasetParams, SplitLists, load_params
from tests.permissions import run_bound_by_rights
from tests.slowly import slow
from tests.videos import write_video

SMALL = """\
seed: 3
groups: 4
clips_per_group: 1
width: 64
height: 48
fps: 15
frames: [13, 13]
noise: [1, 3]
motions:
  - {shape: disc, changes: size, classes: {grow: [0, 1], shrink: [1, 0]}}
  - {shape: square, changes: side, classes: {left: [-1, 0], right: [0, -1]}}
  - {shape: diamond, changes: height, classes: {up: [0, 1], down: [1, 0]}}
"""


def params_for(source: Path, **changes) -> DatasetParams:
    return load_params(Path("params.yaml")).with_values(dataset={"source": str(source), **changes}).dataset


def run_on(source: Path, dataset: Path, **changes) -> DatasetReport:
    dataset.mkdir(exist_ok=True)
    return run(params_for(source, **changes), source=source, dataset=dataset)


def command(source: Path, dataset: Path, *options: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "components.dataset",
        "--source",
        str(source),
        "--dataset",
        str(dataset),
        *options,
    ]


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "REELFLOW_EVENTS": str(folder / "events.jsonl")}


@pytest.fixture
def source(tmp_path):
    """Two classes of five clips, each a group of its own."""
    root = tmp_path / "clips"
    for label in ("run ä", "走る"):
        for number in range(5):
            write_video(root / label / f"clip\n{number}.mp4", 3, seed=number + 10 * len(label))
    return root


def reasons_of(report: DatasetReport) -> dict[str, str]:
    return {rejected.path: rejected.reason for rejected in report.quarantined}


def test_a_folder_becomes_a_data_set(source, tmp_path):
    report = run_on(source, tmp_path / "dataset")
    clips = read_clips(tmp_path / "dataset")
    assert report == DatasetReport.open(tmp_path / "dataset")
    assert report.labels == ("run ä", "走る")
    assert (report.source, report.generated, report.quarantined) == (str(source), False, ())
    assert sum(report.split_counts.values()) == len(clips) == report.metrics["clips"] == 10
    assert {(clip.label, clip.split) for clip in clips} == {
        (label, split) for label in report.labels for split in ("train", "validation", "test")
    }
    assert all((report.clips_root(tmp_path / "dataset") / clip.path).is_file() for clip in clips)
    assert {path.name for path in (tmp_path / "dataset").iterdir()} == {
        "clips.parquet",
        "clips_per_class.png",
        "dataset.json",
        "table.csv",
    }


def test_the_same_clips_give_the_same_report_and_other_clips_another_hash(source, tmp_path):
    one = run_on(source, tmp_path / "one")
    assert run_on(source, tmp_path / "two") == one
    (source / "run ä" / "clip\n0.mp4").rename(source / "run ä" / "clip\n00.mp4")
    assert run_on(source, tmp_path / "renamed").clips_sha256 != one.clips_sha256
    write_video(source / "run ä" / "more.mp4", 4, seed=99)
    assert run_on(source, tmp_path / "more").data_hash != one.data_hash


def test_what_cannot_be_used_is_left_out_with_its_reason(source, tmp_path):
    bad = source / "run ä"
    (bad / "text.mp4").write_text("not a clip")
    (bad / "zero.mp4").touch()
    (bad / "link.mp4").symlink_to("nowhere")
    shutil.copy(bad / "clip\n1.mp4", bad / "copy.mp4")
    report = run_on(source, tmp_path / "dataset")
    reasons = reasons_of(report)
    assert reasons["run ä/text.mp4"].startswith("it is not a")
    assert reasons["run ä/zero.mp4"] == "the file is empty"
    assert reasons["run ä/link.mp4"] == "it is a link to what is not there"
    assert reasons["run ä/copy.mp4"] == "same content as run ä/clip\n1.mp4"
    assert report.metrics["clips"] == 10
    assert report.metrics["quarantined"] == 4


def test_a_clip_in_two_classes_is_an_error_that_names_both(source, tmp_path):
    shutil.copy(source / "run ä" / "clip\n1.mp4", source / "走る" / "twin.mp4")
    with pytest.raises(DataError) as refused:
        run_on(source, tmp_path / "dataset")
    assert "run ä/clip\n1.mp4 (run ä) and 走る/twin.mp4 (走る)" in str(refused.value)
    assert not (tmp_path / "dataset/dataset.json").exists()


def test_nothing_usable_is_an_error_with_the_first_reason(tmp_path):
    (tmp_path / "clips/a").mkdir(parents=True)
    (tmp_path / "clips/a/1.mp4").touch()
    with pytest.raises(
        DataError, match=r"none of 1 clips can be used; the first one: a/1\.mp4: the file is empty"
    ):
        run_on(tmp_path / "clips", tmp_path / "dataset")


def test_a_class_of_one_clip_is_an_error_or_dropped(source, tmp_path):
    write_video(source / "lonely/1.mp4", 3, seed=77)
    with pytest.raises(DataError, match=r"lonely: 1 clip\(s\) in 1 group\(s\)"):
        run_on(source, tmp_path / "dataset")
    report = run_on(source, tmp_path / "dataset", drop_small_classes=True)
    assert report.dropped_classes == ("lonely",)
    assert report.labels == ("run ä", "走る")
    assert report.metrics["clips"] == 10


def test_a_class_whose_clips_are_all_broken_is_named(source, tmp_path):
    (source / "broken").mkdir()
    (source / "broken/1.mp4").touch()
    with pytest.raises(DataError, match=r"broken: 0 clip\(s\)"):
        run_on(source, tmp_path / "dataset")


def test_a_recipe_becomes_a_data_set_with_its_clips(tmp_path):
    (tmp_path / "small.yaml").write_text(SMALL)
    report = run_on(tmp_path / "small.yaml", tmp_path / "dataset")
    assert report.generated
    assert report.clips_root(tmp_path / "dataset") == tmp_path / "dataset" / "clips"
    assert (report.metrics["clips"], report.groups, len(report.labels)) == (24, 4, 6)
    for clip in read_clips(tmp_path / "dataset"):
        assert (tmp_path / "dataset/clips" / clip.path).stat().st_size == clip.size_bytes


@pytest.mark.slow
def test_a_killed_run_goes_on_with_what_it_found(tmp_path):
    text = SMALL.replace("clips_per_group: 1", "clips_per_group: 5").replace("groups: 4", "groups: 5")
    (tmp_path / "small.yaml").write_text(text)
    arguments = command(tmp_path / "small.yaml", tmp_path / "dataset")
    killed = subprocess.Popen(arguments, env=environment(tmp_path))
    deadline = time.monotonic() + 60
    while len(drawn := list(tmp_path.glob(".dataset-*.partial/clips/*/*.mp4"))) < 10:
        assert time.monotonic() < deadline
        assert killed.poll() is None
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "dataset").exists()
    before = {path.relative_to(path.parents[1]): path.stat().st_mtime_ns for path in drawn}
    subprocess.run(arguments, env=environment(tmp_path), check=True)
    after = {path: (tmp_path / "dataset/clips" / path).stat().st_mtime_ns for path in before}
    assert after == before
    assert DatasetReport.open(tmp_path / "dataset").metrics["clips"] == 150


def test_clips_that_were_probed_are_not_probed_again(source, tmp_path):
    dataset = tmp_path / "dataset"
    write_video(source / "lonely/1.mp4", 3, seed=77)
    with pytest.raises(DataError):
        run_on(source, dataset)
    notes = (dataset / ".probed.jsonl").read_text()
    assert len([line for line in notes.splitlines() if line]) == 11
    (dataset / ".probed.jsonl").write_text(notes.replace('"mpeg4"', '"noted"') + '\n{"cut')
    run_on(source, dataset, drop_small_classes=True)
    assert {clip.codec for clip in read_clips(dataset)} == {"noted"}


@pytest.mark.parametrize(
    ("make", "code", "said"),
    [
        (lambda folder: folder / "missing", 5, "does not exist"),
        slow(lambda folder: folder, 3, "holds no clips"),
        slow(lambda folder: _write(folder / "wrong.yaml", "seed: -1"), 2, "wrong.yaml is no recipe"),
    ],
)
def test_bad_sources_end_in_one_message_and_a_code(tmp_path, make, code, said):
    folder = tmp_path / "source"
    folder.mkdir()
    arguments = command(make(folder), tmp_path / "dataset")
    ended = subprocess.run(arguments, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert ended.returncode == code
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "dataset").exists()


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_flag_drops_small_classes(source, tmp_path):
    write_video(source / "lonely/1.mp4", 3, seed=77)
    arguments = command(source, tmp_path / "dataset", "--drop-small-classes")
    subprocess.run(arguments, env=environment(tmp_path), check=True)
    assert DatasetReport.open(tmp_path / "dataset").dropped_classes == ("lonely",)


def test_the_option_for_label_folders_comes_before_the_params(source, tmp_path):
    for label in ("run ä", "走る"):
        write_video(source / label / "day/1.mp4", 3, seed=len(label))
    document = yaml.safe_load(Path("params.yaml").read_text())
    document["dataset"] |= {"label_folder": "top"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(document))
    arguments = command(source, tmp_path / "dataset", "--params", str(tmp_path / "params.yaml"))
    asked = [*arguments, "--label-folder", "only"]
    ended = subprocess.run(asked, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    assert "the class of a clip is not certain" in ended.stderr


@pytest.mark.slow
def test_a_split_list_that_is_edited_in_place_splits_anew(source, tmp_path):
    clips = sorted(path.relative_to(source).as_posix() for path in source.rglob("*.mp4"))
    source, names = named_plainly(source, clips)
    lists = {split: str(tmp_path / f"{split}.txt") for split in ("train", "test")}
    document = yaml.safe_load(Path("params.yaml").read_text())
    document["dataset"] |= {"split_lists": lists, "split": "random"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(document))

    def test_clips(*listed: str) -> set[str]:
        Path(lists["test"]).write_text("\n".join(listed))
        Path(lists["train"]).write_text("\n".join(name for name in names if name not in listed))
        arguments = command(source, tmp_path / "dataset", "--params", str(tmp_path / "params.yaml"))
        subprocess.run(arguments, env=environment(tmp_path), check=True)
        return {clip.path for clip in read_clips(tmp_path / "dataset") if clip.split == "test"}

    assert test_clips(names[0], names[5]) == {names[0], names[5]}
    assert test_clips(names[1], names[6]) == {names[1], names[6]}


def test_of_two_copies_the_one_that_a_split_list_names_is_kept(source, tmp_path):
    clips = sorted(path.relative_to(source).as_posix() for path in source.rglob("*.mp4"))
    source, names = named_plainly(source, clips)
    shutil.copy(source / names[0], source / "a/!copy.mp4")
    (tmp_path / "test.txt").write_text("\n".join([names[0], names[5]]))
    (tmp_path / "train.txt").write_text("\n".join(name for name in names if name not in (names[0], names[5])))
    lists = {split: str(tmp_path / f"{split}.txt") for split in ("train", "test")}
    report = run_on(source, tmp_path / "dataset", split_lists=lists)
    assert reasons_of(report) == {"a/!copy.mp4": f"same content as {names[0]}"}
    assert {clip.path for clip in read_clips(tmp_path / "dataset") if clip.split == "test"} == {
        names[0],
        names[5],
    }


def test_a_split_list_that_is_no_file_is_an_error(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    for name in ("pipe.txt", "."):
        with pytest.raises(ParamsError, match="is not a regular file; name an existing list"):
            list_inputs(SplitLists(train=str(tmp_path / name), test="test.txt"))


def named_plainly(source: Path, clips: list[str]) -> tuple[Path, list[str]]:
    """The clips below names without line breaks, which lists of lines cannot hold."""
    plain = source.with_name("plain")
    names = [f"{'ab'[number // 5]}/{number % 5}.mp4" for number in range(len(clips))]
    for name, clip in zip(names, clips, strict=True):
        (plain / name).parent.mkdir(parents=True, exist_ok=True)
        (source / clip).rename(plain / name)
    return plain, names


def test_ucf101_as_it_lies_here(shared_data, tmp_path):
    lists = {split: str(shared_data / f"ucf101_splits/{split}list01.txt") for split in ("train", "test")}
    with pytest.raises(DataError, match=r"Punch: 0 clip\(s\) in 0 group\(s\) in the train list"):
        run_on(shared_data / "clips/ucf101", tmp_path / "dataset", split_lists=lists)
    report = run_on(shared_data / "clips/ucf101", tmp_path / "dataset", drop_small_classes=True)
    assert report.labels == ("Punch", "YoYo")
    assert len(report.dropped_classes) == 4
    assert (report.metrics["clips"], report.groups) == (87, 17)


@pytest.mark.slow
def test_ucf101_as_it_lies_here_by_the_lists(shared_data, tmp_path):
    lists = {split: str(shared_data / f"ucf101_splits/{split}list01.txt") for split in ("train", "test")}
    report = run_on(
        shared_data / "clips/ucf101",
        tmp_path / "dataset",
        split_lists={**lists, "incomplete": "split"},
        drop_small_classes=True,
    )
    clips = read_clips(tmp_path / "dataset")
    assert report == DatasetReport.open(tmp_path / "dataset")
    assert (report.labels, len(report.dropped_classes), len(clips)) == (("Punch", "YoYo"), 4, 87)
    assert "95 of the 101 classes have no clip" in report.notes[0]
    assert "Punch: 25 clips, all in the test list" in report.notes[-1]
    listed = set(Path(lists["test"]).read_text().split())
    yoyo = [clip for clip in clips if clip.label == "YoYo"]
    assert all((clip.split == "test") == (clip.path in listed) for clip in yoyo)
    assert len({(clip.group, clip.split) for clip in clips}) == 17


@pytest.mark.slow
def test_ut_interaction_keeps_its_sequences_whole(shared_data, tmp_path):
    report = run_on(shared_data / "clips/ut_interaction", tmp_path / "dataset")
    clips = read_clips(tmp_path / "dataset")
    assert report.quarantined == ()
    assert (len(clips), report.groups, len(report.labels)) == (108, 18, 6)
    assert len({(clip.group, clip.split) for clip in clips}) == 18
    rows = (tmp_path / "dataset/table.csv").read_text()
    assert re.search(r"clips,108\n", rows)
    assert json.loads((tmp_path / "dataset/dataset.json").read_text())["schema_version"] == 1


@pytest.mark.slow
def test_surveillance_fight_is_usable(shared_data, tmp_path):
    report = run_on(shared_data / "clips/surveillance_fight", tmp_path / "dataset")
    assert report.quarantined == ()
    assert report.metrics["clips"] == 239
    assert report.labels == ("fight", "no_fight")


CONTENTS = {
    "lfs.mp4": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
    "page.mp4": (b"\xef\xbb\xbf\n<!DOCTYPE html><html><body>Too many requests</body></html>", "a web page"),
    "error.mp4": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "an XML document"),
    "zeros.mp4": (bytes(4096), "begins with zeros"),
    "noise.mp4": (b"\x93\x07 not a clip" * 99, "it is not a"),
    "empty.mp4": (b"", "the file is empty"),
}


def test_files_that_are_no_clips_say_what_they_are(source, tmp_path):
    for name, (content, _) in CONTENTS.items():
        (source / "走る" / name).write_bytes(content)
    reasons = reasons_of(run_on(source, tmp_path / "dataset"))
    for name, (_, said) in CONTENTS.items():
        assert said in reasons[f"走る/{name}"]


def test_a_class_of_refused_clips_is_told_with_the_commonest_reasons_and_a_list(source, tmp_path):
    (source / "jump").mkdir()
    for number in range(4):
        (source / f"jump/{number}.mp4").write_bytes(CONTENTS["lfs.mp4"][0])
    (source / "jump/4.mp4").touch()
    with pytest.raises(DataError) as refused:
        run_on(source, tmp_path / "dataset")
    said = str(refused.value)
    assert "jump: 0 clip(s) in 0 group(s), and 5 refused: 4 it is a Git LFS pointer" in said
    kept = tmp_path / "dataset/quarantined.csv"
    assert f"{kept} names the 5 left out" in said
    assert len(kept.read_text().splitlines()) == 6
    assert not (tmp_path / "dataset/dataset.json").exists()
    report = run_on(source, tmp_path / "dataset", drop_small_classes=True)
    assert len(report.quarantined) == 5
    assert not kept.exists()


@pytest.mark.slow
def test_clips_and_folders_without_permission_are_left_out(source, tmp_path):
    for name in ("closed.mp4", "locked/in.mp4"):
        write_video(source / "走る" / name, 3, seed=5)
    (source / "走る/closed.mp4").chmod(0)
    (source / "走る/locked").chmod(0)
    ended = run_bound_by_rights(*command(source, tmp_path / "dataset"))
    (source / "走る/locked").chmod(0o700)
    assert ended.returncode == 0, ended.stderr
    reasons = reasons_of(DatasetReport.open(tmp_path / "dataset"))
    assert reasons == {
        "走る/closed.mp4": "permission denied: give this user the right to read it",
        "走る/locked": "the folder cannot be opened: Permission denied",
    }
    assert "2 left out" in ended.stderr


@pytest.mark.slow
def test_a_clip_that_becomes_readable_is_used(source, tmp_path):
    write_video(source / "走る/closed.mp4", 3, seed=5).chmod(0)
    arguments = command(source, tmp_path / "dataset")
    assert run_bound_by_rights(*arguments).returncode == 0
    (source / "走る/closed.mp4").chmod(0o600)
    assert run_bound_by_rights(*arguments).returncode == 0
    assert DatasetReport.open(tmp_path / "dataset").metrics["clips"] == 11


def test_split_folders_are_the_split(tmp_path):
    for split, label, number in product(("train", "val", "test"), ("grow", "shrink"), range(2)):
        seed = len(split) + 10 * len(label) + 100 * number
        write_video(tmp_path / "clips" / split / label / f"{number}.mp4", 3, seed=seed * 7 + ord(split[1]))
    report = run_on(tmp_path / "clips", tmp_path / "dataset")
    assert report.labels == ("grow", "shrink")
    assert report.split_counts == {"train": 4, "validation": 4, "test": 4}
    assert {(clip.path.split("/")[0], clip.split) for clip in read_clips(tmp_path / "dataset")} == {
        ("train", "train"),
        ("val", "validation"),
        ("test", "test"),
    }
    assert "give the split (4 train, 4 validation, 4 test)" in report.notes[0]


def test_linked_and_empty_class_folders_have_a_word(source, tmp_path):
    source.joinpath("走る").rename(tmp_path / "elsewhere")
    source.joinpath("走る").symlink_to(tmp_path / "elsewhere")
    (source / "empty").mkdir()
    report = run_on(source, tmp_path / "dataset")
    assert (report.labels, report.metrics["clips"]) == (("run ä", "走る"), 10)
    assert reasons_of(report) == {"empty": "the folder holds no clips: add some, or remove it"}
