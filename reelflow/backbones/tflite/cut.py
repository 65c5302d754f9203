"""Cuts a TFLite network at an inner tensor: the result is a TFLite file with that output.

It keeps only the operators that the tensor needs, with their tensors and buffers, unchanged, so the codes
equal those of the whole network.
"""

from typing import Any

from reelflow.backbones.tflite.graph import pack, unpack
from reelflow.errors import WeightsError

SUGGESTED = 5


def cut_at(model: bytes, tensor_name: str) -> bytes:
    """Cut a network at the tensor of that name.

    Args:
        model: content of a `.tflite` file.
        tensor_name: the new and only output. The converter joins the names of fused operations by `;`:
            one of them is enough.

    Raises:
        WeightsError: the content is damaged, or has no such tensor, or several.
    """
    try:
        graph_file = unpack(model)
        computed = _computed(graph_file.subgraphs[0])
        found = [place for place, name in computed.items() if name == tensor_name] or [
            place for place, name in computed.items() if tensor_name in name.split(";")
        ]
        if len(found) == 1:
            _cut(graph_file, found[0])
            return pack(graph_file)
    except Exception as error:  # any error of the generated parser on damaged bytes
        raise WeightsError(f"this is not a complete TFLite file ({error}); fetch it again") from error
    last = ", ".join(name.split(";")[0] for name in list(computed.values())[-SUGGESTED:])
    raise WeightsError(
        f"this TFLite file has {len(found) or 'no'} tensors {tensor_name!r}; its last ones are {last}: "
        "name one of its tensors, or the right file"
    )


def _computed(graph: Any) -> dict[int, str]:
    """Names of the tensors that operators compute, by index, in order of execution."""
    places = [place for operator in graph.operators for place in operator.outputs]
    return {int(place): (graph.tensors[place].name or b"").decode() for place in places}


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
    graph_file.buffers = [graph_file.buffers[old] for old in order]
    for tensor in tensors:
        tensor.buffer = place[tensor.buffer]


def _drop_unused_operator_codes(graph_file: Any) -> None:
    operators = graph_file.subgraphs[0].operators
    order = sorted({operator.opcodeIndex for operator in operators})
    graph_file.operatorCodes = [graph_file.operatorCodes[old] for old in order]
    for operator in operators:
        operator.opcodeIndex = order.index(operator.opcodeIndex)
