"""Another input size for a TFLite network, and averages over windows of its last map.

A larger picture gives a larger map, of which each window is a part of the picture: small people far away
have features of their own, for a price that grows with the pixels, not with the windows.
"""

from collections.abc import Sequence
from typing import Any

from reelflow.backbones.tflite.graph import pack, unpack
from reelflow.errors import WeightsError

SIGN_BIT = 128  # from an int8 code to the uint8 code of the same number


def resized(network: bytes, height: int, width: int) -> bytes:
    """The network for frames of another size, in pixels.

    Raises:
        WeightsError: the network cannot take this size.
    """
    graph_file = unpack(network)
    graph = graph_file.subgraphs[0]
    computed = [graph_file.buffers[tensor.buffer].data is None for tensor in graph.tensors]
    graph.tensors[graph.inputs[0]].shape = [1, height, width, 3]
    try:
        shapes = _shapes(pack(graph_file))
    except (RuntimeError, ValueError) as error:
        raise WeightsError(
            f"the network cannot take frames of {width}x{height} pixels ({error}): choose multiples of "
            "32, or a tensor before the first layer of a fixed size"
        ) from error
    output = shapes[graph.outputs[0]]
    if min(output) < 1:
        raise WeightsError(
            f"frames of {width}x{height} pixels are too small: the tensor would have the shape {output}; "
            "choose larger ones, or a tensor before the first layer of a fixed size"
        )
    for place, tensor in enumerate(graph.tensors):
        if computed[place]:
            tensor.shape, tensor.shapeSignature = shapes[place], None
    return pack(graph_file)


def pooled(network: bytes, window: int | None, stride: int) -> bytes:
    """Append averages over windows of the network's map; its codes become uint8 if they are int8.

    Args:
        network: with one output, a map `(1, rows, columns, channels)`.
        window: side of a window, in cells; null for the whole map.
        stride: from one window to the next, in cells.

    Raises:
        WeightsError: the output is no map, a window does not fit, or codes of 0 are not the number 0.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph_file = unpack(network)
    graph = graph_file.subgraphs[0]
    shape = _map_of(graph)
    height, width = (window, window) if window else shape[1:3]
    if height > shape[1] or width > shape[2]:
        raise WeightsError(
            f"a window of {height}x{width} cells does not fit on a map of {shape[1]}x{shape[2]} cells: "
            "choose a smaller window, or larger frames"
        )
    if (height, width) != (1, 1) or shape[1:3] != [1, 1]:
        options = schema.Pool2DOptionsT()
        options.padding = schema.Padding.VALID
        options.filterHeight, options.filterWidth = height, width
        options.strideH = options.strideW = stride
        places = [(shape[1] - height) // stride + 1, (shape[2] - width) // stride + 1]
        code = schema.BuiltinOperator.AVERAGE_POOL_2D
        _append(graph_file, code, schema.BuiltinOptions.Pool2DOptions, options, [1, *places, shape[3]])
    if graph.tensors[graph.outputs[0]].type == schema.TensorType.INT8:
        output = _append(graph_file, schema.BuiltinOperator.QUANTIZE, 0, None, _map_of(graph))
        output.type = schema.TensorType.UINT8
        output.quantization.zeroPoint = [int(point) + SIGN_BIT for point in output.quantization.zeroPoint]
    return pack(graph_file)


def _map_of(graph: Any) -> list[int]:
    shape = [int(size) for size in graph.tensors[graph.outputs[0]].shape]
    if len(shape) == 2:  # (1, dim)
        return [1, 1, 1, shape[1]]
    if len(shape) != 4:
        raise WeightsError(f"the tensor has the shape {shape}, expected a map (1, rows, columns, channels)")
    return shape


def _append(graph_file: Any, code: int, kind: int, options: Any, shape: Sequence[int]) -> Any:
    """Append an operator to the only output; returns its output, of the same type and quantisation."""
    from ai_edge_litert import schema_py_generated as schema

    graph = graph_file.subgraphs[0]
    source = graph.tensors[graph.outputs[0]]
    output = schema.TensorT()
    output.shape, output.type, output.buffer = list(shape), source.type, 0
    output.name = source.name.split(b";")[0] + b"/windows" * (kind != 0)
    output.quantization = schema.QuantizationParametersT()
    if source.quantization is not None:
        output.quantization.scale = source.quantization.scale
        output.quantization.zeroPoint = source.quantization.zeroPoint
    graph.tensors.append(output)
    operator = schema.OperatorT()
    operator.opcodeIndex = _code_index(graph_file, code)
    operator.inputs, operator.outputs = list(graph.outputs), [len(graph.tensors) - 1]
    operator.builtinOptionsType, operator.builtinOptions = kind, options
    graph.operators.append(operator)
    graph.outputs = operator.outputs
    return output


def _code_index(graph_file: Any, code: int) -> int:
    from ai_edge_litert import schema_py_generated as schema

    for place, known in enumerate(graph_file.operatorCodes):
        if max(known.builtinCode, known.deprecatedBuiltinCode) == code:
            return place
    added = schema.OperatorCodeT()
    added.builtinCode = added.deprecatedBuiltinCode = code
    added.version = 2  # of both operators: the first that takes int8
    graph_file.operatorCodes.append(added)
    return len(graph_file.operatorCodes) - 1


def _shapes(network: bytes) -> dict[int, list[int]]:
    """Shapes of all tensors by index, as the runtime derives them from that of the input."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=network, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    return {one["index"]: one["shape"].tolist() for one in interpreter.get_tensor_details()}
