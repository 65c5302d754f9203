"""The study's network, on real pictures and wrong files."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from reelflow.backbones.interface import Backbone
from reelflow.backbones.mobilenet_v2_quant import FILE
from reelflow.backbones.registry import load_backbone
from reelflow.contracts import Preprocessing
from reelflow.errors import WeightsError
from reelflow.settings import Settings
from reelflow.video.preprocess import preprocess


@pytest.fixture(scope="module")
def weights(shared_data: Path) -> Path:
    return shared_data / "weights"


@pytest.fixture(scope="module")
def backbone(weights: Path) -> Backbone:
    return load_backbone("mobilenet_v2_quant", str(weights), seed=1, settings=Settings())


def frame(path: Path, how: Preprocessing) -> np.ndarray:
    return preprocess(np.asarray(Image.open(path).convert("RGB"))[None], how)


def test_is_as_the_study_says(backbone: Backbone) -> None:
    spec = backbone.spec
    assert (spec.dim, spec.dtype, spec.scale) == (1280, "uint8", 1 / 255)
    assert (spec.preprocessing.height, spec.preprocessing.width, spec.preprocessing.color) == (
        224,
        224,
        "rgb",
    )
    assert spec.preprocessing.value_range is None
    assert spec.weights_sha256 == FILE.sha256


@pytest.mark.parametrize(
    ("picture", "label"),
    [
        ("bird.bmp", "chickadee"),
        ("parrot.jpg", "macaw"),
        ("cat.bmp", "Egyptian cat"),
        ("sunflower.bmp", "daisy"),
        ("hot_dog.jpg", "hotdog, hot dog, red hot"),
        ("grace_hopper.bmp", "military uniform"),
    ],
)
def test_preprocessing_lets_the_network_see(
    shared_data: Path, weights: Path, backbone: Backbone, picture: str, label: str
) -> None:
    labels = (weights / "imagenet_labels.txt").read_text().splitlines()
    interpreter = Interpreter(str(weights / FILE.name))
    interpreter.allocate_tensors()
    interpreter.set_tensor(0, frame(shared_data / "test_images" / picture, backbone.spec.preprocessing))
    interpreter.invoke()
    scores = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    assert labels[scores.argmax()] == label


def test_the_device_s_file_gives_the_same_codes(shared_data: Path, backbone: Backbone) -> None:
    frames = frame(shared_data / "test_images" / "owl.jpg", backbone.spec.preprocessing)
    network = backbone.to_tflite("int8", frames)
    assert network is not None
    interpreter = Interpreter(model_content=network)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], frames)
    interpreter.invoke()
    codes = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).reshape(1, -1)
    np.testing.assert_array_equal(codes, backbone.embed(frames))


def test_threads_do_not_disturb_each_other(backbone: Backbone) -> None:
    clips = np.random.default_rng(0).integers(0, 256, (12, 2, 224, 224, 3), np.uint8)
    alone = [backbone.embed(clip) for clip in clips]
    with ThreadPoolExecutor(4) as pool:
        np.testing.assert_array_equal(list(pool.map(backbone.embed, clips)), alone)


def test_no_frames_give_no_codes(backbone: Backbone) -> None:
    assert backbone.embed(np.empty((0, 224, 224, 3), np.uint8)).shape == (0, 1280)


def test_a_user_s_own_file_is_known_by_its_hash(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.tflite").write_bytes((weights / FILE.name).read_bytes() + b"\0\0\0\0")
    spec = load_backbone(
        "mobilenet_v2_quant", str(tmp_path / "mine.tflite"), seed=1, settings=Settings()
    ).spec
    assert spec.weights_sha256 != FILE.sha256


def test_a_damaged_copy_is_refused(weights: Path, tmp_path: Path) -> None:
    (tmp_path / FILE.name).write_bytes((weights / FILE.name).read_bytes()[:-1])
    with pytest.raises(WeightsError, match=f"expected {FILE.sha256}"):
        load_backbone("mobilenet_v2_quant", str(tmp_path), seed=1, settings=Settings())


@pytest.mark.parametrize(
    "name",
    [
        "model_invoking_error.tflite",
        "mobilenet_v1_0.75_192_quant.tflite",
        "tf2_mobilenet_v2_1.0_224_ptq.tflite",
        "imagenet_labels.txt",
    ],
)
def test_another_file_is_refused_by_name(weights: Path, name: str) -> None:
    with pytest.raises(WeightsError, match=name):
        load_backbone("mobilenet_v2_quant", str(weights / name), seed=1, settings=Settings())


def test_half_a_file_is_refused(weights: Path, tmp_path: Path) -> None:
    shutil.copyfile(weights / FILE.name, tmp_path / "mine.tflite")
    with (tmp_path / "mine.tflite").open("r+b") as file:
        file.truncate(1_000_000)
    with pytest.raises(WeightsError, match=r"mine\.tflite"):
        load_backbone("mobilenet_v2_quant", str(tmp_path / "mine.tflite"), seed=1, settings=Settings())
