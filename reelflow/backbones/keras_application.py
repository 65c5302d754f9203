"""A network of `keras.applications` as a backbone: no top, average pooling, float16 codes.

The published weights are the files with the classifier on top, because only their sha256 can
be verified: Keras publishes at most an MD5. The classifier is removed after loading.
"""

import hashlib
import math
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reelflow.backbones.dequantised import fill
from reelflow.backbones.weight_file import WeightFile, check
from reelflow.backbones.weights import find_weights, save_keras_weights
from reelflow.contracts import BackboneSpec, Preprocessing
from reelflow.errors import ParamsError, WeightsError
from reelflow.files import sha256_file
from reelflow.nets.runtime import prepare
from reelflow.progress import emit
from reelflow.settings import Settings
from reelflow.video.preprocess import to_input

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Application:
    """One network of `keras.applications`.

    Attributes:
        name: of the backbone.
        builder: its function in `keras.applications`.
        side: height and width of the input, pixels.
        dim: of the feature.
        published: weights with the classifier on top, pinned.
        without_top: Keras's name of the file without it, also looked for in a folder.
        before_blocks: layers that the last block begins after, the last two, ...; for fine-tuning.
        quantised: a TFLite file of the same network, taken from a folder that holds no other.
    """

    name: str
    builder: str
    side: int
    dim: int
    published: WeightFile
    without_top: str
    before_blocks: tuple[str, ...]
    quantised: WeightFile | None = None


class KerasBackbone:
    """One network for all threads, one call at a time: TensorFlow spreads each over all cores."""

    def __init__(
        self, network: "keras.Model", spec: BackboneSpec, before_blocks: tuple[str, ...] = ()
    ) -> None:
        import tensorflow as tf

        self.spec = spec
        self._network, self._before_blocks = network, before_blocks
        self._lock = threading.Lock()
        shape = (None, *network.input_shape[1:])
        self._run = tf.function(network, input_signature=[tf.TensorSpec(shape, tf.float32)])

    def embed(self, frames: NDArray[np.uint8]) -> NDArray[np.float16]:
        """Embed `(n, side, side, 3) uint8` as `(n, dim) float16`.

        Raises:
            WeightsError: the features do not fit into float16.
        """
        with self._lock:
            features = self._run(to_input(frames, self.spec.preprocessing)).numpy()
        if np.abs(features).max(initial=0) <= np.finfo(np.float16).max:  # false for NaN too
            codes: NDArray[np.float16] = features.astype(np.float16)
            return codes
        raise WeightsError(
            f"{self.spec.name} returns features that are NaN or exceed float16: "
            "the weights are damaged or of another network; name the right file"
        )

    def split(self, blocks: int) -> tuple["KerasBackbone", "keras.Model"]:
        """Cut the network before its last blocks.

        Args:
            blocks: how many, 1 or more.

        Returns:
            The first part, whose codes are feature maps `(n, height, width, channels) float16`, and the
            rest, which maps them to features and shares its weights with this network.

        Raises:
            ParamsError: the network has fewer blocks.
        """
        import keras

        if blocks > len(self._before_blocks):
            raise ParamsError(
                f"features.finetune.blocks is {blocks}, but {self.spec.name} has {len(self._before_blocks)} "
                "blocks that can learn: take fewer"
            )
        cut = self._network.get_layer(self._before_blocks[blocks - 1]).output
        first = KerasBackbone(keras.Model(self._network.input, cut), self.spec)
        return first, keras.Model(cut, self._network.output)

    def save_weights(self, path: Path) -> None:
        """Write Keras's file of weights, `.weights.h5`; the same weights give the same bytes.

        Raises:
            StorageError: the disk is full or read-only.
        """
        save_keras_weights(self._network, path)

    def to_tflite(self, quantization: str, calibration: NDArray[np.uint8]) -> bytes:
        """Convert for one frame per call, float32 in and out, as in `Backbone.to_tflite`."""
        import tensorflow as tf

        converter = tf.lite.TFLiteConverter.from_concrete_functions([self._frozen()])
        if quantization == "float16":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        elif quantization == "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.representative_dataset = lambda: self._examples(calibration)
        elif quantization != "float32":
            raise ParamsError(f"quantization is {quantization!r}; expected float32, float16 or int8")
        with warnings.catch_warnings():  # int8 inside, float32 outside, on purpose
            warnings.filterwarnings("ignore", "Statistics for quantized inputs")
            network: bytes = converter.convert()
        return network

    def _frozen(self) -> Any:
        """The network for one frame, its weights constants: a SavedModel takes five times longer."""
        import tensorflow as tf
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

        one = tf.TensorSpec((1, *self._network.input_shape[1:]), tf.float32)
        return convert_variables_to_constants_v2(tf.function(self._network).get_concrete_function(one))

    def _examples(self, calibration: NDArray[np.uint8]) -> Iterator[list[NDArray[Any]]]:
        for frame in calibration:
            yield [to_input(frame[None], self.spec.preprocessing)]  # (1, side, side, 3)


def find_application_weights(application: Application, weights: str, settings: Settings) -> Path:
    """The file of weights; TensorFlow is not imported.

    Raises:
        WeightsError: as in `find_weights`.
    """
    others = [application.without_top, *([application.quantised.name] if application.quantised else [])]
    return find_weights(weights, application.published, settings, others)


def load_application(
    application: Application, weights: str, *, seed: int, settings: Settings
) -> KerasBackbone:
    """Build the network and load its weights.

    In a folder the Keras file is used; without one the quantised file, with a notice.

    Raises:
        WeightsError: as in `find_weights`; or the file is damaged, or of another network.
    """
    prepare()
    if weights == "random":
        network = _random(application, seed)
        return _backbone(application, network, _sha256_of(network))
    quantised, path = application.quantised, find_application_weights(application, weights, settings)
    if quantised and path.suffix == ".tflite":
        return _backbone(application, _dequantised(application, path, quantised), sha256_file(path))
    try:
        network = _loaded(application, path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path} holds no weights of {application.name} ({_first_line(error)}); expected a file as "
            f"{application.published.name} or {application.without_top}"
        ) from error
    return _backbone(application, network, sha256_file(path))


def _backbone(application: Application, network: "keras.Model", weights_sha256: str) -> KerasBackbone:
    return KerasBackbone(network, _spec(application, weights_sha256), application.before_blocks)


def _spec(application: Application, weights_sha256: str) -> BackboneSpec:
    side = application.side
    return BackboneSpec(
        name=application.name,
        preprocessing=Preprocessing(
            height=side, width=side, color="rgb", resize="pil-bilinear", value_range=(-1, 1)
        ),
        dim=application.dim,
        dtype="float16",
        scale=1,
        weights_sha256=weights_sha256,
    )


def _build(application: Application, *, top: bool) -> "keras.Model":
    import keras

    builder = getattr(keras.applications, application.builder)
    shape = (application.side, application.side, 3)
    return builder(weights=None, include_top=top, pooling=None if top else "avg", input_shape=shape)


def _random(application: Application, seed: int) -> "keras.Model":
    """Normal weights that keep the variance (He): with Keras's default, it vanishes with the depth."""
    network = _build(application, top=False)
    generator = np.random.default_rng(seed)
    for kernel in network.trainable_variables:
        if kernel.name.endswith("kernel"):
            inputs = kernel.shape[:2] if "depthwise" in kernel.path else kernel.shape[:3]
            kernel.assign(generator.normal(0, math.sqrt(2 / math.prod(inputs)), kernel.shape))
    return network


def _loaded(application: Application, path: Path) -> "keras.Model":
    import keras

    top = _has_top(path)
    network = _build(application, top=top)
    network.load_weights(path)
    return keras.Model(network.input, network.get_layer("predictions").input) if top else network


def _dequantised(application: Application, path: Path, published: WeightFile) -> "keras.Model":
    if path.name == published.name:
        check(path, published)
    network = _build(application, top=False)
    fill(network, path)
    emit("notice", message=f"{application.name}: float weights dequantised from {path.name}")
    return network


def _has_top(path: Path) -> bool:
    import h5py  # type: ignore[import-untyped]

    with h5py.File(path) as file:  # only the weights of the classifier are a matrix
        return bool(file.visititems(lambda _, item: getattr(item, "ndim", 0) == 2 or None))


def _sha256_of(network: "keras.Model") -> str:
    digest = hashlib.sha256()
    for values in network.get_weights():
        digest.update(values.tobytes())
    return digest.hexdigest()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
