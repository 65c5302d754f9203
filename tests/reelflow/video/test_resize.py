"""The numpy resizing gives Pillow's bits."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from reelflow.video import resize as module
from reelflow.video.resize import resize, resize_with_numpy

sides = st.integers(1, 400)


def pillow(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """One axis a call, so that no version of Pillow may choose the order."""
    columns = Image.fromarray(frame).resize((width, frame.shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(columns.resize((width, height), Image.Resampling.BILINEAR))


def noise(height: int, width: int, seed: int = 0, low: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, 256, (height, width, 3), np.uint8)


@settings(max_examples=150, deadline=None)
@given(sides, sides, sides, sides, st.integers(0, 1000))
def test_numpy_equals_pillow(height: int, width: int, new_height: int, new_width: int, seed: int) -> None:
    frame = noise(height, width, seed)
    np.testing.assert_array_equal(
        resize_with_numpy(frame, new_height, new_width), pillow(frame, new_height, new_width)
    )


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((1, 1), (224, 224)),
        ((1080, 1920), (224, 224)),
        ((240, 320), (12, 16)),
        ((240, 320), (240, 320)),
        ((240, 320), (240, 100)),
        ((240, 320), (100, 320)),
        ((3000, 2), (1, 299)),
    ],
)
def test_numpy_equals_pillow_at_the_edges(source: tuple[int, int], target: tuple[int, int]) -> None:
    for frame in (noise(*source), noise(*source, low=255)):  # white must stay white
        np.testing.assert_array_equal(resize_with_numpy(frame, *target), pillow(frame, *target))


def test_numpy_equals_pillow_on_real_pictures(shared_data: Path) -> None:
    pictures = sorted((shared_data / "test_images").iterdir())
    assert len(pictures) == 13
    for path in pictures:
        frame = np.asarray(Image.open(path).convert("RGB"))
        np.testing.assert_array_equal(resize_with_numpy(frame, 224, 224), pillow(frame, 224, 224))


@pytest.mark.parametrize("source", [(240, 320), (360, 640), (480, 720), (1080, 1920), (224, 224)])
@pytest.mark.parametrize("target", [(224, 224), (299, 299), (12, 16)])
def test_one_pillow_call_gives_the_same_for_wide_frames(
    source: tuple[int, int], target: tuple[int, int]
) -> None:
    frame = noise(*source)
    once = Image.fromarray(frame).resize(target[::-1], Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(resize(frame, *target), np.asarray(once))


def test_both_ways_take_views_of_larger_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = noise(60, 80)[::2, ::-1]
    monkeypatch.setattr(module, "HAS_PILLOW", False)
    without = resize(frame, 20, 70)
    monkeypatch.setattr(module, "HAS_PILLOW", True)
    np.testing.assert_array_equal(without, resize(frame, 20, 70))


def test_resizes_where_pillow_is_not_installed() -> None:
    code = (
        "import sys; sys.modules['PIL'] = None\n"
        "import importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'PIL' else real(name, *a)\n"
        "import numpy as np; from reelflow.video.resize import resize\n"
        "print(resize(np.full((9, 7, 3), 77, np.uint8), 4, 5).tolist() == np.full((4, 5, 3), 77).tolist())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
