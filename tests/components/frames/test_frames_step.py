"""The frames step on real clips: exact, repeatable, resumed where it was killed."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from components.frames import step
from reelflow.artifacts.clips import read_clips
from reelflow.artifacts.frames import FrameStore
from reelflow.artifacts.shard_files import shard_access
from reelflow.contracts import FramesReport
from reelflow.errors import BundleError, DataError, ParamsError
from reelflow.objectstore.directory import DirectoryStore
from reelflow.objectstore.open import open_store
from reelflow.params import FramesParams
from reelflow.settings import Settings
from reelflow.video.sample import uniform_indices
from tests.environment import in_environment
from tests.permissions import run_bound_by_rights
from tests.videos import level, write_dataset, write_video

run = in_environment(step.run)

PARAMS = FramesParams(count=5, oversample=1, jpeg_quality=95, shards=4, clip_timeout_s=60)


@pytest.fixture
def dataset(tmp_path):
    """Eight clips of 3 to 10 frames, in two classes."""
    root = tmp_path / "clips"
    paths = [write_video(root / f"class {n % 2}" / f"ä {n}.mp4", 3 + n) for n in range(8)]
    write_dataset(tmp_path / "dataset", paths, root)
    return tmp_path / "dataset"


def noisy_dataset(folder: Path, clips: int) -> None:
    root = folder / "clips"
    paths = [write_video(root / "a" / f"{n}.mp4", 12, (320, 240), seed=n) for n in range(clips)]
    write_dataset(folder / "dataset", paths, root)


def params_file(folder: Path) -> Path:
    """params.yaml with more, smaller shards."""
    text = re.sub(r"shards: \d+", "shards: 12", Path("params.yaml").read_text())
    (folder / "params.yaml").write_text(text)
    return folder / "params.yaml"


def start(folder: Path, frames: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "components.frames", "--dataset", str(folder / "dataset")]
    command += ["--frames", str(frames), "--params", str(params_file(folder))]
    environment = {**os.environ, "REELFLOW_EVENTS": str(folder / "events.jsonl")}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


def run_into(dataset: Path, frames: Path, params: FramesParams = PARAMS) -> FramesReport:
    frames.mkdir(exist_ok=True)
    return run(params, dataset=dataset, frames=frames)


def test_every_clip_gives_its_uniform_frames(dataset, tmp_path):
    report = run_into(dataset, tmp_path / "frames")
    assert report.metrics["clips"] == 8
    assert report.metrics["frames"] == 40
    assert report.quarantined == ()
    store = FrameStore(tmp_path / "frames")
    assert store.report == report
    found = sorted(
        [round(float(frame.mean())) for frame in store.read(clip_id)] for clip_id in store.clip_ids
    )
    expected = sorted([level(index) for index in uniform_indices(3 + n, 5)] for n in range(8))
    assert np.allclose(found, expected, atol=8)


def test_frames_beside_the_plain_ones_are_kept_and_change_none_of_them(dataset, tmp_path):
    run_into(dataset, tmp_path / "plain")
    report = run_into(dataset, tmp_path / "more", PARAMS.model_copy(update={"oversample": 3}))
    assert (report.count, report.oversample, report.metrics["frames"]) == (5, 3, 120)
    plain, more = FrameStore(tmp_path / "plain"), FrameStore(tmp_path / "more")
    longest = max(more.clip_ids, key=lambda clip_id: more.read(clip_id, 1)[-1].mean())
    for clip_id in plain.clip_ids:
        assert np.array_equal(more.read(clip_id), plain.read(clip_id))
    for offset in (-1, 0, 1):
        found = [frame.mean() for frame in more.read(longest, offset)]
        expected = [level(index) for index in uniform_indices(10, 15)[1 + offset :: 3]]
        assert np.allclose(found, expected, atol=8)


def test_the_same_clips_give_the_same_bytes(dataset, tmp_path):
    for name in ("one", "two"):
        run_into(dataset, tmp_path / name)
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two")
    )
    assert one == two


def test_clips_that_changed_since_are_left_out(dataset, tmp_path):
    write_video(tmp_path / "clips/class 0/ä 0.mp4", 9)
    (tmp_path / "clips/class 1/ä 1.mp4").unlink()
    report = run_into(dataset, tmp_path / "frames")
    reasons = {rejected.path: rejected.reason for rejected in report.quarantined}
    assert reasons == {
        "class 0/ä 0.mp4": "its content changed since the dataset step",
        "class 1/ä 1.mp4": "it is missing since the dataset step",
    }
    assert len(FrameStore(tmp_path / "frames").clip_ids) == 6


@pytest.mark.slow
def test_clips_in_a_folder_that_lost_its_rights_are_left_out(tmp_path):
    noisy_dataset(tmp_path, 1)
    root = tmp_path / "clips"
    paths = [*root.rglob("*.mp4"), write_video(root / "b/closed.mp4", 12)]
    write_dataset(tmp_path / "dataset", paths, root)
    command = [sys.executable, "-m", "components.frames", "--dataset", str(tmp_path / "dataset")]
    (root / "b").chmod(0)
    ended = run_bound_by_rights(*command, "--frames", str(tmp_path / "frames"))
    (root / "b").chmod(0o700)
    assert ended.returncode == 0, ended.stderr
    (left_out,) = FramesReport.open(tmp_path / "frames").quarantined
    assert (left_out.path, left_out.reason) == ("b/closed.mp4", "it cannot be read: Permission denied")


def test_no_clip_left_is_an_error(dataset, tmp_path):
    for path in (tmp_path / "clips").rglob("*.mp4"):
        path.unlink()
    with pytest.raises(DataError, match="no clip could be decoded"):
        run_into(dataset, tmp_path / "frames")
    assert not (tmp_path / "frames/frames.json").exists()


def test_a_dataset_that_is_not_whole_is_an_error(dataset, tmp_path):
    (dataset / "dataset.json").unlink()
    with pytest.raises(BundleError, match="has not finished"):
        run_into(dataset, tmp_path / "frames")


def test_only_shards_without_index_are_written_again(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("REELFLOW_STORE", "none")
    frames = tmp_path / "frames"
    report = run_into(dataset, frames)
    first, *others = [frames / shard.file for shard in report.shards]
    (frames / "frames.json").unlink()
    first.with_suffix(".json").unlink()
    before = {path: path.stat().st_ino for path in others}
    written = first.stat().st_ino
    assert run_into(dataset, frames) == report
    assert {path: path.stat().st_ino for path in others} == before
    assert first.stat().st_ino != written


@pytest.mark.slow
def test_a_killed_run_goes_on_and_writes_no_finished_shard_again(tmp_path):
    noisy_dataset(tmp_path, 24)
    killed = start(tmp_path, tmp_path / "frames")
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob(".frames-*.partial/shard-*[0-9].json"))) < 2:
        assert time.monotonic() < deadline
        assert killed.poll() is None, "it finished before it could be killed"
        time.sleep(0.002)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / "frames").exists()
    indexes = sorted(tmp_path.glob(".frames-*.partial/shard-*[0-9].json"))
    finished = {
        path.with_suffix(".tar").name: path.with_suffix(".tar").stat().st_mtime_ns for path in indexes
    }
    assert 2 <= len(finished) < 12

    again = start(tmp_path, tmp_path / "frames")
    assert again.wait(120) == 0, again.stderr.read()
    again.communicate()
    after = {name: (tmp_path / "frames" / name).stat().st_mtime_ns for name in finished}
    assert after == finished
    assert len(FrameStore(tmp_path / "frames").clip_ids) == 24


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("mounting a small file system is not permitted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
def test_a_full_disk_is_said_and_the_run_goes_on_when_there_is_room(tmp_path, small_disk):
    noisy_dataset(tmp_path, 2)
    full = start(tmp_path, small_disk / "frames")
    _, said = full.communicate(timeout=120)
    assert full.returncode == 6
    assert "the disk is full" in said
    assert "Traceback" not in said
    assert not (small_disk / "frames").exists()

    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    again = start(tmp_path, small_disk / "frames")
    _, said = again.communicate(timeout=120)
    assert again.returncode == 0, said
    assert len(FrameStore(small_disk / "frames").clip_ids) == 2


def test_a_read_only_disk_is_said(tmp_path, small_disk):
    noisy_dataset(tmp_path, 2)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    refused = start(tmp_path, small_disk / "frames")
    _, said = refused.communicate(timeout=120)
    assert refused.returncode == 6
    assert "read-only" in said
    assert "Traceback" not in said


def test_parts_share_what_the_whole_step_then_takes(dataset, tmp_path, monkeypatch):
    alone = run_into(dataset, tmp_path / "alone")
    monkeypatch.setenv("REELFLOW_STORE", str(tmp_path / "another"))
    parts = []
    for part in ("1/3", "2/3", "3/3"):
        folder = tmp_path / part.replace("/", "-")
        folder.mkdir()
        parts.append(run(PARAMS, dataset=dataset, frames=folder, part=part))
    dealt = [shard for report in parts for shard in report.shards]
    assert sorted(dealt, key=lambda shard: shard.file) == list(alone.shards)
    shutil.rmtree(tmp_path / "clips")  # no clip is decoded any more
    assert run_into(dataset, tmp_path / "whole") == alone


def test_what_a_killed_attempt_did_not_share_the_next_one_shares(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("REELFLOW_STORE", "none")
    alone = run_into(dataset, tmp_path / "frames")
    monkeypatch.setenv("REELFLOW_STORE", str(tmp_path / "store"))
    shutil.rmtree(tmp_path / "clips")
    assert run_into(dataset, tmp_path / "frames") == run_into(dataset, tmp_path / "elsewhere") == alone


@pytest.fixture
def stays(tmp_path, monkeypatch) -> DirectoryStore:
    """A store in which shards stay."""
    monkeypatch.setenv("REELFLOW_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("REELFLOW_SHARDS", "store")
    return DirectoryStore(tmp_path / "store")


def frames_of(folder: Path) -> dict[str, bytes]:
    store = FrameStore(folder, shard_access(Settings(), open_store(Settings())))
    return {clip_id: store.read(clip_id).tobytes() for clip_id in store.clip_ids}


def test_shards_that_stay_in_the_store_do_not_go_with_the_report(dataset, tmp_path, monkeypatch, stays):
    lean = run_into(dataset, tmp_path / "lean")
    assert [path.name for path in (tmp_path / "lean").iterdir()] == ["frames.json"]
    found = frames_of(tmp_path / "lean")
    monkeypatch.setenv("REELFLOW_SHARDS", "folder")
    monkeypatch.setenv("REELFLOW_STORE", "none")
    whole = run_into(dataset, tmp_path / "whole")
    assert lean == whole.model_copy(update={"stored": True})
    assert frames_of(tmp_path / "whole") == found


def test_a_second_run_fetches_no_shard_that_stays(dataset, tmp_path, monkeypatch, stays):
    first = run_into(dataset, tmp_path / "first")
    shutil.rmtree(tmp_path / "clips")
    fetched = []
    get = DirectoryStore.get
    monkeypatch.setattr(
        DirectoryStore,
        "get",
        lambda store, name, path, **how: fetched.append(name) or get(store, name, path, **how),
    )
    assert run_into(dataset, tmp_path / "second") == first
    assert not {f"frames/files/{shard.sha256}" for shard in first.shards} & set(fetched)


def test_a_shard_that_the_store_has_lost_is_made_again(dataset, tmp_path, stays):
    first = run_into(dataset, tmp_path / "first")
    stays.delete(f"frames/files/{first.shards[0].sha256}")
    assert run_into(dataset, tmp_path / "second") == first
    assert len(frames_of(tmp_path / "first")) == 8


def test_a_shard_with_a_quarantined_clip_stays_without_being_shared(dataset, tmp_path, stays):
    bad = read_clips(dataset)[0]
    (tmp_path / "clips" / bad.path).write_bytes(b"no video")
    report = run_into(dataset, tmp_path / "frames")
    assert [one.path for one in report.quarantined] == [bad.path]
    assert len(frames_of(tmp_path / "frames")) == 7
    listings = [one.name for one in stays.list("frames/") if one.name.endswith(".json")]
    assert len(listings) == len(report.shards) - 1


def test_a_part_may_be_empty(dataset, tmp_path):
    (tmp_path / "frames").mkdir()
    report = run(PARAMS, dataset=dataset, frames=tmp_path / "frames", part="9/9")
    assert report.shards == ()


@pytest.mark.parametrize("part", ["0/2", "3/2", "1/0", "2", "a/b", "1/2/3"])
def test_a_part_that_is_none(dataset, tmp_path, part):
    with pytest.raises(ParamsError, match="part is"):
        run(PARAMS, dataset=dataset, frames=tmp_path, part=part)


def test_another_clip_makes_its_shard_alone_again(dataset, tmp_path, monkeypatch):
    before = run_into(dataset, tmp_path / "before")
    root = tmp_path / "clips"
    new = write_video(root / "class 0" / "new.mp4", 5, seed=99)
    write_dataset(tmp_path / "dataset", sorted(root.glob("*/*.mp4")), root)
    with monkeypatch.context() as patch:
        patch.setenv("REELFLOW_STORE", "none")
        expected = run_into(dataset, tmp_path / "alone")
    (changed,) = (shard for shard in expected.shards if shard not in before.shards)
    clips = {clip.clip_id: root / clip.path for clip in read_clips(dataset)}
    assert new in {clips[clip_id] for clip_id in changed.clip_ids}
    for clip_id in clips.keys() - set(changed.clip_ids):
        clips[clip_id].unlink()  # they are not decoded any more
    assert run_into(dataset, tmp_path / "after") == expected
