"""Keras networks as backbones: their numbers, their weight files, their TFLite files."""

import math
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from reelflow.backbones.inception_v3 import APPLICATION as INCEPTION
from reelflow.backbones.keras_application import Application, KerasBackbone, load_application
from reelflow.backbones.mobilenet_v2 import APPLICATION as MOBILENET
from reelflow.contracts import BackboneSpec, Preprocessing
from reelflow.errors import ParamsError, WeightsError
from reelflow.settings import Settings
from reelflow.video.preprocess import to_input
from tests.slowly import slow

SMALL = replace(MOBILENET, side=32)
"""MobileNetV2 on small pictures: the same weights, a fiftieth of the work."""


def frames(side: int, count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


@pytest.fixture(scope="module")
def small() -> KerasBackbone:
    return load_application(SMALL, "random", seed=1, settings=Settings())


@pytest.fixture(scope="module")
def tiny() -> KerasBackbone:
    """A network of three layers, quick to convert."""
    keras.utils.set_random_seed(1)
    network = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.DepthwiseConv2D(3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    how = Preprocessing(height=16, width=16, color="rgb", resize="pil-bilinear", value_range=(-1, 1))
    spec = BackboneSpec(
        name="tiny", preprocessing=how, dim=8, dtype="float16", scale=1, weights_sha256="0" * 64
    )
    return KerasBackbone(network, spec)


@pytest.mark.slow
def test_random_weights_follow_the_seed(small: KerasBackbone) -> None:
    same, other = (load_application(SMALL, "random", seed=seed, settings=Settings()) for seed in (1, 2))
    assert same.spec == small.spec
    assert other.spec.weights_sha256 != small.spec.weights_sha256
    np.testing.assert_array_equal(same.embed(frames(32)), small.embed(frames(32)))


@pytest.mark.slow
def test_random_weights_still_tell_pictures_apart(small: KerasBackbone) -> None:
    dark, bright = np.full((1, 32, 32, 3), 20, np.uint8), np.full((1, 32, 32, 3), 200, np.uint8)
    codes = small.embed(np.concatenate([dark, bright])).astype(np.float32)
    assert np.abs(codes[0] - codes[1]).mean() > 0.05 * np.abs(codes).mean() > 0


def save_with_keras(path: Path, *, top: bool, seed: int = 0) -> keras.Model:
    """Weights as Keras publishes them: MobileNetV2, in the older HDF5 form."""
    from keras.src.legacy.saving import legacy_h5_format

    options = {} if top else {"pooling": "avg"}
    shape = (32, 32, 3)
    network = keras.applications.MobileNetV2(weights=None, include_top=top, input_shape=shape, **options)
    chance = np.random.default_rng(seed)
    for weight in network.weights:
        if len(weight.shape) == 4:
            inputs = math.prod(weight.shape[: 2 if weight.shape[3] == 1 else 3])  # 1: depthwise
            weight.assign(chance.normal(0, math.sqrt(2 / inputs), weight.shape))
        elif len(weight.shape) == 1:
            weight.assign(chance.uniform(0.5, 1.5, weight.shape))
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, network)
    return network


@pytest.mark.parametrize("top", [True, False])
@pytest.mark.slow
def test_gives_what_keras_gives_from_either_file(tmp_path: Path, top: bool) -> None:
    name = "mine.h5" if top else MOBILENET.without_top
    network = save_with_keras(tmp_path / name, top=top)
    backbone = load_application(SMALL, str(tmp_path / name if top else tmp_path), seed=1, settings=Settings())
    if top:
        network = keras.Model(network.input, network.layers[-2].output)
    ready = keras.applications.mobilenet_v2.preprocess_input(frames(32).astype(np.float32))
    expected = network.predict(ready, verbose=0)
    assert expected.std(axis=0).max() > 0.01
    np.testing.assert_allclose(backbone.embed(frames(32)), expected, rtol=2e-3, atol=1e-3)


@pytest.mark.slow
def test_takes_a_weights_file_of_keras_3(tmp_path: Path) -> None:
    network = save_with_keras(tmp_path / "old.h5", top=False)
    network.save_weights(tmp_path / "new.weights.h5")
    paths = (tmp_path / "old.h5", tmp_path / "new.weights.h5")
    old, new = (load_application(SMALL, str(path), seed=1, settings=Settings()) for path in paths)
    np.testing.assert_array_equal(old.embed(frames(32)), new.embed(frames(32)))


@pytest.mark.slow
def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_with_keras(tmp_path / "mine.h5", top=False)
    with pytest.raises(WeightsError, match=r"mine\.h5 holds no weights of inception_v3"):
        load_application(replace(INCEPTION, side=75), str(tmp_path / "mine.h5"), seed=1, settings=Settings())


def test_what_is_no_hdf5_is_refused(tmp_path: Path) -> None:
    for name, content in (("mine.h5", b"no HDF5"), ("empty.h5", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError, match=f"{name} holds no weights of mobilenet_v2"):
            load_application(SMALL, str(tmp_path / name), seed=1, settings=Settings())


def test_a_damaged_copy_of_the_published_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / MOBILENET.published.name).write_bytes(b"half of it")
    with pytest.raises(WeightsError, match=f"expected {MOBILENET.published.sha256}"):
        load_application(SMALL, str(tmp_path), seed=1, settings=Settings())


def test_features_that_no_float16_can_hold_are_an_error(tiny: KerasBackbone) -> None:
    network = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.Rescaling(1e9), keras.layers.Flatten()]
    )
    with pytest.raises(WeightsError, match="exceed float16"):
        KerasBackbone(network, tiny.spec).embed(frames(16))


@pytest.mark.parametrize(
    ("quantization", "tolerance"), [("float32", 0.002), ("float16", 0.005), ("int8", 0.05)]
)
def test_tflite_gives_what_keras_gives(tiny: KerasBackbone, quantization: str, tolerance: float) -> None:
    pictures = frames(16, 20)
    network = tiny.to_tflite(quantization, pictures)
    interpreter = Interpreter(model_content=network)
    interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (source["shape"].tolist(), source["dtype"]) == ([1, 16, 16, 3], np.float32)
    assert (result["shape"].tolist(), result["dtype"]) == ([1, 8], np.float32)
    expected = tiny.embed(pictures).astype(np.float32)
    for picture, features in zip(pictures, expected, strict=True):
        interpreter.set_tensor(source["index"], to_input(picture[None], tiny.spec.preprocessing))
        interpreter.invoke()
        np.testing.assert_allclose(
            interpreter.get_tensor(result["index"])[0], features, atol=tolerance * expected.max()
        )


def test_an_unknown_quantisation_is_an_error(tiny: KerasBackbone) -> None:
    with pytest.raises(ParamsError, match="'int4'; expected float32, float16 or int8"):
        tiny.to_tflite("int4", frames(16))


def test_converting_prints_nothing(tiny: KerasBackbone, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.to_tflite("float32", frames(16))
    assert capsys.readouterr().out == ""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("application", [MOBILENET, INCEPTION], ids=lambda one: one.name)
def test_the_whole_networks_convert(application: Application) -> None:
    backbone = load_application(application, "random", seed=1, settings=Settings())
    pictures = frames(application.side, 2)
    expected = backbone.embed(pictures).astype(np.float32)
    for quantization, tolerance in (("float32", 0.002), ("float16", 0.01), ("int8", 0.25)):
        interpreter = Interpreter(model_content=backbone.to_tflite(quantization, pictures))
        interpreter.allocate_tensors()
        assert not [op for op in interpreter._get_ops_details() if op["op_name"].startswith("Flex")]
        (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
        interpreter.set_tensor(source["index"], to_input(pictures[:1], backbone.spec.preprocessing))
        interpreter.invoke()
        difference = np.abs(interpreter.get_tensor(result["index"])[0] - expected[0]).max()
        assert difference <= tolerance * expected.max(), quantization


@pytest.mark.parametrize("blocks", [slow(1), 4, slow(16)])
def test_the_parts_of_a_network_are_the_whole(small: KerasBackbone, blocks: int) -> None:
    first, rest = small.split(blocks)
    maps = first.embed(frames(32))
    names = {layer.name.split("_")[1] for layer in rest.layers if layer.name.startswith("block_")}
    assert names == {str(number) for number in range(17 - blocks, 17)}
    found, expected = rest(maps.astype(np.float32)).numpy(), small.embed(frames(32))
    np.testing.assert_allclose(found, expected, rtol=0.01, atol=0.005 * expected.max())


def test_more_blocks_than_there_are_is_an_error(small: KerasBackbone) -> None:
    with pytest.raises(ParamsError, match=r"blocks is 17, but mobilenet_v2 has 16"):
        small.split(17)


@pytest.mark.slow
def test_written_weights_are_read_again_and_depend_on_the_numbers_alone(
    small: KerasBackbone, tmp_path: Path
) -> None:
    small.save_weights(tmp_path / "one.weights.h5")
    again = load_application(SMALL, str(tmp_path / "one.weights.h5"), seed=9, settings=Settings())
    np.testing.assert_array_equal(again.embed(frames(32)), small.embed(frames(32)))
    again.save_weights(tmp_path / "two.weights.h5")
    assert (tmp_path / "one.weights.h5").read_bytes() == (tmp_path / "two.weights.h5").read_bytes()


@pytest.mark.slow
def test_inception_is_cut_and_written_too(tmp_path: Path) -> None:
    application = replace(INCEPTION, side=75)
    whole = load_application(application, "random", seed=1, settings=Settings())
    expected = whole.embed(frames(75))
    for blocks in (1, 10):
        first, rest = whole.split(blocks)
        found = rest(first.embed(frames(75)).astype(np.float32)).numpy()
        np.testing.assert_allclose(found, expected, rtol=0.01, atol=0.005 * expected.max())
    whole.save_weights(tmp_path / "own.weights.h5")
    again = load_application(application, str(tmp_path / "own.weights.h5"), seed=9, settings=Settings())
    np.testing.assert_array_equal(again.embed(frames(75)), expected)
