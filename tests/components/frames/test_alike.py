"""Copies of a clip under other groups are found by what they show."""

from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest

from components.frames import alike
from components.frames.look import FRAMES, HEIGHT, WIDTH, write_look
from components.frames.step import run
from reelflow.contracts import FramesReport, Split
from reelflow.params import load_params
from reelflow.settings import Settings
from tests import fake_features
from tests.videos import write_dataset

LIMITS = (alike.SAME_SCENE, alike.SAME_MOTION)


def write_scene(
    path: Path, seed: int, moves: int, *, size=(160, 120), quality="4", brighter=0, flat=False
) -> Path:
    """A blob that wanders before a background; `seed` is of the background, `moves` of its way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    scene = np.random.default_rng(seed).integers(30, 200, (6, 8)).repeat(height // 6, 0).repeat(width // 8, 1)
    way = np.random.default_rng(moves).uniform(0.2, 0.8, (20, 2)) * (height, width)
    rows, columns = np.mgrid[:height, :width]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10, options={"qscale": quality})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for row, column in way:
            blob = (rows - row) ** 2 + (columns - column) ** 2 < (height / 5) ** 2
            image = np.full((height, width), 90) if flat else np.where(blob, 240, scene)
            image = np.clip(image + brighter, 0, 255).astype(np.uint8)[..., None].repeat(3, 2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def alike_in(folder: Path, *paths: Path) -> tuple[frozenset[str], ...]:
    write_dataset(folder / "dataset", paths, folder / "clips")
    params = load_params(Path("params.yaml")).frames
    report = run(params, dataset=folder / "dataset", frames=folder / "frames", settings=Settings())
    assert FramesReport.open(folder / "frames") == report
    return tuple(frozenset(pair.paths) for pair in report.alike)


@pytest.mark.parametrize(
    "how", [{"quality": "20"}, {"size": (80, 60)}, {"brighter": 25}, {"size": (240, 120)}], ids=str
)
def test_copies_in_another_form_are_found(tmp_path, how):
    clips = tmp_path / "clips"
    one, copy = write_scene(clips / "a/one.mp4", 1, 1), write_scene(clips / "b/copy.mp4", 1, 1, **how)
    other = write_scene(clips / "a/other.mp4", 2, 2)
    assert alike_in(tmp_path, one, copy, other) == (frozenset({"a/one.mp4", "b/copy.mp4"}),)


def test_clips_of_one_camera_and_plain_surfaces_are_not_copies(tmp_path):
    clips = tmp_path / "clips"
    moving = [write_scene(clips / f"a/{moves}.mp4", 1, moves) for moves in range(3)]
    plain = [write_scene(clips / f"b/{name}.mp4", 1, 1, flat=True, brighter=name) for name in (0, 9)]
    assert alike_in(tmp_path, *moving, *plain) == ()


def test_of_many_copies_each_two_splits_keep_a_few(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(alike, "MAX_ALIKE", 3)
    splits: tuple[Split, ...] = (*["train"] * 20, "test")
    clips = [fake_features.clip("up", split, number) for number, split in enumerate(splits)]
    pictures = np.random.default_rng(1).integers(0, 255, (FRAMES, HEIGHT * WIDTH)).astype(np.uint8)
    looks = dict.fromkeys((clip.clip_id for clip in clips), write_look(list(pictures)))
    found = alike.find_alike(looks, clips)
    assert Counter(pair.splits for pair in found) == {("train", "train"): 3, ("train", "test"): 3}


def test_copies_within_a_group_are_known_already(tmp_path):
    clips = tmp_path / "clips"
    one, copy = (write_scene(clips / f"{label}/one.mp4", 1, 1, quality=label) for label in ("4", "9"))
    assert alike_in(tmp_path, one, copy) == ()


@pytest.mark.parametrize("near", [0.05, 0.3, 3.0], ids=["one camera", "some scenes alike", "none alike"])
def test_sketches_leave_out_no_pair(near: float) -> None:
    """As a comparison of all with all finds them; one of ten clips is a copy."""
    chance = np.random.default_rng(2)
    scenes = chance.normal(size=HEIGHT * WIDTH) + near * chance.normal(size=(300, HEIGHT * WIDTH))
    motions = chance.normal(size=(300, FRAMES * HEIGHT * WIDTH))
    scenes[:30], motions[:30] = scenes[30:60], motions[30:60] + 0.5 * motions[60:90]
    units = [(one.T / np.linalg.norm(one, axis=1)).T.astype(np.float32) for one in (scenes, motions)]
    agree = np.logical_and(*(one @ one.T > least for one, least in zip(units, LIMITS, strict=True)))
    expected = {(int(one), int(other)) for one, other in np.argwhere(agree) if one < other}
    assert len(expected) >= 30
    assert set(alike._pairs(units[0], units[1].astype(np.float16))) == expected
