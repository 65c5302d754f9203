"""Cuts a TFLite network at an inner tensor: the result is a TFLite file with that output.

It keeps only the operators that the tensor needs, with their tensors and buffers, unchanged, so the codes
equal those of the whole network.
"""

from typing import Any

from reelflow.errors import WeightsError

IDENTIFIER = b"TFL3"
ALIGNMENT_BYTES = 16  # of constant data in a TFLite file; the generated packer does not keep it


def cut_at(model: bytes, tensor_name: str) -> bytes:
    """Cut a network at the tensor of that name.

    Args:
        model: content of a `.tflite` file.
        tensor_name: the new and only output.

    Raises:
        WeightsError: the content is damaged, or has no such tensor.
    """
    try:
        graph_file = _unpack(model)
        target = _find(graph_file.subgraphs[0], tensor_name)
        if target is not None:
            _cut(graph_file, target)
            return _pack(graph_file)
    except Exception as error:  # any error of the generated parser on damaged bytes
        raise WeightsError(f"this is not a complete TFLite file ({error}); fetch it again") from error
    raise WeightsError(
        f"this TFLite file has no tensor {tensor_name!r}: it is another network; name the right file"
    )


def _unpack(model: bytes) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    if model[4:8] != IDENTIFIER:
        raise ValueError(f"it starts with {model[:8]!r}, expected {IDENTIFIER!r} at byte 4")
    return schema.ModelT.InitFromPackedBuf(model)


def _find(graph: Any, tensor_name: str) -> int | None:
    names = [tensor.name for tensor in graph.tensors]
    return names.index(tensor_name.encode()) if tensor_name.encode() in names else None


def _cut(graph_file: Any, target: int) -> None:
    graph = graph_file.subgraphs[0]
    graph_file.subgraphs = [graph]
    graph.outputs = [target]
    graph.operators = _needed_operators(graph, target)
    graph_file.signatureDefs = graph_file.metadata = graph_file.metadataBuffer = None
    _drop_unused_tensors(graph)
    _drop_unused_buffers(graph_file)
    _drop_unused_operator_codes(graph_file)


def _needed_operators(graph: Any, target: int) -> list[Any]:
    needed, kept = {target}, []
    for operator in reversed(graph.operators):  # a file lists them in order of execution
        if needed.intersection(operator.outputs):
            needed.update(operator.inputs)
            kept.append(operator)
    return kept[::-1]


def _drop_unused_tensors(graph: Any) -> None:
    used = {*graph.inputs, *graph.outputs}
    for operator in graph.operators:
        used.update(operator.inputs, operator.outputs)
    order = sorted(used - {-1})  # -1 marks an absent optional input
    place = {old: new for new, old in enumerate(order)} | {-1: -1}
    graph.tensors = [graph.tensors[old] for old in order]
    for holder in (graph, *graph.operators):
        holder.inputs = [place[old] for old in holder.inputs]
        holder.outputs = [place[old] for old in holder.outputs]


def _drop_unused_buffers(graph_file: Any) -> None:
    tensors = graph_file.subgraphs[0].tensors
    order = sorted({0, *(tensor.buffer for tensor in tensors)})  # 0 is the empty one, by convention
    place = {old: new for new, old in enumerate(order)}
    graph_file.buffers = [_Aligned(graph_file.buffers[old].data) for old in order]
    for tensor in tensors:
        tensor.buffer = place[tensor.buffer]


def _drop_unused_operator_codes(graph_file: Any) -> None:
    operators = graph_file.subgraphs[0].operators
    order = sorted({operator.opcodeIndex for operator in operators})
    graph_file.operatorCodes = [graph_file.operatorCodes[old] for old in order]
    for operator in operators:
        operator.opcodeIndex = order.index(operator.opcodeIndex)


class _Aligned:
    """Packs the data of a buffer aligned, as the runtime needs it; replaces the generated `BufferT`."""

    def __init__(self, data: Any) -> None:
        self._data = b"" if data is None else bytes(data)

    def Pack(self, builder: Any) -> int:  # noqa: N802
        """Write the buffer; returns its offset."""
        from ai_edge_litert import schema_py_generated as schema

        size = len(self._data)
        if size:
            builder.StartVector(1, size, ALIGNMENT_BYTES)
            builder.head -= size
            builder.Bytes[builder.head : builder.head + size] = self._data
            vector = builder.EndVector()
        schema.BufferStart(builder)
        if size:
            schema.BufferAddData(builder, vector)
        return int(schema.BufferEnd(builder))


def _pack(graph_file: Any) -> bytes:
    import flatbuffers  # type: ignore[import-untyped]

    builder = flatbuffers.Builder(1 << 22)
    builder.Finish(graph_file.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())
