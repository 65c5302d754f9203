"""Files as sources: read to their end by a recorder, with orders on the way."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import av

from reelflow.edge.camera.address import parse_source
from reelflow.edge.camera.reading import looks, reached
from reelflow.edge.recording.orders import ClipEndOrder, ClipOrder, RingOrder
from reelflow.edge.recording.recorder import Recorder

RING = RingOrder(keep_s=60.0, max_bytes=16_000_000)
IDENTITY = "0123456789abcdef" * 2
Orders = Mapping[int, ClipOrder | ClipEndOrder]
"""By the number of the look after which they come."""


def order(folder: Path, from_s: float, until_s: float | None = None, **values: object) -> ClipOrder:
    """An order for a clip."""
    given = {"id": "a", "name": f"camera_20261127_101500_wave_{IDENTITY}", "limit_bytes": 10**9} | values
    return ClipOrder(folder=str(folder), from_s=from_s, until_s=until_s, **given)


def record(
    source: Path, orders: Orders, ring: RingOrder = RING, interval_s: float = 0.2
) -> list[tuple[str, str]]:
    """Read a file; returns what is told of clips."""
    told: list[tuple[str, str]] = []
    recorder = Recorder(ring, lambda *clip: told.append(clip), live=False)
    with reached(parse_source(str(source))) as (container, video):
        for number, _ in enumerate(looks(container, video, interval_s, recorder, live=False)):
            if number in orders:
                recorder.obey(orders[number])
        recorder.finish()
    return told


def levels(path: Path) -> list[int]:
    """The grey level of every frame; each must decode."""
    with av.open(str(path)) as container:
        return [round(float(frame.to_ndarray(format="gray").mean())) for frame in container.decode(video=0)]


def times(path: Path) -> list[float]:
    """When every frame is shown."""
    with av.open(str(path)) as container:
        return [float(frame.time or 0) for frame in container.decode(video=0)]


def near(found: Iterable[int], expected: Iterable[int]) -> bool:
    """Whether two lists of grey levels agree, as far as coding lets them."""
    found, expected = list(found), list(expected)
    return len(found) == len(expected) and all(abs(a - b) <= 4 for a, b in zip(found, expected, strict=True))
