"""The features step, as others see it: its folder, its errors, its way on after a kill."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from components.features import step
from components.features.shards import ShardNote
from reelflow.artifacts.features import FeatureStore
from reelflow.artifacts.frames import FrameStore
from reelflow.artifacts.shard_files import shard_access
from reelflow.backbones.registry import load_backbone
from reelflow.backbones.thumbnail import SPEC, Thumbnail
from reelflow.contracts import FeaturesReport
from reelflow.errors import BundleError, ParamsError
from reelflow.objectstore.open import open_store
from reelflow.params import FeaturesParams, load_params
from reelflow.progress import watched_by
from reelflow.settings import Settings
from reelflow.video.preprocess import preprocess
from reelflow.video.views import VIEWS, offset_of
from tests.environment import in_environment
from tests.fake_frames import DATA_HASH, write_frames

run = in_environment(step.run)

PARAMS = load_params(Path("params.yaml")).features


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    write_frames(tmp_path / "frames", 7)
    return tmp_path / "frames"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "features").mkdir()
    return tmp_path / "features"


def with_views(*views: str) -> FeaturesParams:
    return PARAMS.model_copy(update={"views": views})


def folder(parent: Path, name: str) -> Path:
    (parent / name).mkdir(parents=True)
    return parent / name


def content(target: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in target.iterdir()}


def inputs(frames: Path) -> tuple[str | Path, ...]:
    """Options that name the step's inputs; without fine-tuning the data set is not looked into."""
    (dataset := frames.parent / "dataset").mkdir(exist_ok=True)
    return ("--dataset", dataset, "--frames", frames)


def command(*options: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "components.features", *map(str, options)]
    return subprocess.run(line, capture_output=True, text=True, env=os.environ | more)


def test_every_clip_has_the_codes_of_its_own_frames(frames: Path, out: Path) -> None:
    report = run(PARAMS, backbone="thumbnail", frames=frames, features=out)
    source, found = FrameStore(frames), FeatureStore(out)
    assert found.clip_ids == source.clip_ids
    spec = load_backbone("thumbnail", "imagenet", seed=1, settings=Settings()).spec
    for clip_id in source.clip_ids:
        expected = preprocess(source.read(clip_id), spec.preprocessing).reshape(3, 192)
        np.testing.assert_array_equal(found.gather([clip_id])[0], expected)
    assert (report.data_hash, report.frames, report.backbone) == (DATA_HASH, 3, spec)
    assert report.metrics == {"clips": 7, "frames": 21, "views": 1}


def test_every_view_has_the_codes_of_its_own_frames(tmp_path: Path, out: Path) -> None:
    write_frames(tmp_path / "frames", 4, oversample=3)
    views = ("plain", "later", "flip", "darker", "earlier")
    report = run(with_views(*views), backbone="thumbnail", frames=tmp_path / "frames", features=out)
    source, found = FrameStore(tmp_path / "frames"), FeatureStore(out)
    assert report.views == found.views == views
    for place, view in enumerate(views):
        for clip_id, codes in zip(found.clip_ids, found.gather(found.clip_ids, [place] * 4), strict=True):
            frames = VIEWS[view](source.read(clip_id, offset_of(view)))
            np.testing.assert_array_equal(codes, preprocess(frames, SPEC.preprocessing).reshape(3, 192))
    np.testing.assert_array_equal(found.gather(found.clip_ids), found.gather(found.clip_ids, [0] * 4))


def test_a_view_that_cannot_be_computed_is_an_error(frames: Path, out: Path) -> None:
    with pytest.raises(ParamsError, match="later needs 3 frames"):
        run(with_views("plain", "later"), backbone="thumbnail", frames=frames, features=out)
    assert not list(out.iterdir())


class CountingThumbnail(Thumbnail):
    """Counts the frames that it embeds."""

    def __init__(self) -> None:
        self.frames = 0

    def embed(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        self.frames += len(frames)
        return super().embed(frames)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> CountingThumbnail:
    counting = CountingThumbnail()
    monkeypatch.setattr("components.features.step.load_backbone", lambda *_, **__: counting)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    return counting


def test_a_further_view_costs_that_view_alone(
    frames: Path, tmp_path: Path, network: CountingThumbnail, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = folder(tmp_path, "one"), folder(tmp_path, "two")
    run(with_views("plain", "flip"), backbone="thumbnail", frames=frames, features=one)
    assert network.frames == 2 * 21
    run(with_views("plain", "crop", "flip"), backbone="thumbnail", frames=frames, features=two)
    assert network.frames == 3 * 21
    monkeypatch.setenv("REELFLOW_STORE", "none")
    anew = folder(tmp_path, "anew")
    run(with_views("plain", "crop", "flip"), backbone="thumbnail", frames=frames, features=anew)
    assert content(two) == content(anew)
    assert content(one) == {name: made for name, made in content(two).items() if name in content(one)} | {
        "features.json": content(one)["features.json"]
    }


def test_what_a_killed_attempt_did_not_share_the_next_one_shares(
    frames: Path, tmp_path: Path, network: CountingThumbnail, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = folder(tmp_path, "one"), folder(tmp_path, "two")
    monkeypatch.setenv("REELFLOW_STORE", "none")
    run(PARAMS, backbone="thumbnail", frames=frames, features=one)
    monkeypatch.setenv("REELFLOW_STORE", str(tmp_path / "store"))
    run(PARAMS, backbone="thumbnail", frames=frames, features=one)
    run(PARAMS, backbone="thumbnail", frames=frames, features=two)
    assert network.frames == 21
    assert content(one) == content(two)


def test_shards_that_stay_in_the_store_do_not_go_with_the_report(
    frames: Path, tmp_path: Path, network: CountingThumbnail, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, lean, again = (folder(tmp_path, name) for name in ("whole", "lean", "again"))
    monkeypatch.setenv("REELFLOW_STORE", "none")
    run(with_views("plain", "flip"), backbone="thumbnail", frames=frames, features=whole)
    monkeypatch.setenv("REELFLOW_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("REELFLOW_SHARDS", "store")
    first = run(with_views("plain"), backbone="thumbnail", frames=frames, features=lean)
    assert content(lean).keys() == {"features.json"}
    second = run(with_views("plain", "flip"), backbone="thumbnail", frames=frames, features=again)
    assert network.frames == 2 * 21 + 21 + 21
    assert set(first.shards) < set(second.shards)
    here, there = (
        FeatureStore(whole),
        FeatureStore(again, access=shard_access(Settings(), open_store(Settings()))),
    )
    for view in (0, 1):
        wanted = [view] * len(here.clip_ids)
        assert np.array_equal(here.gather(here.clip_ids, wanted), there.gather(here.clip_ids, wanted))


def test_a_shard_taken_over_is_no_second_copy(frames: Path, tmp_path: Path) -> None:
    one, two = folder(tmp_path, "one"), folder(tmp_path, "two")
    for target in (one, two):
        run(PARAMS, backbone="thumbnail", frames=frames, features=target)
    assert all(path.samefile(two / path.name) for path in one.glob("*.npy"))


def test_a_view_is_added_to_an_output_in_its_place(frames: Path, tmp_path: Path) -> None:
    options = (*inputs(frames), "--backbone", "thumbnail", "--features", tmp_path / "out/features")
    params, events = tmp_path / "params.yaml", str(tmp_path / "events")
    kept = []
    for views in ("[plain]", "[plain, flip]"):
        params.write_text(re.sub(r"views: \[.*?\]", f"views: {views}", Path("params.yaml").read_text()))
        done = command(*options, "--params", params, REELFLOW_EVENTS=events)
        assert done.returncode == 0, done.stderr
        kept.append((tmp_path / "out/features/shard-00000-of-00002.plain.npy").stat().st_ino)
    assert kept[0] == kept[1]
    assert FeatureStore(tmp_path / "out/features").views == ("plain", "flip")


@pytest.mark.parametrize("harm", ["altered", "unreadable note", "other code", "other weights"])
def test_what_is_not_whole_or_of_another_origin_is_not_taken_over(
    frames: Path, tmp_path: Path, network: CountingThumbnail, harm: str
) -> None:
    one, two = folder(tmp_path, "one"), folder(tmp_path, "two")
    report = run(PARAMS, backbone="thumbnail", frames=frames, features=one)
    path = one / report.shards[0].file
    note = path.with_suffix(".json")
    expected, made = content(one), network.frames
    if harm == "altered":
        path.write_bytes(path.read_bytes()[:-1] + b"\1")
    elif harm == "unreadable note":
        note.write_text("{")
    else:
        origin = ShardNote.read(note).origin
        weights = origin.backbone.model_copy(update={"weights_sha256": "0" * 64})
        update = {"code": "0" * 64} if harm == "other code" else {"backbone": weights}
        changed = {"origin": origin.model_copy(update=update)}
        note.write_text(ShardNote.read(note).model_copy(update=changed).to_json())
    run(PARAMS, backbone="thumbnail", frames=frames, features=two)
    assert content(two) == expected
    assert network.frames == made + 3 * len(report.shards[0].clip_ids)


def test_without_links_shards_are_copied(
    frames: Path, tmp_path: Path, network: CountingThumbnail, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    one, two = folder(tmp_path, "one"), folder(tmp_path, "two")
    for target in (one, two):
        run(PARAMS, backbone="thumbnail", frames=frames, features=target)
    assert network.frames == 21
    assert content(one) == content(two)


def test_the_study_s_network_runs_in_threads(frames: Path, out: Path, shared_data: Path) -> None:
    params = PARAMS.model_copy(update={"weights": str(shared_data / "weights")})
    run(params, backbone="mobilenet_v2_quant", frames=frames, features=out)
    source, found = FrameStore(frames), FeatureStore(out)
    alone = load_backbone("mobilenet_v2_quant", params.weights, seed=1, settings=Settings())
    for clip_id in source.clip_ids:
        expected = alone.embed(preprocess(source.read(clip_id), alone.spec.preprocessing))
        np.testing.assert_array_equal(found.gather([clip_id])[0], expected)


def test_the_same_frames_give_the_same_bytes(frames: Path, out: Path, tmp_path: Path) -> None:
    again = folder(tmp_path, "elsewhere/again")  # where there is nothing to take over
    for target in (out, again):
        run(PARAMS, backbone="thumbnail", frames=frames, features=target)
    assert content(out) == content(again)


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
    backbone = note.origin.backbone.model_copy(update={"weights_sha256": "0" * 64})
    other = note.model_copy(update={"origin": note.origin.model_copy(update={"backbone": backbone})})
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
        (
            ["--backbone", "mobilenet_v2_quant", "--weights", "docs/adr"],
            4,
            "holds no mobilenet_v2_1.0_224_quant",
        ),
        (["--backbone", "mobilenet_v2_quant", "--weights", "random"], 4, "no random weights"),
        (["--backbone", "thumbnail", "--frames", "nowhere"], 5, "nowhere"),
    ],
)
def test_errors_are_one_message_and_an_exit_code(
    frames: Path, tmp_path: Path, options: list[str], code: int, message: str
) -> None:
    target = tmp_path / "written"
    done = command(*inputs(frames), "--features", target, *options, REELFLOW_EVENTS=str(tmp_path / "e"))
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not target.exists()


def test_a_killed_run_goes_on_with_the_next_shard(tmp_path: Path) -> None:
    write_frames(tmp_path / "frames", 12, shards=12, count=5, size=(480, 360))
    (tmp_path / "out").mkdir()
    options = (*inputs(tmp_path / "frames"), "--backbone", "thumbnail", "--features", tmp_path / "out/f")
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
    again = folder(tmp_path, "again")
    run(PARAMS, backbone="thumbnail", frames=tmp_path / "frames", features=again)
    assert FeaturesReport.open(tmp_path / "out/f") == FeaturesReport.open(again)
