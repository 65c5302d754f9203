"""The study's network: MobileNetV2 1.0 in uint8, cut at its averaged last feature map.

The weights are Google's, from quantisation-aware training, in the conversion that Coral publishes
(github.com/google-coral/test_data); the older conversion in TensorFlow's archive
(tflite_11_05_08) has another sha256.
"""

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelflow.backbones.embedding import cut_at
from reelflow.backbones.interface import Backbone
from reelflow.backbones.weight_file import WeightFile
from reelflow.backbones.weights import find_weights
from reelflow.contracts import BackboneSpec, Preprocessing
from reelflow.errors import WeightsError
from reelflow.files import sha256_file
from reelflow.settings import Settings

TENSOR = "MobilenetV2/Logits/AvgPool"
SIDE, DIM = 224, 1280
FILE = WeightFile(
    name="mobilenet_v2_1.0_224_quant.tflite",
    url="https://raw.githubusercontent.com/google-coral/test_data/"
    "104342d2d3480b3e66203073dac24f4e2dbb4c41/mobilenet_v2_1.0_224_quant.tflite",
    sha256="7aad0c74c5e3c06e5eb3c827e13304fdd68a83da6087d92ee169c24ff9fd4776",
    size_bytes=3_610_798,
)


class QuantisedMobileNet:
    """One interpreter per thread, each with one thread: faster than one with many."""

    def __init__(self, network: bytes, spec: BackboneSpec) -> None:
        self.spec = spec
        self._network = network
        self._local = threading.local()

    def embed(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Run the network frame by frame: `(n, 224, 224, 3)` to `(n, 1280)`, uint8."""
        interpreter = self._interpreter()
        (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
        codes = np.empty((len(frames), DIM), np.uint8)
        for place, frame in enumerate(frames):
            interpreter.set_tensor(source["index"], frame[None])
            interpreter.invoke()
            codes[place] = interpreter.get_tensor(result["index"]).reshape(DIM)  # from (1, 1, 1, 1280)
        return codes

    def to_tflite(self, quantization: str, calibration: NDArray[np.uint8]) -> bytes:  # noqa: ARG002
        """The unchanged network: it is already quantised."""
        return self._network

    def _interpreter(self) -> Any:
        if not hasattr(self._local, "interpreter"):
            self._local.interpreter = open_network(self._network)
        return self._local.interpreter


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
    return QuantisedMobileNet(network, spec_of(path))


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


def open_network(network: bytes) -> Any:
    """Open a TFLite network with one thread.

    Raises:
        WeightsError: the runtime refuses it.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_content=network, num_threads=1)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise WeightsError(f"LiteRT cannot run it ({error}); fetch it again") from error
    return interpreter


def _check(interpreter: Any) -> None:
    details = (interpreter.get_input_details(), interpreter.get_output_details())
    found = [[(list(map(int, one["shape"])), one["dtype"].__name__) for one in side] for side in details]
    expected = [[([1, SIDE, SIDE, 3], "uint8")], [([1, 1, 1, DIM], "uint8")]]
    if found != expected:
        raise WeightsError(
            f"the network up to {TENSOR!r} maps {found[0]} to {found[1]}, "
            f"expected {expected[0]} to {expected[1]}; name the right file"
        )
