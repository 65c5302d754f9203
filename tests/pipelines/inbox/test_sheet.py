"""Clips of devices come into a sheet: the uncertain first, the bad ones with their reason, labels kept."""

import csv
import io
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from components.dataset.source.listing import NO_CLIPS
from pipelines.inbox.build import LOCK, SCRATCH
from pipelines.inbox.clips import labels_of
from pipelines.inbox.gather import WaitingClip
from pipelines.inbox.notes import MOST_NOTE_BYTES
from pipelines.inbox.sheet import Sheet, SheetClip, read_labels, write_labels
from reelflow.errors import DataError
from reelflow.files import locked, sha256_file
from tests.permissions import run_bound_by_rights
from tests.pipelines.inbox.labelling import ID, Labelling
from tests.s3_server import BUCKET, SERVERS
from tests.videos import write_video


def names(work: Labelling) -> list[str]:
    return [clip.name for clip in work.sheet.clips]


def test_the_least_certain_clips_of_every_camera_come_first(work: Labelling) -> None:
    work.fill()
    work.keep(f"barn_20261127_100000_{ID}.mp4", None, frames=9)
    told = work.make()
    assert "4 new clips, 4 in the sheet, 0 with a label, 0 left out" in told
    assert [name[:15] for name in names(work)] == [
        "door_20261127_1",
        "gate_20261127_1",
        "barn_20261127_1",
        "door_20261127_1",
    ]
    scores = [clip.score for clip in work.sheet.clips]
    assert scores == [0.3, 0.45, None, 0.5]
    assert work.sheet.labels == ("fall", "walk")
    rows = list(csv.DictReader(io.StringIO(work.csv.read_text())))
    assert [row["best_guess"] for row in rows] == ["walk", "walk", "", "walk"]
    assert rows[0]["began_at"].startswith("2026-11-27T10:00")
    page = (work.folder / "index.html").read_text()
    assert page.count("door_20261127") == 2
    assert "https://" not in page
    assert "http://" not in page


def test_a_grown_inbox_adds_clips_and_keeps_labels(work: Labelling) -> None:
    work.fill()
    work.make()
    work.label(gate="fall")
    work.keep(f"shed_20261127_100000_{ID}.mp4", 0.1, frames=9)
    assert "1 new clips, 4 in the sheet, 1 with a label" in work.make()
    assert read_labels(work.csv, work.sheet) == {f"gate_20261127_100000_{ID}.mp4": "fall"}
    assert "0 new clips, 4 in the sheet, 1 with a label" in work.make()


def test_no_more_than_asked_for_are_added(work: Labelling) -> None:
    work.fill()
    assert "2 new clips" in (told := work.make("--most", 2))
    assert "1 more are in the inbox" in told
    assert "1 new clips, 3 in the sheet" in work.make("--most", 2)


def test_the_same_clip_of_two_places_comes_once(work: Labelling) -> None:
    work.keep(f"one/door_20261127_100000_{ID}.mp4")
    work.keep(f"two/door_20261127_100000_{ID}.mp4")
    assert "1 new clips" in work.make()
    assert "0 new clips" in work.make()


def test_clips_of_one_name_are_told_apart(work: Labelling) -> None:
    work.keep("one/door.mp4", frames=8)
    work.keep("two/door.mp4", frames=9)
    work.make()
    assert sorted(names(work))[1] == "door.mp4"
    assert sorted(names(work))[0].startswith("door-")


def test_a_name_that_another_clip_would_get_takes_its_place_from_none(work: Labelling) -> None:
    last = work.keep("two/door.mp4", 0.3, frames=9)
    work.keep("one/door.mp4", 0.1, frames=8)
    work.keep(f"three/door-{sha256_file(last)[:12]}.mp4", 0.2, frames=10)
    work.make()
    assert len(set(names(work))) == 3
    for clip in work.sheet.clips:
        assert sha256_file(work.folder / "clips" / clip.name) == clip.sha256


def test_bad_clips_are_left_out_with_their_reason_and_stop_nothing(work: Labelling, tmp_path: Path) -> None:
    good = work.keep(f"door_20261127_100000_{ID}.mp4")
    (work.inbox / "empty.mp4").touch()
    (work.inbox / "cut.mp4").write_bytes(good.read_bytes()[:300])
    (work.inbox / "page.mp4").write_text("<!doctype html><p>Sign in")
    (work.inbox / "half.mp4.part").write_bytes(b"half")
    os.truncate(work.keep("large.mp4", frames=9), 600_000_000)
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(work.keep("own.mp4", frames=13).read_bytes())
    (work.inbox / "link.mp4").symlink_to(secret)
    os.mkfifo(work.inbox / "pipe.mp4")
    os.rename(work.keep("latin.mp4", frames=14), os.fsencode(work.inbox) + b"/caf\xe9.mp4")  # noqa: PTH104
    told = work.make()
    assert "2 new clips" in told
    reasons = {one.path: one.reason for one in work.sheet.rejected}
    files = {"empty.mp4", "cut.mp4", "page.mp4", "half.mp4.part", "large.mp4"}
    assert reasons.keys() == {*files, "link.mp4", "pipe.mp4", "caf\\xe9.mp4"}
    assert "a link, a pipe or a device" in reasons["link.mp4"]
    assert "a link, a pipe or a device" in reasons["pipe.mp4"]
    assert "not valid UTF-8" in reasons["caf\\xe9.mp4"]
    assert "it is empty" in reasons["empty.mp4"]
    assert "it is a web page" in reasons["page.mp4"]
    assert "600 MB" in reasons["large.mp4"]
    assert "left out: cut.mp4: " in told
    assert "0 left out" in work.make(), "nothing bad is looked at again"


@pytest.mark.parametrize(
    "note",
    [b"{", b"[]", b'{"camera": 1}', b"\xff\xfe", b" " * (MOST_NOTE_BYTES + 1)],
    ids=["cut", "list", "wrong", "bytes", "huge"],
)
def test_a_clip_with_a_bad_note_comes_without_it(work: Labelling, note: bytes) -> None:
    clip = work.keep(f"door_20261127_100000_{ID}.mp4")
    clip.with_suffix(".json").write_bytes(note)
    assert f"without its note: door_20261127_100000_{ID}.json: it " in work.make()
    (found,) = work.sheet.clips
    assert (found.camera, found.score, found.best_guess) == ("door", None, "")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"score": -5}, "its score is -5, expected 0 to 1"),
        ({"score": 1e300}, "its score is 1e+300, expected 0 to 1"),
        ({"score": float("nan")}, "score Input should be a finite number"),
        ({"began_at": "yesterday"}, "it began at 'yesterday', expected a time of ISO 8601"),
    ],
)
def test_a_note_that_cannot_be_true_is_told(work: Labelling, change: dict[str, Any], told: str) -> None:
    work.keep(f"door_20261127_100000_{ID}.mp4", **{"score": 0.3} | change)
    assert told in work.make()
    assert work.sheet.clips[0].score is None


def test_what_a_note_says_is_shown_in_one_short_line(work: Labelling) -> None:
    work.keep("door_1.mp4", 0.3, camera="\x1b[31m\u202ered\n=1+1" + "x" * 9000)
    work.make()
    (clip,) = work.sheet.clips
    assert clip.camera.startswith("[31m red =1+1xxx")
    assert len(clip.camera) == 80
    assert len(work.csv.read_text().splitlines()) == 2


@pytest.mark.slow
def test_a_clip_that_this_user_may_not_read_is_asked_for_again(work: Labelling) -> None:
    work.fill()
    gate = next(work.inbox.glob("gate*.mp4"))
    gate.chmod(0)
    command = ("-m", "pipelines", "inbox", "sheet", work.inbox, work.folder, "--clips", work.clips)
    done = run_bound_by_rights(sys.executable, *map(str, command))
    assert done.returncode == 0, done.stderr
    assert f"left out: {gate.name}: it cannot be read: Permission denied" in done.stdout
    assert "2 new clips" in done.stdout
    gate.chmod(0o644)
    assert "1 new clips, 3 in the sheet" in work.make()
    assert work.sheet.rejected == ()


@pytest.mark.slow
def test_two_calls_at_once_lose_nothing(work: Labelling) -> None:
    work.fill()
    work.make()
    inboxes = [work.inbox.with_name(name) for name in ("first", "second")]
    calls = []
    for number, inbox in enumerate(inboxes):
        for clip in range(4):
            write_video(inbox / f"{inbox.name}{clip}.mp4", frames=40 + 10 * number + clip)
        command = [sys.executable, "-m", "pipelines", "inbox", "sheet", inbox, work.folder]
        calls.append(subprocess.Popen([*map(str, command), "--clips", str(work.clips)]))
    assert [call.wait(60) for call in calls] == [0, 0]
    assert len(work.sheet.clips) == 11
    assert len(work.csv.read_text().splitlines()) == 12


def test_real_clips_of_all_kinds_come_or_are_told(work: Labelling, shared_data: Path, tmp_path: Path) -> None:
    """Half of these are odd in some way: no length, no frames, wrong names, streams that change."""
    odd = sorted(shared_data.joinpath("odd_videos").iterdir())[:12]
    for path in odd:
        shutil.copy(path, work.inbox)
    work.make()
    passed = {clip.origin for clip in work.sheet.clips} | {one.path for one in work.sheet.rejected}
    assert {path.name for path in odd} - passed <= {path.name for path in odd if path.suffix in NO_CLIPS}
    assert work.sheet.clips
    for clip in work.sheet.clips:
        with Image.open(work.folder / "strips" / f"{clip.name}.jpg") as strip:
            assert strip.height <= 144
            strip.load()
        assert sha256_file(work.folder / "clips" / clip.name) == sha256_file(work.inbox / clip.origin)


def test_a_sheet_without_one_of_its_pictures_is_told(work: Labelling) -> None:
    work.fill()
    work.make()
    next((work.folder / "strips").iterdir()).unlink()
    failed = work.error("sheet", work.inbox, work.folder, "--clips", work.clips)
    assert "put it back, or make a new sheet" in str(failed)
    assert failed.exit_code == 5


def test_what_is_among_the_clips_needs_no_label(work: Labelling) -> None:
    work.fill()
    known = next(work.inbox.glob("gate*.mp4"))
    (work.clips / "walk" / "known.mp4").write_bytes(known.read_bytes())
    told = work.make()
    assert "2 new clips" in told
    assert "1 among the clips already" in told
    assert "0 new clips" in work.make()


def test_labels_are_those_of_the_clips_however_they_lie(work: Labelling) -> None:
    split = work.folder.with_name("split")
    for place in ("train/fall", "train/walk", "val/walk", "test/fall"):
        write_video(split / place / f"{place.replace('/', '')}.mp4")
    assert labels_of(split, "") == ("fall", "walk")
    flat = work.folder.with_name("flat")
    write_video(flat / "a.mp4")
    (flat / "groups.csv").write_text("path,label,group\na.mp4,run,g\n")
    assert labels_of(flat, "sit") == ("run", "sit")
    (work.clips / "jump").mkdir()
    assert labels_of(work.clips, "") == ("fall", "jump", "walk")


def test_what_a_device_writes_becomes_no_markup_and_no_formula(work: Labelling) -> None:
    evil = "</script><script>alert(1)</script>"
    work.keep(f"door_20261127_100000_{ID}.mp4", camera=evil, best_guess='=HYPERLINK("x")')
    work.make()
    assert evil not in (work.folder / "index.html").read_text()
    (row,) = csv.DictReader(io.StringIO(work.csv.read_text()))
    assert row["best_guess"] == '\'=HYPERLINK("x")'
    assert row["camera"] == evil


def test_a_sheet_takes_no_folder_with_other_files(work: Labelling) -> None:
    work.folder.mkdir()
    (work.folder / "thesis.txt").write_text("mine")
    failed = work.error("sheet", work.inbox, work.folder, "--clips", work.clips)
    assert "has files, but is not a sheet" in str(failed)
    assert [path.name for path in work.folder.iterdir()] == ["thesis.txt"]


@pytest.mark.slow
def test_a_call_waits_for_one_that_is_making_the_sheet(work: Labelling) -> None:
    work.fill()
    with locked(work.folder / LOCK):
        (work.folder / f"{SCRATCH}other").mkdir()  # before there is a sheet.json
        command = [sys.executable, "-m", "pipelines", "inbox", "sheet", work.inbox, work.folder]
        call = subprocess.Popen([*command, "--clips", work.clips], stderr=subprocess.PIPE, text=True)
        assert call.stderr
        assert "waiting for another call" in call.stderr.readline()
    _, told = call.communicate(timeout=60)
    assert call.returncode == 0, told
    assert len(work.sheet.clips) == 3


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
@pytest.mark.parametrize("server", SERVERS)
def test_an_inbox_in_s3(
    server: str,
    work: Labelling,
    s3_servers: Callable[[str], str],
    s3_credentials: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endpoint = s3_servers(server)
    monkeypatch.setenv("REELFLOW_S3_ENDPOINT", endpoint)
    work.fill()
    bucket = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    for path in work.inbox.iterdir():
        bucket.upload_file(str(path), BUCKET, f"inbox/{path.name}")
    bucket.put_object(Bucket=BUCKET, Key="inbox/cut.mp4", Body=b"cut")
    address = f"s3://{BUCKET}/inbox"
    told = work.done("sheet", address, work.folder, "--clips", work.clips)
    assert "3 new clips, 3 in the sheet, 0 with a label, 1 left out" in told
    assert [clip.score for clip in work.sheet.clips] == [0.3, 0.45, 0.5]
    assert "0 new clips" in work.done("sheet", address, work.folder, "--clips", work.clips)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "found none, expected two or more"),
        (("--labels", "fall"), "found fall, expected two or more"),
        (("--labels", "fall,unusable"), "'unusable' cannot be used"),
        (("--labels", "fall,unsure"), "'unsure' cannot be used: a device calls"),
        (("--labels", "fall,../walk"), "'../walk' cannot be used"),
        (("--labels", "fall,.walk"), "'.walk' cannot be used: a folder of this name is not read"),
        (("--labels", "fall,groups.csv"), "'groups.csv' cannot be used"),
        (("--labels", f"fall,{'x' * 201}"), "it has more than 200 bytes"),
        (("--labels", "fall,wa\x1blk"), "characters that names of folders do not have"),
        (("--labels", "train,test"), "are names of splits"),
        (("--labels", "fall,Fall"), "are written in several ways"),
        (("--labels", "fall,walk", "--clips", "absent"), "absent is not a folder"),
    ],
)
def test_labels_must_be_such(work: Labelling, options: tuple[str, ...], told: str) -> None:
    failed = work.error("sheet", work.inbox, work.folder, *options)
    assert told in str(failed)
    assert failed.exit_code == 3


def test_there_must_be_an_inbox(work: Labelling) -> None:
    failed = work.error("sheet", work.inbox / "absent", work.folder, "--labels", "a,b")
    assert "is not a folder: name where devices' clips are" in str(failed)


def test_a_killed_call_is_made_good_by_the_next(work: Labelling, monkeypatch: pytest.MonkeyPatch) -> None:
    work.fill()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.inbox.build.write_page", killed)
        work.run("sheet", work.inbox, work.folder, "--clips", work.clips)
    assert not (work.folder / "index.html").exists()
    assert "0 new clips, 3 in the sheet" in work.make()
    assert (work.folder / "index.html").is_file()
    assert not [path for path in work.folder.iterdir() if path.name.startswith(".new-")]
    assert stat.S_ISREG((work.folder / "clips" / names(work)[0]).lstat().st_mode)


SHEETS = st.lists(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True), unique=True, max_size=8)
LABELS = st.lists(
    st.text(st.characters(exclude_characters="/\\\0\n\r", exclude_categories=("Cs",)), min_size=1)
    .map(str.strip)
    .filter(lambda text: text and text not in (".", "..", "unusable")),
    unique=True,
    min_size=2,
    max_size=4,
)


@given(SHEETS, LABELS, st.randoms(use_true_random=False), st.sampled_from(["utf-8", "utf-8-sig"]))
def test_labels_are_read_as_they_were_written(tmp_path_factory, clips, labels, chance, encoding):
    folder = tmp_path_factory.mktemp("sheet")
    made = [
        SheetClip(name=name, origin=name, identity=name, sha256="0" * 64, duration_s=1.0, camera="=1+1")
        for name in clips
    ]
    sheet = Sheet(labels=tuple(labels), clips=tuple(made))
    given_labels = {name: chance.choice([*labels, "unusable"]) for name in clips if chance.random() < 0.7}
    write_labels(folder, sheet, given_labels)
    path = folder / "labels.csv"
    path.write_bytes(path.read_text().encode(encoding))
    assert read_labels(path, sheet) == given_labels


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=300))
def test_any_name_of_a_device_becomes_one_that_every_system_takes(name):
    safe = WaitingClip(origin=f"a/{name}", identity="", note=None).safe_name
    SheetClip(name=safe, origin=name, identity="", sha256="0" * 64, duration_s=1.0)
    assert len(safe) <= 200


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has the columns of an empty file"),
        ("clip;label\nx.mp4;fall\n", "line 2: 'x.mp4' is not a clip of this sheet"),
        ("clip,label\na.mp4,run\n", "line 2: the label 'run' is not one of fall, unusable, walk"),
        ("clip,label\na.mp4,fall\na.mp4,walk\n", "line 3: a.mp4 has two labels"),
        ("clip,tag\na.mp4,fall\n", "has the columns clip, tag: expected clip and label"),
        ("clip,label,label\na.mp4,fall,walk\n", "expected clip and label, once each"),
    ],
)
def test_wrong_labels_are_told_with_their_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    clip = SheetClip(name="a.mp4", origin="a", identity="", sha256="0" * 64, duration_s=1.0)
    with pytest.raises(DataError) as failed:
        read_labels(path, Sheet(labels=("fall", "walk"), clips=(clip,)))
    assert told in str(failed.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("first", ["", "sep={}\r\n"])
def test_files_of_spreadsheets_are_read(tmp_path: Path, delimiter: str, first: str) -> None:
    path = tmp_path / "labels.csv"
    text = f"\ufeff{first.format(delimiter)}Label{delimiter}Clip\r\n fall {delimiter}a.mp4\r\n{delimiter}\r\n"
    path.write_bytes(text.encode())
    clip = SheetClip(name="a.mp4", origin="a", identity="", sha256="0" * 64, duration_s=1.0)
    assert read_labels(path, Sheet(labels=("fall", "walk"), clips=(clip,))) == {"a.mp4": "fall"}
