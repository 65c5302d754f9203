"""Latency to a server: every request is delayed."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

CHUNK_BYTES = 1 << 20


@contextmanager
def far_away(host: str, port: int, latency_s: float) -> Iterator[int]:
    """A local port that forwards to another; what clients send arrives `latency_s` later."""
    ready, ended = Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    ports: list[int] = []

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, port)
        await asyncio.gather(_forward(reader, back, latency_s), _forward(there, writer, 0))

    async def serve() -> None:
        async with await asyncio.start_server(connect, "127.0.0.1", 0) as server:
            ports.append(server.sockets[0].getsockname()[1])
            ready.set()
            await ended.wait()

    thread = Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency_s: float) -> None:
    """Forward each piece after its delay; further pieces may arrive meanwhile."""
    loop = asyncio.get_running_loop()
    with suppress(ConnectionError):  # either side may close the connection
        while piece := await reader.read(CHUNK_BYTES):
            if latency_s:
                loop.call_later(latency_s, writer.write, piece)
            else:
                writer.write(piece)
                await writer.drain()
    loop.call_later(latency_s, writer.close)
