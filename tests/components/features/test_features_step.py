"""The features step, as others see it: its folder, its errors, its way on after a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from components.features.shards import ShardNote
from components.features.step import run
from reelflow.backbones import load_backbone
from reelflow.contracts import FeaturesReport
from reelflow.errors import BundleError, ParamsError
from reelflow.params import FeaturesParams
from reelflow.progress import watched_by
from reelflow.stores.features import FeatureStore
from reelflow.stores.frames import FrameStore
from reelflow.video.preprocess import preprocess
from tests.fake_frames import DATA_HASH, write_frames

PARAMS = FeaturesParams(backbones=("thumbnail",), weights="imagenet", seed=1)


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    write_frames(tmp_path / "frames", 7)
    return tmp_path / "frames"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "features").mkdir()
    return tmp_path / "features"


def command(*options: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "components.features", *map(str, options)]
    return subprocess.run(line, capture_output=True, text=True, env=os.environ | more)


def test_every_clip_has_the_codes_of_its_own_frames(frames: Path, out: Path) -> None:
    report = run(PARAMS, backbone="thumbnail", frames=frames, features=out)
    source, found = FrameStore(frames), FeatureStore(out)
    assert found.clip_ids == source.clip_ids
    spec = load_backbone("thumbnail", "imagenet", seed=1).spec
    for clip_id in source.clip_ids:
        expected = preprocess(source.read(clip_id), spec.preprocessing).reshape(3, 192)
        np.testing.assert_array_equal(found.gather([clip_id])[0], expected)
    assert (report.data_hash, report.frames, report.backbone) == (DATA_HASH, 3, spec)
    assert report.metrics == {"clips": 7, "frames": 21}


def test_the_study_s_network_runs_in_threads(frames: Path, out: Path, shared_data: Path) -> None:
    params = PARAMS.model_copy(update={"weights": str(shared_data / "weights")})
    run(params, backbone="mobilenet_v2_quant", frames=frames, features=out)
    source, found = FrameStore(frames), FeatureStore(out)
    alone = load_backbone("mobilenet_v2_quant", params.weights, seed=1)
    for clip_id in source.clip_ids:
        expected = alone.embed(preprocess(source.read(clip_id), alone.spec.preprocessing))
        np.testing.assert_array_equal(found.gather([clip_id])[0], expected)


def test_the_same_frames_give_the_same_bytes(frames: Path, out: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    for folder in (out, again):
        run(PARAMS, backbone="thumbnail", frames=frames, features=folder)
    names = sorted(path.name for path in out.iterdir())
    assert names == sorted(path.name for path in again.iterdir())
    assert all((out / name).read_bytes() == (again / name).read_bytes() for name in names)


def test_a_finished_shard_is_kept_and_a_damaged_one_made_again(frames: Path, out: Path) -> None:
    first = run(PARAMS, backbone="thumbnail", frames=frames, features=out)
    kept, damaged = (out / shard.file for shard in first.shards)
    changed = kept.stat().st_mtime_ns
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\0")
    assert run(PARAMS, backbone="thumbnail", frames=frames, features=out) == first
    assert kept.stat().st_mtime_ns == changed
    assert FeatureStore(out).gather(first.shards[1].clip_ids).shape == (3, 3, 192)


def test_a_shard_of_other_weights_is_not_kept(frames: Path, out: Path) -> None:
    first = run(PARAMS, backbone="thumbnail", frames=frames, features=out)
    path = out / first.shards[0].file
    note = ShardNote.read(path.with_suffix(".json"))
    other = note.model_copy(
        update={"backbone": note.backbone.model_copy(update={"weights_sha256": "0" * 64})}
    )
    path.with_suffix(".json").write_text(other.to_json())
    changed = path.stat().st_mtime_ns
    run(PARAMS, backbone="thumbnail", frames=frames, features=out)
    assert path.stat().st_mtime_ns > changed


def test_tells_its_progress(frames: Path, out: Path) -> None:
    events: list[dict] = []
    with watched_by(events.append):
        run(PARAMS, backbone="thumbnail", frames=frames, features=out)
    done = [event["done"] for event in events if event["kind"] == "progress"]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, 7)


def test_damaged_frames_are_an_error_and_leave_no_report(frames: Path, out: Path) -> None:
    shard = next(iter(sorted(frames.glob("*.tar"))))
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1  # in the padding, where no decoder would notice
    shard.write_bytes(content)
    with pytest.raises(BundleError, match="has been altered"):
        run(PARAMS, backbone="thumbnail", frames=frames, features=out)
    with pytest.raises(BundleError, match="missing"):
        FeaturesReport.open(out)


def test_an_unknown_backbone_names_the_known_ones(frames: Path, out: Path) -> None:
    with pytest.raises(ParamsError, match=r"resnet.*inception_v3.*thumbnail"):
        run(PARAMS, backbone="resnet", frames=frames, features=out)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--backbone", "resnet"], 2, "known ones are"),
        (
            ["--backbone", "mobilenet_v2_quant", "--weights", "nowhere"],
            4,
            "mobilenet_v2_1.0_224_quant.tflite",
        ),
        (["--backbone", "mobilenet_v2_quant", "--weights", "."], 4, "holds no mobilenet_v2_1.0_224_quant"),
        (["--backbone", "mobilenet_v2_quant", "--weights", "random"], 4, "no random weights"),
        (["--backbone", "thumbnail", "--frames", "nowhere"], 5, "nowhere"),
    ],
)
def test_errors_are_one_message_and_an_exit_code(
    frames: Path, tmp_path: Path, options: list[str], code: int, message: str
) -> None:
    target = tmp_path / "written"
    done = command("--frames", frames, "--features", target, *options, REELFLOW_EVENTS=str(tmp_path / "e"))
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not target.exists()


def test_a_killed_run_goes_on_with_the_next_shard(tmp_path: Path) -> None:
    write_frames(tmp_path / "frames", 12, shards=12, count=5, size=(480, 360))
    (tmp_path / "out").mkdir()
    options = ("--backbone", "thumbnail", "--frames", tmp_path / "frames", "--features", tmp_path / "out/f")
    environment = os.environ | {"REELFLOW_EVENTS": str(tmp_path / "events")}
    line = [sys.executable, "-m", "components.features", *map(str, options)]
    process = subprocess.Popen(line, env=environment)
    while not (notes := list((tmp_path / "out").rglob("shard-*.json"))):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "out/f").exists()
    finished = {note.name: note.stat().st_mtime_ns for note in notes}
    done = command(*options, REELFLOW_EVENTS=environment["REELFLOW_EVENTS"])
    assert done.returncode == 0, done.stderr
    assert all((tmp_path / "out/f" / name).stat().st_mtime_ns == at for name, at in finished.items())
    again = tmp_path / "again"
    again.mkdir()
    run(PARAMS, backbone="thumbnail", frames=tmp_path / "frames", features=again)
    assert FeaturesReport.open(tmp_path / "out/f") == FeaturesReport.open(again)
