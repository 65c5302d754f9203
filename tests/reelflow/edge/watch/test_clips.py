"""`watch` keeps clips, of events and of unsure windows: though the camera dies, or the disk is full."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from components.dataset.source.clips import Reading, find_clips
from reelflow.edge.recording.keeper import RecordOptions
from reelflow.errors import StorageError
from reelflow.video.decode import probe
from tests.bundles import WINDOW_S
from tests.faults.pipeline.disks import small_disk
from tests.reelflow.edge.camera.http_camera import http_camera, silent, steady, wait_for
from tests.reelflow.edge.watch.test_watcher import OPTIONS, Kept, watched, watching
from tests.videos import write_video


def clips(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("[!.]*") if path.suffix in (".mp4", ".mkv"))


def starts(kept: Kept) -> list[str]:
    return [event.id for event in kept.events() if event.phase == "start" and event.label != "unsure"]


def test_each_event_of_a_file_has_a_clip_with_its_id(edge_bundle, tmp_path):
    video = write_video(tmp_path / "noise.mp4", frames=80, seed=1)
    options = replace(OPTIONS, recording=RecordOptions(tmp_path / "clips", before_s=1.0, after_s=1.0))
    kept = watched(edge_bundle, video, options)
    found = clips(tmp_path / "clips")
    assert sorted(path.stem.rpartition("_")[2] for path in found) == sorted(starts(kept))
    assert found
    for event in (event for event in kept.events() if event.phase == "end" and event.label != "unsure"):
        (clip,) = [path for path in found if event.id in path.name]
        assert event.label in clip.name
        assert probe(clip).duration_s >= min(event.duration_s, 6.0)


def test_unsure_windows_are_training_data_once_they_are_sorted(edge_bundle, tmp_path):
    video = write_video(tmp_path / "noise.mp4", frames=100, seed=1)
    folder = tmp_path / "unsure"
    recording = RecordOptions(unsure=folder, unsure_below=1.0, unsure_every_s=0.0)
    watched(edge_bundle, video, replace(OPTIONS, recording=recording))
    found = clips(folder)
    assert 3 <= len(found) <= 10.0 / WINDOW_S, "one a window at most"
    for number, clip in enumerate(found):
        assert abs(probe(clip).duration_s - WINDOW_S) <= 0.2
        note = json.loads(clip.with_suffix(".json").read_text())
        assert note["best_guess"] == max(note["scores"], key=note["scores"].get)
        assert note["duration_s"] == pytest.approx(WINDOW_S)
        (folder / f"class{number % 2}").mkdir(exist_ok=True)
        clip.rename(folder / f"class{number % 2}" / clip.name)
    taken = find_clips(folder, Reading()).clips
    assert sorted({clip.label for clip in taken}) == ["class0", "class1"]
    assert len(taken) == len(found)
    assert len({clip.group for clip in taken}) == 1, "windows of one hour never straddle a split"


@pytest.mark.parametrize(
    "end", ["killed", *(pytest.param(one, marks=pytest.mark.slow) for one in ("cut", "silent"))]
)
def test_a_clip_survives_the_end_of_its_camera_and_of_the_reading_process(edge_bundle, tmp_path, end):
    sendings = {"killed": steady(), "cut": steady(150), "silent": silent(steady(150))}
    options = replace(OPTIONS, timeout_s=3.0, recording=RecordOptions(tmp_path / "clips"))
    with (
        http_camera(sendings[end], steady()) as camera,
        watching(edge_bundle, camera.address, options) as kept,
    ):
        wait_for(lambda: bool(starts(kept)))
        if end == "killed":
            wait_for(lambda: any(path.stat().st_size > 10_000 for path in (tmp_path / "clips").iterdir()))
            tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
            for child in (child for task in tasks for child in task.read_text().split()):
                if b"camera.reading" in Path(f"/proc/{child}/cmdline").read_bytes():
                    os.kill(int(child), signal.SIGKILL)
        wait_for(lambda: any(state.state == "lost" for state in kept.states()))
        (clip,) = [path for path in clips(tmp_path / "clips") if starts(kept)[0] in path.name]
        assert probe(clip).duration_s > 1.0
        assert "s3cret" not in clip.name


@pytest.mark.slow
def test_a_full_disk_is_told_and_the_watching_goes_on(edge_bundle, tmp_path):
    said: list[str] = []
    with small_disk(tmp_path / "disk") as disk, http_camera(steady()) as camera:
        options = replace(OPTIONS, recording=RecordOptions(disk.folder, unsure=disk.folder, unsure_below=1.0))
        with watching(edge_bundle, camera.address, options, said.append) as kept:
            wait_for(lambda: bool(said))
            answered = len(kept.answers())
            wait_for(lambda: len(kept.answers()) > answered + 2)
            assert camera.connections == 1
    assert any("No space left on device" in one for one in said)
    assert any("not kept whole" in one for one in said[-1:])


def test_a_folder_that_cannot_be_written_is_an_error_at_the_start(edge_bundle, tmp_path):
    (tmp_path / "file").touch()
    options = replace(OPTIONS, recording=RecordOptions(tmp_path / "file"))
    with pytest.raises(StorageError, match="is a file, not a folder"):
        watched(edge_bundle, write_video(tmp_path / "noise.mp4", frames=20), options)
