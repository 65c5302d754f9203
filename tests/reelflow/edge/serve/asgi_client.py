"""Asks an ASGI application without a network, with bodies that come in parts, stall, or break off."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from reelflow.edge.camera.wire import Header, Told
from reelflow.edge.serve.board import Board

STALLS, BREAKS_OFF = "stalls", "breaks off"
Part = bytes | str


class SetClock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def a_board(clock: SetClock | None = None, **changes: Any) -> Board:
    values: dict[str, Any] = {"hop_s": 1.0, "timeout_s": 10.0, "interval_s": lambda: 0.1}
    return Board("porch", **values | changes, now=clock or SetClock())


def a_picture(taken_s: float = 1000.0, level: int = 100, size: tuple[int, int] = (64, 48)) -> Told:
    image = np.full((size[1], size[0], 3), level, np.uint8)
    return Told(Header(kind="frame", taken_s=taken_s, shape=(size[1], size[0], 3)), image)


def ask(app: Any, method: str = "GET", path: str = "/", *body: Part, **headers: str) -> Reply:
    """One request; names of headers with `_` for `-`."""
    return asyncio.run(asking(app, method, path, body, headers))


async def asking(
    app: Any, method: str, path: str, body: Iterable[Part] = (), headers: Mapping[str, str] | None = None
) -> Reply:
    sent: list[dict[str, Any]] = []
    parts = iter(body)

    async def receive() -> dict[str, Any]:
        part = next(parts, None)
        if part == STALLS:
            await asyncio.Event().wait()
        if part == BREAKS_OFF:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part or b"", "more_body": part is not None}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    shown = {"host": "localhost:8080", **(headers or {})}
    route, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": route,
        "raw_path": route.encode(),
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in shown.items()],
        "server": ("127.0.0.1", 8080),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
    }
    await app(scope, receive, send)
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Reply(sent[0]["status"], found, b"".join(one.get("body", b"") for one in sent[1:]))
