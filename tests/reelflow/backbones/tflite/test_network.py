"""Networks that only the params describe: three files at hand, at several sizes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reelflow.backbones.registry import check_backbones, load_backbone
from reelflow.backbones.tflite.cut import cut_at
from reelflow.backbones.tflite.network import described_by, load_network, open_network
from reelflow.backbones.tflite.windows import resized
from reelflow.errors import ParamsError, WeightsError
from reelflow.params import NetworkParams
from reelflow.settings import Settings
from reelflow.video.resize import resize

MAPS = {
    "mobilenet_v2_1.0_224_quant.tflite": "MobilenetV2/Conv_1/Relu6",
    "mobilenet_v1_0.75_192_quant.tflite": "MobilenetV1/MobilenetV1/Conv2d_13_pointwise/Relu6",
    "tf2_mobilenet_v2_1.0_224_ptq.tflite": "MobileNetV2/Conv2d_18_1/relu6/Relu6",
}
V2, OTHER, _ = MAPS


@pytest.fixture(scope="module")
def weights(shared_data: Path) -> Path:
    return shared_data / "weights"


@pytest.fixture(scope="module")
def picture(shared_data: Path) -> np.ndarray:
    return np.asarray(Image.open(shared_data / "test_images" / "parrot.jpg").convert("RGB"))


def network(file: str, **changes) -> NetworkParams:
    values = {"tensor": MAPS[file], "height": 224, "width": 224, "window": None, "stride": 1}
    return NetworkParams.model_validate({"file": file} | values | changes)


def frames(picture: np.ndarray, how: NetworkParams) -> np.ndarray:
    return resize(picture, how.height, how.width)[None]


def test_the_studys_network_described_by_params_has_the_same_codes(weights, picture):
    study = load_backbone("mobilenet_v2_quant", str(weights), seed=1, settings=Settings())
    ours = load_network("ours", network(V2), str(weights), Settings())
    seen = frames(picture, network(V2))
    np.testing.assert_array_equal(ours.embed(seen), study.embed(seen))
    assert (ours.spec.dim, ours.spec.windows, ours.spec.scale) == (1280, 1, study.spec.scale)


@pytest.mark.parametrize("file", MAPS)
@pytest.mark.parametrize(("height", "width", "windows"), [(224, 224, 4), (352, 640, 32)])
def test_windows_are_means_of_cells_of_the_map(weights, picture, file, height, width, windows):
    how = network(file, height=height, width=width, window=5, stride=2)
    ours = load_network("ours", how, str(weights), Settings())
    seen = frames(picture, how)
    bare = open_network(resized(cut_at((weights / file).read_bytes(), MAPS[file]), height, width))
    (source,), (result,) = bare.get_input_details(), bare.get_output_details()
    bare.set_tensor(source["index"], seen)
    bare.invoke()
    cells = bare.get_tensor(result["index"])[0].astype(int) - result["quantization"][1]
    rows, columns = ((size // 32 - 5) // 2 + 1 for size in (height, width))
    means = [
        cells[2 * row : 2 * row + 5, 2 * column : 2 * column + 5].mean(axis=(0, 1))
        for row in range(rows)
        for column in range(columns)
    ]
    assert ours.spec.windows == windows == rows * columns
    codes = ours.embed(seen).reshape(windows, -1)
    assert codes.dtype == np.uint8
    assert np.abs(codes - np.stack(means)).max() <= 0.51


@pytest.mark.parametrize("file", MAPS)
def test_another_size_at_the_size_of_the_file_changes_nothing(weights, picture, file):
    side = 192 if "192" in file else 224
    how = network(file, height=side, width=side)
    whole = cut_at((weights / file).read_bytes(), MAPS[file])
    seen = frames(picture, how)
    maps = []
    for content in (whole, resized(whole, side, side)):
        one = open_network(content)
        one.set_tensor(one.get_input_details()[0]["index"], seen)
        one.invoke()
        maps.append(one.get_tensor(one.get_output_details()[0]["index"]))
    np.testing.assert_array_equal(*maps)


def test_the_spec_describes_the_network_whole(weights):
    how = network(V2, height=256, width=320, window=3, stride=4)
    assert described_by(load_network("ours", how, str(weights), Settings()).spec) == how
    assert described_by(load_backbone("thumbnail", "", seed=1, settings=Settings()).spec) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tensor": "MobilenetV2/Conv_2"}, "no tensors 'MobilenetV2/Conv_2'; its last ones are .*Conv_1"),
        ({"window": 8}, "a window of 8x8 cells does not fit on a map of 7x7 cells"),
        ({"value_range": [-1, 1]}, "its input is uint8, expected float32"),
        ({"tensor": "MobilenetV2/Logits/Conv2d_1c_1x1/BiasAdd"}, "has negative numbers"),
        (
            {"tensor": "MobilenetV2/Logits/AvgPool", "height": 96, "width": 96},
            "frames of 96x96 pixels are too small",
        ),
    ],
)
def test_params_that_do_not_fit_the_file_say_what_to_change(weights, changes, message):
    with pytest.raises(WeightsError, match=f"features.networks.ours: .*{message}"):
        load_network("ours", network(V2, **changes), str(weights), Settings())


@pytest.mark.parametrize("given", ["imagenet", "random", "nowhere", "other.tflite"])
def test_weights_that_are_not_the_file_say_where_to_put_it(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.tflite").touch()
    with pytest.raises(WeightsError, match=f"needs {OTHER}, found {given}: set features.weights"):
        load_network("ours", network(OTHER), given, Settings())


def test_a_damaged_file_is_told_with_its_name(weights, tmp_path):
    (tmp_path / V2).write_bytes((weights / V2).read_bytes()[:100_000])
    with pytest.raises(WeightsError, match=f"features.networks.ours: .*{V2}"):
        load_network("ours", network(V2), str(tmp_path), Settings())


def test_names_of_networks_are_checked():
    check_backbones(["ours"], {"ours": network(V2)})
    with pytest.raises(ParamsError, match="thumbnail is a backbone already"):
        check_backbones(["thumbnail"], {"thumbnail": network(V2)})
    for name in ("pixels", "pixels_64", "pixels_1000"):
        with pytest.raises(ParamsError, match=f"{name} is a backbone already"):
            check_backbones(["ours"], {name: network(V2), "ours": network(V2)})
    with pytest.raises(
        ParamsError, match=r"unknown backbone other; known ones are .*, ours; features\.networks"
    ):
        check_backbones(["other"], {"ours": network(V2)})
