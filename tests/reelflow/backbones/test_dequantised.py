"""Float weights out of the quantised network's file."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from reelflow.backbones.dequantised import fill
from reelflow.backbones.mobilenet_v2_quant import FILE
from reelflow.backbones.registry import load_backbone
from reelflow.errors import WeightsError
from reelflow.progress import Event, watched_by
from reelflow.settings import Settings
from reelflow.video.preprocess import preprocess

CODE = 0.0235285  # what one step of the quantised network's codes stands for
PICTURES = ("bird.bmp", "grace_hopper.bmp", "hot_dog.jpg", "owl.jpg", "parrot.jpg")


@pytest.fixture(scope="module")
def weights(shared_data: Path) -> Path:
    return shared_data / "weights"


@pytest.mark.slow
def test_features_are_close_to_the_quantised_network_s(shared_data: Path, weights: Path) -> None:
    """A padding, a layer or the input range out of place gives a cosine below 0.9."""
    events: list[Event] = []
    with watched_by(events.append):
        floats = load_backbone("mobilenet_v2", str(weights), seed=1, settings=Settings())
    assert [event["message"] for event in events] == [
        f"mobilenet_v2: float weights dequantised from {FILE.name}"
    ]
    assert floats.spec.weights_sha256 == FILE.sha256
    quantised = load_backbone("mobilenet_v2_quant", str(weights), seed=1, settings=Settings())
    for name in PICTURES:
        picture = np.asarray(Image.open(shared_data / "test_images" / name).convert("RGB"))[None]
        ready = preprocess(picture, floats.spec.preprocessing)
        found, expected = (
            codes.astype(np.float64)[0] for codes in (floats.embed(ready), quantised.embed(ready) * CODE)
        )
        cosine = found @ expected / np.linalg.norm(found) / np.linalg.norm(expected)
        assert cosine > 0.995, name
        assert found.mean() == pytest.approx(expected.mean(), rel=0.03)


def test_keras_s_own_file_comes_first(weights: Path, tmp_path: Path) -> None:
    shutil.copy(weights / FILE.name, tmp_path)
    (tmp_path / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5").write_bytes(b"no HDF5")
    with pytest.raises(WeightsError, match=r"no_top\.h5 holds no weights"):
        load_backbone("mobilenet_v2", str(tmp_path), seed=1, settings=Settings())


def test_a_damaged_copy_is_refused(weights: Path, tmp_path: Path) -> None:
    (tmp_path / FILE.name).write_bytes((weights / FILE.name).read_bytes()[:-1])
    with pytest.raises(WeightsError, match=f"expected {FILE.sha256}"):
        load_backbone("mobilenet_v2", str(tmp_path), seed=1, settings=Settings())


@pytest.mark.parametrize(
    "name", ["mobilenet_v1_0.75_192_quant.tflite", "model_invoking_error.tflite", "imagenet_labels.txt"]
)
def test_another_file_is_refused_by_name(weights: Path, name: str) -> None:
    pixels = keras.Input((32, 32, 3))
    values = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 5)(pixels))
    with pytest.raises(WeightsError, match=rf"{name} holds no quantised weights of small"):
        fill(keras.Model(pixels, values, name="small"), weights / name)
