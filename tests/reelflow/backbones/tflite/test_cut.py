"""Cutting a TFLite network: the same numbers, in a file of its own."""

import contextlib
import warnings
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st

from reelflow.backbones.tflite.cut import cut_at
from reelflow.backbones.tflite.graph import ALIGNMENT_BYTES
from reelflow.errors import WeightsError

TENSOR = "MobilenetV2/Logits/AvgPool"


@pytest.fixture(scope="module")
def weights(shared_data: Path) -> Path:
    return shared_data / "weights"


@pytest.fixture(scope="module")
def whole(weights: Path) -> bytes:
    return (weights / "mobilenet_v2_1.0_224_quant.tflite").read_bytes()


@pytest.fixture(scope="module")
def cut(whole: bytes) -> bytes:
    return cut_at(whole, TENSOR)


@pytest.fixture(scope="module")
def small_network() -> bytes:
    """Three layers with constants of their own: 5 -> 4 -> 3 -> 2."""
    import tensorflow as tf

    chance = np.random.default_rng(0)
    matrices = [chance.normal(size=shape).astype(np.float32) for shape in ((5, 4), (4, 3), (3, 2))]

    @tf.function(input_signature=[tf.TensorSpec((1, 5), tf.float32)])
    def call(values: tf.Tensor) -> tf.Tensor:
        for number, matrix in enumerate(matrices):
            values = tf.nn.relu(values @ matrix + 1.0, name=f"layer{number}")
        return values

    return tf.lite.TFLiteConverter.from_concrete_functions([call.get_concrete_function()], call).convert()


def debugging(network: bytes) -> Interpreter:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interpreter = Interpreter(model_content=network, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    return interpreter


def run(interpreter: Interpreter, values: np.ndarray) -> None:
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
    interpreter.invoke()


def test_codes_equal_the_uncut_network_s(whole: bytes, cut: bytes) -> None:
    uncut, alone = debugging(whole), Interpreter(model_content=cut)
    alone.allocate_tensors()
    (output,) = alone.get_output_details()
    frames = np.random.default_rng(0).integers(0, 256, (3, 1, 224, 224, 3), np.uint8)
    frames[1] //= 4
    for frame in (*frames, np.zeros_like(frames[0]), np.full_like(frames[0], 255)):
        run(uncut, frame)
        run(alone, frame)
        np.testing.assert_array_equal(alone.get_tensor(output["index"]), uncut.get_tensor(169))


def test_keeps_the_output_s_name_and_quantisation(cut: bytes) -> None:
    interpreter = Interpreter(model_content=cut)
    (output,) = interpreter.get_output_details()
    assert output["name"] == TENSOR
    assert output["quantization"] == pytest.approx((0.0235285, 0), abs=1e-7)


def test_leaves_nothing_behind_that_is_not_needed(whole: bytes, cut: bytes) -> None:
    before, after = schema.ModelT.InitFromPackedBuf(whole), schema.ModelT.InitFromPackedBuf(cut)
    assert len(after.subgraphs[0].operators) == len(before.subgraphs[0].operators) - 3
    assert len(after.subgraphs[0].tensors) == 170 - 2
    codes = {operator.opcodeIndex for operator in after.subgraphs[0].operators}
    assert codes == set(range(len(after.operatorCodes)))
    assert len(cut) < len(whole) - 1001 * 1280


def test_constants_lie_where_the_runtime_may_map_them(cut: bytes) -> None:
    model = schema.Model.GetRootAs(cut)
    begin = np.frombuffer(cut, np.uint8).ctypes.data
    vectors = [model.Buffers(place).DataAsNumpy() for place in range(model.BuffersLength())]
    filled = [vector for vector in vectors if isinstance(vector, np.ndarray)]
    assert len(filled) > 100
    assert all((vector.ctypes.data - begin) % ALIGNMENT_BYTES == 0 for vector in filled)


def test_cuts_any_network(small_network: bytes) -> None:
    uncut = debugging(small_network)
    values = np.random.default_rng(0).normal(size=(1, 5)).astype(np.float32)
    run(uncut, values)
    inner = next(detail for detail in uncut.get_tensor_details() if tuple(detail["shape"]) == (1, 3))
    alone = Interpreter(model_content=cut_at(small_network, inner["name"]))
    alone.allocate_tensors()
    run(alone, values)
    (output,) = alone.get_output_details()
    assert output["shape"].tolist() == [1, 3]
    expected = uncut.get_tensor(inner["index"])
    assert expected.any()
    np.testing.assert_array_equal(alone.get_tensor(output["index"]), expected)


def test_another_network_is_told_apart(weights: Path) -> None:
    for name in ("mobilenet_v1_0.75_192_quant.tflite", "model_invoking_error.tflite"):
        with pytest.raises(WeightsError, match=f"has no tensors '{TENSOR}'; its last ones are"):
            cut_at((weights / name).read_bytes(), TENSOR)


@pytest.mark.parametrize(
    "content", [b"", b"TFL3", b"\0" * 100, b"\xff" * 100, b"\x1c\0\0\0TFL3" + b"\xff" * 50]
)
def test_what_is_no_tflite_file_is_an_error(content: bytes) -> None:
    with pytest.raises(WeightsError):
        cut_at(content, TENSOR)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_bytes_give_an_error_or_a_network_never_a_crash(
    small_network: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(small_network)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    del damaged[data.draw(st.integers(0, len(damaged))) :]
    with contextlib.suppress(WeightsError):
        assert cut_at(bytes(damaged), TENSOR)[4:8] == b"TFL3"
