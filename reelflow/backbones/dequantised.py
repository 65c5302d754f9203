"""Float weights from a quantised TFLite file of the same architecture.

The network was trained with quantisation-aware training, and its batch norms were folded into the
convolutions before them. Here the convolutions get the dequantised weights as float32, and each batch norm
only adds the bias. The values are those of the quantised network, with its rounding.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reelflow.errors import WeightsError

if TYPE_CHECKING:
    import keras

Array = NDArray[np.float32]
INPUT_SCALE = 127.5 / 128
INPUT_SHIFT = -0.5 / 128
"""A pixel is (p - 128) / 128 in the file and p / 127.5 - 1 in Keras: file = Keras * scale + shift."""


def fill(network: "keras.Model", path: Path) -> None:
    """Set the convolutions of a network without top from a TFLite file, in order.

    Args:
        network: of the file's architecture, each convolution followed by a batch norm; changed in place.
        path: the TFLite file; what follows the last convolution of the network is left out.

    Raises:
        WeightsError: the file is damaged, or of another network.
    """
    import keras

    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    convolutions = [layer for layer in network.layers if isinstance(layer, kinds)]
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    try:
        found = list(_convolutions(path.read_bytes()))[: len(convolutions)]
        found[0] = _for_keras_input(*found[0])
        for layer, norm, (kernel, bias) in zip(convolutions, norms, found, strict=True):
            layer.set_weights([kernel])
            ones, none = np.ones_like(bias), np.zeros_like(bias)
            norm.set_weights([ones, bias, none, ones - np.float32(norm.epsilon)])
    except Exception as error:  # any error of the generated parser on damaged bytes, and of Keras on shapes
        raise WeightsError(
            f"{path} holds no quantised weights of {network.name} ({error}); name the right file"
        ) from error


def _convolutions(model: bytes) -> Iterator[tuple[Array, Array]]:
    """Kernel, in Keras's order of axes, and bias of every convolution, in order of execution."""
    from ai_edge_litert import schema_py_generated as schema

    if model[4:8] != b"TFL3":
        raise ValueError("it is not a TFLite file")
    file = schema.ModelT.InitFromPackedBuf(model)
    graph = file.subgraphs[0]
    kinds = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D)
    for operator in graph.operators:
        code = file.operatorCodes[operator.opcodeIndex]
        if max(code.builtinCode, code.deprecatedBuiltinCode) in kinds:
            _, kernel, bias = (graph.tensors[place] for place in operator.inputs)
            # (out, h, w, in) -> (h, w, in, out); depthwise (1, h, w, channels) -> (h, w, channels, 1)
            yield _values(file, kernel).transpose(1, 2, 3, 0), _values(file, bias)


def _values(file: Any, tensor: Any) -> Array:
    """Values of a uint8 or int32 constant with one scale: (code - zero point) * scale."""
    dtype = {2: np.int32, 3: np.uint8}[tensor.type]
    codes = np.frombuffer(bytes(file.buffers[tensor.buffer].data), dtype).reshape(tensor.shape)
    (scale,), (zero,) = tensor.quantization.scale, tensor.quantization.zeroPoint
    values: Array = ((codes.astype(np.int64) - zero) * scale).astype(np.float32)
    return values


def _for_keras_input(kernel: Array, bias: Array) -> tuple[Array, Array]:
    """The first convolution for pixels from -1 to 1; the quantised network has -1 to 127/128."""
    shift = kernel.sum(axis=(0, 1, 2)) * np.float32(INPUT_SHIFT)  # (h, w, in, out) -> (out,)
    return kernel * np.float32(INPUT_SCALE), bias + shift
