"""Views of clips: what each does to the pixels, that frames stay in step, and which lists are refused."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from reelflow.errors import ParamsError
from reelflow.video.sample import uniform_indices
from reelflow.video.views import FRAME_VIEWS, TIME_VIEWS, VIEWS, check_views, is_spatial, offset_of

clips = arrays.arrays(np.uint8, st.tuples(*[st.integers(1, 12)] * 3, st.just(3)))
NUMBERED = np.arange(2 * 16 * 32 * 3).reshape(2, 16, 32, 3).astype(np.uint8)


@pytest.mark.parametrize("name", VIEWS)
@settings(max_examples=20)
@given(frames=clips)
def test_every_view_gives_frames_and_leaves_its_input_alone(name, frames):
    before = frames.copy()
    found = VIEWS[name](frames)
    assert np.array_equal(frames, before)
    assert found.dtype == np.uint8
    assert (found.shape[0], found.shape[3]) == (len(frames), 3)
    assert all(1 <= side <= whole for side, whole in zip(found.shape[1:3], frames.shape[1:3], strict=True))


@pytest.mark.parametrize("name", VIEWS)
@settings(max_examples=20)
@given(frames=clips)
def test_all_frames_of_a_clip_change_alike(name, frames):
    alone = [VIEWS[name](frame[None])[0] for frame in frames]
    assert np.array_equal(VIEWS[name](frames), alone)


@pytest.mark.parametrize("name", [name for name in FRAME_VIEWS if name != "plain"])
def test_every_frame_view_changes_something(name):
    assert not np.array_equal(VIEWS[name](NUMBERED), NUMBERED)


@given(clips)
def test_a_frame_flipped_twice_is_the_frame(frames):
    assert np.array_equal(VIEWS["flip"](VIEWS["flip"](frames)), frames)
    assert np.array_equal(VIEWS["flip"](frames)[:, :, 0], frames[:, :, -1])


@pytest.mark.parametrize(
    ("name", "rows", "columns"),
    [
        ("crop", slice(1, 15), slice(2, 30)),
        ("closer", slice(2, 13), slice(5, 27)),
        ("left", slice(0, 16), slice(0, 19)),
        ("right", slice(0, 16), slice(13, 32)),
        ("tile_11", slice(0, 7), slice(0, 13)),
        ("tile_13", slice(0, 7), slice(19, 32)),
        ("tile_32", slice(9, 16), slice(10, 23)),
    ],
)
def test_crops_keep_their_part_of_the_frame(name, rows, columns):
    assert np.array_equal(VIEWS[name](NUMBERED), NUMBERED[:, rows, columns])


def test_a_mirrored_crop_is_the_crop_flipped():
    assert np.array_equal(VIEWS["left+flip"](NUMBERED), VIEWS["flip"](VIEWS["left"](NUMBERED)))


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("brighter", {0: 0, 100: 125, 204: 255, 255: 255}),
        ("darker", {0: 0, 100: 80, 255: 204}),
        ("contrast", {0: 0, 28: 3, 128: 128, 168: 178, 255: 255}),
    ],
)
def test_light_maps_levels(name, levels):
    frames = np.array(list(levels), np.uint8).reshape(1, 1, -1, 1).repeat(3, axis=3)
    assert VIEWS[name](frames)[0, 0, :, 1].tolist() == list(levels.values())


@given(st.integers(1, 3000), st.integers(1, 300), st.sampled_from([1, 3, 5, 7, 9]))
def test_the_middle_frame_of_each_run_is_the_plain_one(total, count, oversample):
    kept = uniform_indices(total, count * oversample)
    assert kept[oversample // 2 :: oversample] == uniform_indices(total, count)


def test_time_views_are_the_plain_view_of_other_frames():
    assert {name: TIME_VIEWS[name] for name in ("earlier", "later", "earlier2", "later4")} == {
        "earlier": -1,
        "later": 1,
        "earlier2": -2,
        "later4": 4,
    }
    assert (offset_of("plain"), offset_of("later3")) == (0, 3)
    assert is_spatial("flip")
    assert not is_spatial("later")
    assert not is_spatial("unheard of")


@pytest.mark.parametrize(
    ("names", "oversample"),
    [(["plain"], 1), (["plain", "flip", "crop"], 1), (["plain", "later"], 3), (["plain", "earlier4"], 9)],
)
def test_lists_that_can_be_computed_pass(names, oversample):
    check_views(names, oversample)


@pytest.mark.parametrize(
    ("names", "oversample", "message"),
    [
        (["plain", "mirror"], 1, "unknown view mirror; known ones are plain, flip"),
        (["flip", "plain"], 1, "expected plain first"),
        (["flip"], 1, "expected plain first"),
        ([], 1, "expected plain first"),
        (["plain", "flip", "flip"], 1, "each view once"),
        (["plain", "plain"], 1, "each view once"),
        (["plain", "earlier"], 1, r"earlier needs 3 frames.*oversample is 1: set it to 3"),
        (["plain", "later", "later2"], 3, r"later2 needs 5 frames.*is 3"),
    ],
)
def test_other_lists_are_refused(names, oversample, message):
    with pytest.raises(ParamsError, match=message):
        check_views(names, oversample)


def test_a_device_can_import_it():
    code = "import sys, reelflow.video.views; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
