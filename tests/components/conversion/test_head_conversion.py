"""Every head, quantised every way: Keras's numbers, operators that a device has, a loop kept a loop."""

from pathlib import Path

import numpy as np
import pytest

from components.conversion.head import convert_head
from components.conversion.operators import check_operators, count_operators
from reelflow.edge.runtime import Network
from reelflow.nets.heads import HEADS
from tests.bundles import random_head

TOLERANCE = {"float32": 1e-5, "float16": 1e-3, "dynamic": 2e-2}
DIM, CLASSES = 12, 5


@pytest.mark.parametrize("quantization", TOLERANCE)
@pytest.mark.parametrize("name", HEADS)
def test_a_converted_head_gives_the_numbers_of_keras(name: str, quantization: str, tmp_path: Path):
    model = random_head(name, frames=7, dim=DIM, classes=CLASSES)
    features = np.random.default_rng(3).normal(size=(9, 7, DIM)).astype(np.float32)
    expected = model(features, training=False).numpy()
    assert np.ptp(expected, axis=0).max() > 0.1, "the head must not say the same of every clip"

    content = convert_head(model, quantization)
    check_operators(content, "head.tflite")
    (tmp_path / "head.tflite").write_bytes(content)
    network = Network(tmp_path / "head.tflite")
    found = np.concatenate([network(clip[None]) for clip in features])
    np.testing.assert_allclose(found, expected, atol=TOLERANCE[quantization])
    again = np.concatenate([network(clip[None]) for clip in features])
    np.testing.assert_array_equal(found, again)


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_more_frames_make_no_more_operators(name: str):
    short, long = (
        count_operators(convert_head(random_head(name, frames=frames, dim=4, classes=3), "dynamic"))
        for frames in (3, 40)
    )
    assert short == long
    assert short["WHILE"] == 1
    assert not {"VAR_HANDLE", "CALL_ONCE"} & short.keys(), "a head has no state"


def test_the_same_head_gives_the_same_bytes():
    model = random_head("lstm", frames=5, dim=4, classes=3)
    assert convert_head(model, "dynamic") == convert_head(model, "dynamic")


def test_quantisation_makes_it_smaller():
    model = random_head("single_frame", frames=5, dim=512, classes=5)
    sizes = [len(convert_head(model, quantization)) for quantization in TOLERANCE]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3
