"""Models that LiteRT refuses are errors of the bundle."""

from pathlib import Path

import numpy as np
import pytest

from reelflow.edge.runtime import Network
from reelflow.errors import BundleError


def test_a_network_runs(small_bundle: Path):
    head = Network(small_bundle / "head.tflite")
    assert (head.input_shape, head.input_dtype) == ((1, 6, 192), np.float32)
    assert (head.output_shape, head.output_dtype) == ((1, 3), np.float32)
    scores = head(np.zeros(head.input_shape, np.float32))
    assert scores.shape == (1, 3)
    assert scores.sum() == pytest.approx(1)


def test_a_result_is_not_overwritten_by_the_next(small_bundle: Path):
    head = Network(small_bundle / "head.tflite")
    first = head(np.zeros(head.input_shape, np.float32))
    kept = first.copy()
    head(np.ones(head.input_shape, np.float32))
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x00" * 100, b"\x1c\x00\x00\x00TFL3" + b"\xff" * 500])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "head.tflite"
    path.write_bytes(content)
    with pytest.raises(BundleError, match="LiteRT cannot load"):
        Network(path)


def test_every_cut_of_a_model_is_refused(small_bundle: Path, tmp_path: Path):
    content = (small_bundle / "head.tflite").read_bytes()
    path = tmp_path / "head.tflite"
    for size in range(0, len(content), len(content) // 40):
        path.write_bytes(content[:size])
        with pytest.raises(BundleError, match="LiteRT cannot load"):
            Network(path)


def test_a_missing_model_is_refused(tmp_path: Path):
    with pytest.raises(BundleError, match="LiteRT cannot load"):
        Network(tmp_path / "none.tflite")


def test_a_model_with_unknown_operators_is_refused(shared_data: Path):
    with pytest.raises(BundleError, match="unresolved custom op: fake-op-double"):
        Network(shared_data / "weights" / "model_invoking_error.tflite")


@pytest.mark.parametrize("value", [np.zeros((1, 6, 191), np.float32), np.zeros((1, 6, 192), np.uint8)])
def test_an_input_of_another_form_is_refused(small_bundle: Path, value: np.ndarray):
    with pytest.raises(BundleError, match="LiteRT cannot run"):
        Network(small_bundle / "head.tflite")(value)
