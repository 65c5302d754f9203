"""Preprocessing: resize, colour, value range."""

import numpy as np
import pytest
from PIL import Image

from reelflow.contracts import Preprocessing
from reelflow.video.preprocess import preprocess, to_input


def how(color: str = "rgb", value_range: tuple[float, float] | None = None) -> Preprocessing:
    return Preprocessing(height=12, width=16, color=color, resize="pil-bilinear", value_range=value_range)


def test_resizes_before_it_takes_the_colour() -> None:
    frames = np.random.default_rng(3).integers(0, 256, (2, 50, 40, 3), np.uint8)
    ready = preprocess(frames, how("grey"))
    assert ready.shape == (2, 12, 16, 1)
    for frame, found in zip(frames, ready, strict=True):
        resized = Image.fromarray(frame).resize((16, 12), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(found[..., 0], np.asarray(resized.convert("L")))


def test_rgb_keeps_three_channels_and_the_order_of_frames() -> None:
    frames = np.stack([np.full((5, 5, 3), value, np.uint8) for value in (10, 200, 90)])
    ready = preprocess(frames, how())
    assert ready.shape == (3, 12, 16, 3)
    assert ready.dtype == np.uint8
    assert ready[:, 0, 0, 0].tolist() == [10, 200, 90]


def test_no_frames_give_no_frames() -> None:
    assert preprocess(np.empty((0, 5, 5, 3), np.uint8), how()).shape == (0, 12, 16, 3)


def test_input_without_a_range_is_the_frames_themselves() -> None:
    frames = np.zeros((1, 12, 16, 3), np.uint8)
    assert to_input(frames, how()) is frames


@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, 1.0), (0.0, 255.0)])
def test_input_spans_the_range(value_range: tuple[float, float]) -> None:
    codes = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    found = to_input(codes, how("grey", value_range))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.ravel(), np.linspace(*value_range, 256), atol=1e-5)
    assert (found.ravel()[0], found.ravel()[-1]) == value_range
