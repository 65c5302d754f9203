"""Preprocessing: cut, resize, colour, value range."""

import numpy as np
import pytest
from PIL import Image

from reelflow.contracts import Preprocessing
from reelflow.video.preprocess import centre_square, preprocess, to_input
from reelflow.video.resize import resize
from reelflow.video.views import FRAME_VIEWS


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


def square(side: int = 12, centre: float = 0.8) -> Preprocessing:
    return Preprocessing(
        height=side, width=side, color="rgb", centre=centre, resize="pil-bilinear", value_range=None
    )


def numbered(height: int, width: int) -> np.ndarray:
    """One frame whose pixels tell where they are: (row, column, row // 256 and column // 256)."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows % 256, columns % 256, rows // 256 * 16 + columns // 256], -1)[None].astype(np.uint8)


@pytest.mark.parametrize(
    ("height", "width", "rows", "columns"),
    [
        (240, 320, (24, 215), (64, 255)),
        (320, 240, (64, 255), (24, 215)),
        (240, 240, (24, 215), (24, 215)),
        (48, 64, (5, 42), (13, 50)),  # 38 of 48: as many on both sides
        (11, 20, (1, 9), (5, 13)),  # 9 of 11; 11 columns are cut off, one more at the right
        (3000, 10, (1496, 1503), (1, 8)),
        (10, 3000, (1, 8), (1496, 1503)),
        (4, 4, (0, 2), (0, 2)),  # 3 of 4
        (2, 2, (0, 1), (0, 1)),
        (1, 7, (0, 0), (3, 3)),
        (1, 1, (0, 0), (0, 0)),
    ],
)
def test_the_square_in_the_middle(
    height: int, width: int, rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    frames = numbered(height, width)
    expected = frames[:, rows[0] : rows[1] + 1, columns[0] : columns[1] + 1]
    np.testing.assert_array_equal(centre_square(frames, 0.8), expected)
    np.testing.assert_array_equal(preprocess(frames, square())[0], resize(expected[0], 12, 12))


def test_one_pixel_at_least_is_left_and_at_most_the_shorter_side() -> None:
    assert centre_square(numbered(9, 5), 0.01).tolist() == [[[[4, 2, 0]]]]
    np.testing.assert_array_equal(centre_square(numbered(9, 5), 1), numbered(9, 5)[:, 2:7])


def test_the_square_of_a_square_frame_of_this_size_is_not_resized() -> None:
    frames = np.random.default_rng(4).integers(0, 256, (2, 15, 15, 3), np.uint8)
    np.testing.assert_array_equal(preprocess(frames, square(12)), frames[:, 1:13, 1:13])


@pytest.mark.parametrize("view", ["flip", "crop", "tile_11"])
def test_views_come_before_the_square(view: str) -> None:
    """Each cuts the middle out of what the view shows, even where it is a corner of the frame."""
    frames = np.random.default_rng(5).integers(0, 256, (1, 48, 64, 3), np.uint8)
    seen = FRAME_VIEWS[view](frames)
    side = round(0.8 * seen.shape[1])
    top, left = (seen.shape[1] - side) // 2, (seen.shape[2] - side) // 2
    found = preprocess(seen, square())[0]
    np.testing.assert_array_equal(found, resize(seen[0, top : top + side, left : left + side], 12, 12))
    assert (found != preprocess(frames, square())[0]).any()


def test_documents_without_the_square_are_read_and_show_the_whole_frame() -> None:
    old = (
        '{"schema_version": 1, "height": 12, "width": 16, "color": "rgb", "resize": "pil-bilinear", '
        '"value_range": null}'
    )
    found = Preprocessing.model_validate_json(old)
    assert (found, found.centre) == (how(), None)


@pytest.mark.parametrize("centre", [0.0, -0.1, 1.01, float("nan")])
def test_a_square_out_of_bounds_is_refused(centre: float) -> None:
    with pytest.raises(ValueError, match="centre"):
        square(centre=centre)
