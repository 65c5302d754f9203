"""What every backbone keeps to, and how one is chosen."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reelflow.backbones.interface import Backbone
from reelflow.backbones.registry import BACKBONES, libraries_of, load_backbone, module_of
from reelflow.errors import ParamsError
from reelflow.settings import Settings
from reelflow.video.preprocess import preprocess

CHEAP = ("mobilenet_v2_quant", "thumbnail")
PIXELS = ("pixels", "pixels_32")
KERAS = ("inception_v3", "mobilenet_v2")


@pytest.fixture(params=[*CHEAP, *PIXELS, *(pytest.param(name, marks=pytest.mark.slow) for name in KERAS)])
def backbone(request: pytest.FixtureRequest) -> Backbone:
    if request.param in KERAS:
        return load_backbone(request.param, "random", seed=1, settings=Settings())
    if request.param in ("thumbnail", *PIXELS):
        return load_backbone(request.param, "imagenet", seed=1, settings=Settings())
    shared_data: Path = request.getfixturevalue("shared_data")
    return load_backbone(request.param, str(shared_data / "weights"), seed=1, settings=Settings())


SHARED_MODULES = ("reelflow.backbones.tflite.network", "reelflow.backbones.keras_application")


def test_codes_are_as_the_spec_says(backbone: Backbone) -> None:
    spec = backbone.spec
    frames = np.random.default_rng(0).integers(0, 256, (2, 40, 50, 3), np.uint8)
    ready = preprocess(np.concatenate([frames, frames[:1]]), spec.preprocessing)
    codes = backbone.embed(ready)
    assert type(backbone).__module__ in (module_of(spec.name), *SHARED_MODULES)
    assert codes.shape == (3, spec.dim)
    assert codes.dtype == spec.dtype
    rounding = 2e-3 if spec.dtype == "float16" else 0  # a float sum depends on the frame's place in the batch
    np.testing.assert_allclose(codes[2], codes[0], rtol=rounding)
    assert (codes[1] != codes[0]).any()
    np.testing.assert_array_equal(backbone.embed(ready), codes)


def test_every_backbone_is_tested() -> None:
    assert sorted(BACKBONES) == sorted(CHEAP + KERAS)


def test_an_unknown_name_tells_the_known_ones() -> None:
    with pytest.raises(
        ParamsError, match=r"vgg; known ones are inception_v3, .*, thumbnail, pixels, pixels_<side>;"
    ):
        load_backbone("vgg", "imagenet", seed=1, settings=Settings())


def test_the_thumbnail_is_the_frame_itself() -> None:
    thumbnail = load_backbone("thumbnail", "there is no such file", seed=1, settings=Settings())
    frames = np.arange(2 * 192, dtype=np.uint8).reshape(2, 12, 16, 1)
    np.testing.assert_array_equal(thumbnail.embed(frames), frames.reshape(2, 192))
    assert thumbnail.to_tflite("int8", frames) is None
    assert thumbnail.spec.weights_sha256 is None


@pytest.mark.parametrize(("name", "side"), [("pixels", 160), ("pixels_8", 8), ("pixels_512", 512)])
def test_pixels_are_the_middle_of_the_frame_in_the_size_that_the_name_tells(name: str, side: int) -> None:
    pixels = load_backbone(name, "there is no such file", seed=1, settings=Settings())
    how = pixels.spec.preprocessing
    assert (pixels.spec.name, how.height, how.width, how.centre, how.color) == (name, side, side, 0.8, "rgb")
    assert (pixels.spec.dim, pixels.spec.dtype, pixels.spec.scale) == (side * side * 3, "uint8", 1 / 255)
    frames = np.random.default_rng(2).integers(0, 256, (2, 60, 80, 3), np.uint8)
    ready = preprocess(frames, how)
    np.testing.assert_array_equal(pixels.embed(ready).reshape(2, side, side, 3), ready)
    assert pixels.to_tflite("int8", ready) is None
    assert pixels.spec.weights_sha256 is None
    assert (module_of(name), libraries_of(name)) == ("reelflow.backbones.pixels", ())


@pytest.mark.parametrize("name", ["pixels_7", "pixels_513", "pixels_99999999", "pixels_0x10", "pixels_064"])
def test_pixels_of_another_size_are_refused(name: str) -> None:
    with pytest.raises(ParamsError, match=rf"{name}.*(expected 8 to 512|known ones are .*pixels_<side>)"):
        load_backbone(name, "imagenet", seed=1, settings=Settings())


def test_choosing_a_light_backbone_imports_no_tensorflow() -> None:
    code = (
        "import sys; from reelflow.backbones.registry import load_backbone; import components.features.step\n"
        "from reelflow.settings import Settings\n"
        "load_backbone('thumbnail', 'imagenet', seed=1, settings=Settings())\n"
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
