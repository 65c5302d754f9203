"""Video networks are converted to built-in operators, in every quantisation, and give Keras's scores."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from components.conversion.head import HeadQuantization, convert_head
from components.conversion.operators import VIDEO_OPERATORS, check_operators
from reelflow.edge.runtime import Network
from reelflow.edge.selftest import MAX_SCORE_DIFFERENCE
from reelflow.errors import ParamsError
from reelflow.nets.candidates import check_quantization
from reelflow.nets.heads import build_head
from reelflow.nets.runtime import seed_everything
from reelflow.params import ConversionParams
from tests.fake_features import training_params
from tests.slowly import slow_but

pytestmark = pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning")

FRAMES, SIDE, CLASSES = 16, 16, 3
QUANTIZATIONS: tuple[HeadQuantization, ...] = ("float32", "float16", "dynamic", "int8")
TOLERANCE = {"float32": 1e-4, "float16": 0.03, "dynamic": 0.05, "int8": 0.1}


CASES = slow_but(
    product(("p3d_63", "convlstm_c2d_63", "c2d_50"), QUANTIZATIONS),
    ("p3d_63", "float32"),
)


@pytest.mark.parametrize(("name", "quantization"), CASES)
def test_litert_gives_the_scores_of_keras(name: str, quantization: HeadQuantization, tmp_path: Path):
    network = _learnt(name)
    clips = _clips(6)
    content = convert_head(network, quantization, clips)
    check_operators(content, "head.tflite", VIDEO_OPERATORS)
    (tmp_path / "head.tflite").write_bytes(content)
    head = Network(tmp_path / "head.tflite")
    for clip in clips:
        expected = np.asarray(network(clip[None]))
        assert np.abs(head(clip[None]) - expected).max() < TOLERANCE[quantization]


@pytest.mark.slow
def test_a_network_trained_in_16_bits_is_converted_in_32(tmp_path: Path):
    network = _learnt("p3d_63", precision="mixed_bfloat16")
    clip = _clips(1)
    (tmp_path / "head.tflite").write_bytes(convert_head(network, "float32"))
    found = Network(tmp_path / "head.tflite")(clip)
    assert np.abs(found - np.asarray(network(clip))).max() < 0.05


def test_int8_is_for_video_networks():
    check_quantization(["p3d_63"], "int8")
    check_quantization(["gru"], "dynamic")
    with pytest.raises(ParamsError, match="gru does not allow"):
        check_quantization(["p3d_63", "gru"], "int8")


def test_the_self_test_has_a_limit_for_each_quantization():
    choices = ConversionParams.model_fields["head"].annotation.__args__  # type: ignore[union-attr]
    assert set(choices) == set(QUANTIZATIONS) == MAX_SCORE_DIFFERENCE.keys()


def _learnt(name: str, precision: str = "float32"):
    """A narrow network whose norms have statistics of a batch."""
    seed_everything(1)
    params = training_params(precision=precision, video={"width": 0.0625, "stages": (1, 1, 1, 1)})
    network = build_head(name, frames=FRAMES, dim=SIDE * SIDE * 3, classes=CLASSES, params=params)
    for _ in range(30):
        network(_clips(6), training=True)
    return network


def _clips(count: int):
    return np.random.default_rng(1).random((count, FRAMES, SIDE * SIDE * 3), np.float32)
