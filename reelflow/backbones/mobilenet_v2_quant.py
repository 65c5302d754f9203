"""The study's network: MobileNetV2 1.0 in uint8, cut at its averaged last feature map.

The weights are Google's, from quantisation-aware training, in the conversion that Coral publishes
(github.com/google-coral/test_data); the older conversion in TensorFlow's archive
(tflite_11_05_08) has another sha256.
"""

from pathlib import Path
from typing import Any

from reelflow.backbones.interface import Backbone
from reelflow.backbones.tflite.cut import cut_at
from reelflow.backbones.tflite.network import TfliteBackbone, open_network
from reelflow.backbones.weight_file import MOBILENET_V2_QUANT
from reelflow.backbones.weights import find_weights
from reelflow.contracts import BackboneSpec, Preprocessing
from reelflow.errors import WeightsError
from reelflow.files import sha256_file
from reelflow.settings import Settings

TENSOR = "MobilenetV2/Logits/AvgPool"
SIDE, DIM = 224, 1280
FILE = MOBILENET_V2_QUANT


def load(weights: str, *, seed: int, settings: Settings) -> Backbone:  # noqa: ARG001
    """Load it from its TFLite file.

    Raises:
        WeightsError: as in `find_weights`; or the file is damaged, or of another network.
    """
    path = find_weights(weights, FILE, settings)
    try:
        network = cut_at(path.read_bytes(), TENSOR)
        _check(open_network(network))
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    return TfliteBackbone(network, spec_of(path))


def spec_of(path: Path) -> BackboneSpec:
    """Input and output of the network in this file."""
    return BackboneSpec(
        name="mobilenet_v2_quant",
        preprocessing=Preprocessing(
            height=SIDE, width=SIDE, color="rgb", resize="pil-bilinear", value_range=None
        ),
        dim=DIM,
        dtype="uint8",
        scale=1 / 255,
        weights_sha256=sha256_file(path),
    )


def _check(interpreter: Any) -> None:
    details = (interpreter.get_input_details(), interpreter.get_output_details())
    found = [[(list(map(int, one["shape"])), one["dtype"].__name__) for one in side] for side in details]
    expected = [[([1, SIDE, SIDE, 3], "uint8")], [([1, 1, 1, DIM], "uint8")]]
    if found != expected:
        raise WeightsError(
            f"the network up to {TENSOR!r} maps {found[0]} to {found[1]}, "
            f"expected {expected[0]} to {expected[1]}; name the right file"
        )
