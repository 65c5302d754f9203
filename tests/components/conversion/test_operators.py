"""Operators that a device lacks are seen in the file itself."""

from pathlib import Path

import pytest

from components.conversion.operators import check_operators, count_operators
from reelflow.errors import BundleError


def test_operators_are_counted(small_model: bytes):
    assert count_operators(small_model)["FULLY_CONNECTED"] >= 1
    check_operators(small_model, "head.tflite")


def test_too_many_operators_are_refused(small_model: bytes):
    found = count_operators(small_model).total()
    check_operators(small_model, "head.tflite", found)
    with pytest.raises(BundleError, match="a loop was unrolled"):
        check_operators(small_model, "head.tflite", found - 1)


def test_flex_operators_are_refused():
    from reelflow.nets.runtime import prepare

    prepare()
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((1, 4, 4, 4, 1), tf.float32)])
    def pool(video):
        return tf.nn.max_pool3d(video, 2, 2, "VALID")

    converter = tf.lite.TFLiteConverter.from_concrete_functions([pool.get_concrete_function()])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    with pytest.raises(BundleError, match=r"head\.tflite needs FlexMaxPool3D"):
        check_operators(converter.convert(), "head.tflite")


def test_custom_operators_are_refused(shared_data: Path):
    model = (shared_data / "weights" / "model_invoking_error.tflite").read_bytes()
    with pytest.raises(BundleError, match="fake-op-double"):
        check_operators(model, "head.tflite")


@pytest.fixture(scope="module")
def small_model() -> bytes:
    from components.conversion.head import convert_head
    from tests.bundles import random_head

    return convert_head(random_head("single_frame", frames=3, dim=4, classes=3), "float32")
