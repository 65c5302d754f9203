"""Resizing gives the bits that features were made from, whatever the version of Pillow."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from reelflow.video.resize import resize


def noise(height: int, width: int) -> np.ndarray:
    """The same pixels on every machine, and with every version of NumPy."""
    numbers = np.arange(height * width * 3, dtype=np.uint64) * np.uint64(2654435761)
    return (numbers >> np.uint64(13)).astype(np.uint8).reshape(height, width, 3)


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ((240, 320), (224, 224), "57cc8f99d2de27bf"),
        ((1080, 1920), (224, 224), "84c92702e4bb3dff"),
        ((640, 360), (224, 224), "c43cedaf4f5a7137"),
        ((240, 320), (12, 16), "71c56dc7431882ee"),
        ((7, 9), (299, 299), "7ed3913db872c48f"),
        ((3000, 2), (1, 299), "664bb7024a03b629"),
    ],
)
def test_bits_stay_the_same(source: tuple[int, int], target: tuple[int, int], expected: str) -> None:
    """Pillow 13 changed the order of the axes for tall frames; a device may have another one."""
    resized = resize(noise(*source), *target)
    assert resized.shape == (*target, 3)
    assert hashlib.sha256(resized.tobytes()).hexdigest()[:16] == expected


@pytest.mark.parametrize("source", [(240, 320), (360, 640), (480, 720), (1080, 1920), (224, 224)])
@pytest.mark.parametrize("target", [(224, 224), (299, 299), (12, 16)])
def test_one_pillow_call_gives_the_same_for_wide_frames(
    source: tuple[int, int], target: tuple[int, int]
) -> None:
    frame = noise(*source)
    once = Image.fromarray(frame).resize(target[::-1], Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(resize(frame, *target), np.asarray(once))


def test_views_of_larger_arrays_are_resized_too() -> None:
    frame = noise(60, 80)[::2, ::-1]
    np.testing.assert_array_equal(resize(frame, 20, 70), resize(frame.copy(), 20, 70))
