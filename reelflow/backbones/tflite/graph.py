"""Reads and writes a TFLite file as a tree of tables, which the runtime's generated schema gives."""

from typing import Any

IDENTIFIER = b"TFL3"
ALIGNMENT_BYTES = 16  # of constant data in a TFLite file; the generated packer does not keep it


def unpack(model: bytes) -> Any:
    """The tables of a file.

    Raises:
        ValueError: it is not a TFLite file; damaged ones raise further errors.
    """
    from ai_edge_litert import schema_py_generated as schema

    if model[4:8] != IDENTIFIER:
        raise ValueError(f"it starts with {model[:8]!r}, expected {IDENTIFIER!r} at byte 4")
    return schema.ModelT.InitFromPackedBuf(model)


def pack(graph_file: Any) -> bytes:
    """The file of these tables."""
    import flatbuffers  # type: ignore[import-untyped]

    graph_file.buffers = [Aligned(buffer) for buffer in graph_file.buffers]
    builder = flatbuffers.Builder(1 << 22)
    builder.Finish(graph_file.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


class Aligned:
    """Packs the data of a buffer aligned, as the runtime needs it; replaces the generated `BufferT`."""

    def __init__(self, buffer: Any) -> None:
        self.data = b"" if buffer.data is None else bytes(buffer.data)

    def Pack(self, builder: Any) -> int:  # noqa: N802
        """Write the buffer; returns its offset."""
        from ai_edge_litert import schema_py_generated as schema

        size = len(self.data)
        if size:
            builder.StartVector(1, size, ALIGNMENT_BYTES)
            builder.head -= size
            builder.Bytes[builder.head : builder.head + size] = self.data
            vector = builder.EndVector()
        schema.BufferStart(builder)
        if size:
            schema.BufferAddData(builder, vector)
        return int(schema.BufferEnd(builder))
