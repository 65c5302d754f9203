"""Networks that start from a 2D ResNet-50."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reelflow.errors import ParamsError, WeightsError
from reelflow.nets.heads import build_head
from reelflow.nets.runtime import prepare, seed_everything
from reelflow.nets.video import inflate as module
from reelflow.nets.video.design import check_inflation, inflation_input
from reelflow.nets.video.inflate import inflate
from reelflow.nets.video.resnet_file import ResNetFile
from tests import fake_features as fake

SIDE, FRAMES = 32, 2
EXACT = (127.5, 127.5, 127.5)  # means that ours takes off too: zeros around the picture are the same grey


@pytest.fixture(scope="module")
def resnet():
    """Keras's ResNet-50, every weight random."""
    prepare()
    import keras

    seed_everything(1)
    network = keras.applications.ResNet50(weights=None, include_top=False, input_shape=(SIDE, SIDE, 3))
    chance = np.random.default_rng(1)
    for variable in network.weights:
        if variable.name in ("gamma", "moving_variance"):
            variable.assign(chance.uniform(0.5, 1, variable.shape))
        elif variable.name != "kernel":
            variable.assign(chance.normal(0, 0.1, variable.shape))
    first = network.get_layer("conv1_bn")  # of 0 .. 255
    first.moving_variance.assign(1e4 * chance.uniform(0.5, 1, first.moving_variance.shape))
    return network


@pytest.fixture(scope="module")
def files(resnet, tmp_path_factory) -> dict[str, Path]:
    """In both of Keras's formats; the older one as the published files have it."""
    import h5py

    folder = tmp_path_factory.mktemp("weights")
    resnet.save_weights(folder / "new.weights.h5")
    with h5py.File(folder / "published.h5", "w") as file:
        for layer in resnet.layers:
            group = file.create_group(layer.name)
            for variable in layer.weights:
                group[f"{layer.name}/{variable.name}:0"] = variable.numpy()
    return {"new": folder / "new.weights.h5", "published": folder / "published.h5"}


def build(head: str):
    params = fake.training_params()
    return build_head(head, frames=FRAMES, dim=SIDE * SIDE * 3, classes=4, params=params)


def pixels(clips: int = 2) -> np.ndarray:
    return np.random.default_rng(2).random((clips, FRAMES, SIDE * SIDE * 3), dtype=np.float32)


def features(network, seen: np.ndarray) -> np.ndarray:
    import keras

    return keras.Model(network.inputs, network.get_layer("dropout").input).predict_on_batch(seen)


def seen_by_keras(seen: np.ndarray, means: tuple[float, ...]) -> np.ndarray:
    pictures = seen.reshape(-1, SIDE, SIDE, 3)[..., ::-1] * 255  # blue, green, red
    return (pictures - np.array(means)).astype(np.float32)


def keras_features(resnet, seen: np.ndarray) -> np.ndarray:
    """Of Keras's network, but for the first pool, which is Caffe's as in P3D."""
    import keras

    stem = keras.Model(resnet.input, resnet.get_layer("conv1_relu").output)
    rest = keras.Model(resnet.get_layer("pool1_pool").output, resnet.output)
    found = stem.predict_on_batch(seen_by_keras(seen, EXACT))
    pooled = keras.ops.max_pool(found, 3, 2, padding="same")
    maps = rest.predict_on_batch(np.asarray(pooled))  # (clips * frames, h, w, channels)
    return maps.reshape(len(seen), -1, maps.shape[-1]).mean(axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["new", "published"])
def test_the_2d_network_gives_the_features_that_keras_gives(resnet, files, form, monkeypatch):
    monkeypatch.setattr(module, "MEANS_BGR", EXACT)
    network = build("c2d_50")
    inflate(network, files[form])
    seen = pixels()
    expected = keras_features(resnet, seen)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(features(network, seen), expected, rtol=1e-3, atol=1e-4 * expected.max())


@pytest.mark.slow
def test_the_means_of_imagenet_are_taken_off_within_the_picture(resnet, files):
    import keras

    network = build("c2d_50")
    inflate(network, files["published"])
    seen, normed = pixels(), network.get_layer("conv1_norm").output
    found = keras.Model(network.inputs, normed).predict_on_batch(seen)
    expected = keras.Model(resnet.input, resnet.get_layer("conv1_bn").output).predict_on_batch(
        seen_by_keras(seen, module.MEANS_BGR)
    )
    inner = slice(2, -2)  # three pixels of zeros around the picture, and a stride of two
    np.testing.assert_allclose(found[:, inner, inner], expected[:, inner, inner], rtol=1e-3, atol=1e-4)
    assert np.abs(found - expected).max() > 0.01


@pytest.mark.slow
def test_p3d_starts_as_the_2d_network(files):
    flat, deep = build("c2d_50"), build("p3d_63")
    inflate(flat, files["published"])
    inflate(deep, files["published"])
    still = np.repeat(pixels()[:, :1], FRAMES, axis=1)  # (clips, frames, pixels)
    np.testing.assert_allclose(features(deep, still), features(flat, still), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_convlstm_beside_a_convolution_starts_without_effect(files):
    flat, deep = build("c2d_50"), build("convlstm_c2d_63")
    inflate(flat, files["published"])
    inflate(deep, files["published"])
    for name, form in (("conv2_2", "B"), ("conv2_3", "C")):
        block = deep.get_layer(name)
        assert block.form == form
        maps = np.random.default_rng(3).random((2, *block.input.shape[1:]), dtype=np.float32)
        expected = flat.get_layer(name)(maps)
        np.testing.assert_allclose(np.asarray(block(maps)), np.asarray(expected), rtol=1e-4, atol=1e-4)
    assert not np.array_equal(deep.get_layer("conv2_1").norms["time"].gamma, np.zeros(64))


@pytest.mark.parametrize(
    ("head", "video"),
    [("p3d_199", {}), ("p3d_63", {"width": 0.5}), ("c2d_50", {"stages": [3, 4, 6, 4]})],
)
def test_only_resnet_50_can_be_inflated(head, video):
    with pytest.raises(ParamsError, match=f"names weights of ResNet-50, and {head} has"):
        check_inflation(head, video_params(**video))


def test_a_missing_file_is_said_and_other_heads_need_none():
    with pytest.raises(WeightsError, match=r"none\.h5 does not exist: set training\.video\.inflate"):
        check_inflation("c2d_50", video_params())
    check_inflation("gru", video_params())


@pytest.mark.parametrize("place", [".", "/dev/zero"])
def test_a_folder_or_a_device_is_no_file_and_no_input_that_is_hashed(place):
    with pytest.raises(WeightsError, match=f"{place} is no file: set training"):
        check_inflation("c2d_50", video_params(inflate=place))
    assert inflation_input("c2d_50", video_params(inflate=place)) == {}


def video_params(**changes):
    return fake.training_params(video={"inflate": "none.h5"} | changes).video


def damage(path: Path, target: Path, name: str, value: np.ndarray | None) -> Path:
    import h5py

    target.write_bytes(path.read_bytes())
    with h5py.File(target, "a") as file:
        del file[name]
        if value is not None:
            file[name] = value
    return target


BN = "conv3_block2_1_bn/conv3_block2_1_bn"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (f"{BN}/gamma:0", None, "has no gamma of a layer conv3_block2_1_bn"),
        ("conv5_block3_3_conv", None, "has no kernel of a layer conv5_block3_3_conv"),
        (f"{BN}/beta:0", np.zeros(3), r"beta of conv3_block2_1_bn has shape \(3,\), expected \(128,\)"),
        (f"{BN}/beta:0", np.full(128, np.nan), "beta of conv3_block2_1_bn has values that are not finite"),
    ],
)
def test_a_file_of_another_network_is_refused(files, tmp_path, name, value, message):
    file = ResNetFile(damage(files["published"], tmp_path / "other.h5", name, value))
    with pytest.raises(WeightsError, match=message):
        (file.norm("conv3_block2_1", 128), file.conv("conv5_block3_3", (1, 1, 512, 2048)))


def test_a_file_that_is_no_hdf5_is_refused(tmp_path):
    path = tmp_path / "weights.h5"
    path.write_bytes(b"not HDF5")
    for one in (path, tmp_path / "none.h5"):
        with pytest.raises(WeightsError, match=r"cannot be read as HDF5.*expected the weights of keras"):
            inflate(None, one)


STEM, SHAPE = "conv1_conv/conv1_conv", (7, 7, 3, 64)


def with_kernel(path: Path, write: Callable[[Any], None]) -> ResNetFile:
    """A file with the bias of the stem, and the kernel that `write` puts into its group."""
    import h5py

    with h5py.File(path, "w") as file:
        group = file.create_group(STEM)
        group["bias:0"] = np.zeros(64, np.float32)
        write(group)
    return ResNetFile(path)


def test_a_link_to_another_file_is_not_followed(tmp_path):
    import h5py

    with_kernel(tmp_path / "secret.h5", lambda group: group.create_dataset("kernel:0", SHAPE))
    link = h5py.ExternalLink("secret.h5", f"{STEM}/kernel:0")
    file = with_kernel(tmp_path / "weights.h5", lambda group: group.__setitem__("kernel:0", link))
    with pytest.raises(WeightsError, match="has no kernel of a layer conv1_conv"):
        file.conv("conv1", SHAPE)


def stored_elsewhere(group: Any) -> None:
    group.create_dataset("kernel:0", SHAPE, "f4", external="/etc/passwd")


def virtual(group: Any) -> None:
    import h5py

    layout = h5py.VirtualLayout(SHAPE, "f4")
    layout[...] = h5py.VirtualSource("secret.h5", "kernel", SHAPE)
    group.create_virtual_dataset("kernel:0", layout)


def compressed(group: Any) -> None:
    group.create_dataset("kernel:0", SHAPE, "f4", compression="gzip")


@pytest.mark.parametrize("write", [stored_elsewhere, virtual, compressed])
def test_numbers_in_another_file_or_compressed_are_not_read(tmp_path, write):
    file = with_kernel(tmp_path / "weights.h5", write)
    with pytest.raises(WeightsError, match="kernel of conv1_conv are compressed, or in another file"):
        file.conv("conv1", SHAPE)


def test_terabytes_or_texts_in_place_of_a_weight_are_not_read(tmp_path):
    side, path = 1 << 20, tmp_path / "weights.h5"
    huge = with_kernel(path, lambda group: group.create_dataset("kernel:0", (side, side), chunks=(64, 64)))
    with pytest.raises(WeightsError, match=r"has shape \(1048576, 1048576\), expected \(7, 7, 3, 64\)"):
        huge.conv("conv1", SHAPE)
    texts = with_kernel(path, lambda group: group.create_dataset("kernel:0", SHAPE, "S3"))
    with pytest.raises(WeightsError, match=r"kernel of conv1_conv is \|S3, expected float32"):
        texts.conv("conv1", SHAPE)


@pytest.mark.parametrize("place", ["layers", "layers/conv1", "layers/conv1/vars", "conv1_conv"])
def test_numbers_in_place_of_a_group_are_refused(tmp_path, place):
    import h5py

    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file[place] = np.zeros(3)
    with pytest.raises(WeightsError, match="has no kernel of a layer conv1_conv"):
        ResNetFile(tmp_path / "weights.h5").conv("conv1", SHAPE)
