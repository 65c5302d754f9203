"""Any TFLite network as a backbone, by its file, a tensor and an input size: no code."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelflow.backbones.download import fetch
from reelflow.backbones.interface import Codes
from reelflow.backbones.tflite.cut import cut_at
from reelflow.backbones.tflite.windows import pooled, resized
from reelflow.backbones.weight_file import MOBILENET_V2_QUANT
from reelflow.backbones.weights import KEYWORDS
from reelflow.contracts import BackboneSpec, Preprocessing, TfliteTrunk
from reelflow.errors import WeightsError
from reelflow.files import sha256_file
from reelflow.params import NetworkParams
from reelflow.settings import Settings
from reelflow.video.preprocess import to_input

CODES_SCALE = 1 / 255  # as in the study, whatever the file's own scale


class TfliteBackbone:
    """One interpreter per thread, each with one thread: faster than one with many."""

    def __init__(self, network: bytes, spec: BackboneSpec) -> None:
        self.spec = spec
        self._network = network
        self._local = threading.local()

    def embed(self, frames: NDArray[np.uint8]) -> Codes:
        """Run the network frame by frame: `(n, height, width, 3)` to `(n, dim)`."""
        interpreter = self._interpreter()
        (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
        codes = np.empty((len(frames), self.spec.dim), self.spec.dtype)
        for place, frame in enumerate(frames):
            interpreter.set_tensor(source["index"], to_input(frame[None], self.spec.preprocessing))
            interpreter.invoke()
            codes[place] = interpreter.get_tensor(result["index"]).ravel()  # (1, rows, columns, channels)
        return codes

    def to_tflite(self, quantization: str, calibration: NDArray[np.uint8]) -> bytes:  # noqa: ARG002
        """The unchanged network, as its file quantises it."""
        return self._network

    def _interpreter(self) -> Any:
        if not hasattr(self._local, "interpreter"):
            self._local.interpreter = open_network(self._network)
        return self._local.interpreter


def load_network(name: str, how: NetworkParams, weights: str, settings: Settings) -> TfliteBackbone:
    """Load a network that the params describe.

    Args:
        name: of the backbone.
        how: file, tensor, input size and windows.
        weights: the folder that holds the file, the file itself, or `imagenet` for a published one.
        settings: with the cache of downloads, and a mirror.

    Raises:
        WeightsError: the file is missing or damaged, or is not as the params describe it.
    """
    path = _find(name, how.file, weights, settings)
    try:
        network = pooled(
            resized(cut_at(path.read_bytes(), how.tensor), how.height, how.width), how.window, how.stride
        )
        interpreter = open_network(network)
        return TfliteBackbone(network, _spec(name, how, path, interpreter))
    except WeightsError as error:
        raise WeightsError(f"features.networks.{name}: {path}: {error}") from error


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


def described_by(spec: BackboneSpec) -> NetworkParams | None:
    """The params of the network of this spec; None for a backbone of the registry."""
    if spec.trunk is None:
        return None
    how = spec.preprocessing
    return NetworkParams(
        **spec.trunk.model_dump(exclude={"schema_version"}),
        height=how.height,
        width=how.width,
        value_range=how.value_range,
    )


def _find(name: str, file: str, weights: str, settings: Settings) -> Path:
    if weights == "imagenet" and file == MOBILENET_V2_QUANT.name:
        return fetch(MOBILENET_V2_QUANT, settings)
    path = Path(weights, file) if Path(weights).is_dir() else Path(weights)
    if weights in KEYWORDS or path.name != file or not path.is_file():
        raise WeightsError(
            f"features.networks.{name} needs {file}, found {weights}: set features.weights (WEIGHTS=) to "
            "the folder that holds it"
        )
    return path


def _spec(name: str, how: NetworkParams, path: Path, interpreter: Any) -> BackboneSpec:
    """Input and output, from the params and the network.

    Raises:
        WeightsError: they contradict each other, or the codes are not usable.
    """
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    taken, given = source["dtype"].__name__, result["dtype"].__name__
    _, rows, columns, _ = (1, 1, *result["shape"])[-4:]
    expected = "uint8" if how.value_range is None else "float32"
    if taken != expected:
        raise WeightsError(
            f"its input is {taken}, expected {expected}: set value_range to null for uint8, and for "
            "float32 to the range that the network takes, such as [-1, 1]"
        )
    if given == "uint8" and result["quantization"][1] != 0:
        raise WeightsError(
            f"{how.tensor!r} has negative numbers (its code of 0 is {result['quantization'][1]}): name a "
            "tensor behind a ReLU"
        )
    if given not in ("uint8", "float32"):
        raise WeightsError(f"{how.tensor!r} is {given}, expected uint8, int8 or float32")
    quantised = given == "uint8"
    return BackboneSpec(
        name=name,
        preprocessing=Preprocessing(
            height=how.height,
            width=how.width,
            color="rgb",
            resize="pil-bilinear",
            value_range=how.value_range,
        ),
        dim=int(np.prod(result["shape"])),
        windows=int(rows * columns),
        dtype="uint8" if quantised else "float16",
        scale=CODES_SCALE if quantised else 1.0,
        weights_sha256=sha256_file(path),
        trunk=TfliteTrunk(file=how.file, tensor=how.tensor, window=how.window, stride=how.stride),
    )
