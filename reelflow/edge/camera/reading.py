"""The process that reads a source: `python -m reelflow.edge.camera.reading`, told what to read on its input.

PyAV's timeouts do nothing on RTSP, and its reads can block for ever (PyAV#584, #1243, #325): whoever started
this process kills it when it has told nothing for too long. It ends when its input does, so that none is
left behind.
"""

import errno
import os
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Lock, Thread
from typing import Protocol
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from reelflow.edge.camera.address import CameraSource, parse_source
from reelflow.edge.camera.pace import Pace
from reelflow.edge.camera.wire import Header, Order, write_told
from reelflow.edge.recording.orders import read_order
from reelflow.edge.recording.recorder import Recorder
from reelflow.errors import ClipError, ReelflowError
from reelflow.video.clock import Clock
from reelflow.video.decode import MAX_PIXELS, OPTIONS, Image, Upright, decoded, moving_stream
from reelflow.video.formats import FORMATS
from reelflow.video.stream import Moments

ALIVE_S = 0.5
UNSTAMPED = {"mpjpeg", "mjpeg", "jpeg_pipe"}
"""Pictures without times, at any rate: a live one is shown when it arrives."""
NETWORK = {"max_pixels": str(MAX_PIXELS), "fflags": "-genpts"}
KINDS: dict[str, tuple[str | None, dict[str, str]]] = {
    "file": (None, OPTIONS),
    "device": ("v4l2", {"max_pixels": str(MAX_PIXELS)}),
    # packets of UDP get lost: TCP, as every recorder asks of cameras
    "rtsp": ("rtsp", NETWORK | {"rtsp_transport": "tcp", "protocol_whitelist": "rtsp,rtsps,tcp,tls,crypto"}),
    "http": (
        None,
        NETWORK | {"protocol_whitelist": "http,https,tcp,tls,crypto", "format_whitelist": ",".join(FORMATS)},
    ),
}
"""FFmpeg's format and options by kind: nothing that a server says leads to a file, or to another protocol."""


def main() -> None:
    """Read until the source or the input ends."""
    order = Order.model_validate_json(sys.stdin.buffer.readline())
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):  # FFmpeg's messages may hold the address
        os.dup2(nowhere, stream.fileno())
    source, tell = parse_source(order.address), _one_by_one(partial(write_told, out))
    recorder = _recorder(order, tell, live=source.is_live)
    obeying = Thread(target=_obey, args=(recorder,), daemon=True)
    obeying.start()
    try:
        with reached(source) as (container, video):
            tell(Header(kind="opened"))
            end = _read(
                source, looks(container, video, order.interval_s, recorder, live=source.is_live), tell
            )
            if recorder and source.is_live:
                recorder.finish()
            tell(end)
            obeying.join()  # of a file, clips may still be asked for, and need it open
    except BrokenPipeError:
        pass
    except ReelflowError as error:
        tell(_failed(source, error))


def _read(source: CameraSource, found: Iterable[tuple[Header, Image | None]], tell: "_Tell") -> Header:
    """Send each message; returns the last one."""
    try:
        for header, image in found:
            tell(header, image)
    except ReelflowError as error:
        return _failed(source, error)
    return Header(kind="ended")


def _failed(source: CameraSource, error: ReelflowError) -> Header:
    return Header(kind="failed", reason=source.without_credentials(str(error)))


class _Tell(Protocol):
    """Writes a message."""

    def __call__(self, header: Header, image: Image | None = None) -> None: ...


def _one_by_one(write: _Tell) -> _Tell:
    """Messages of two threads, each in one piece."""
    lock = Lock()

    def tell(header: Header, image: Image | None = None) -> None:
        with lock:
            write(header, image)

    return tell


def _recorder(order: Order, tell: _Tell, *, live: bool) -> Recorder | None:
    """What keeps clips, if any are asked for."""
    if order.ring is None:
        return None
    return Recorder(order.ring, lambda name, why: tell(Header(kind="clip", clip=name, reason=why)), live=live)


def _obey(recorder: Recorder | None) -> None:
    """Begin and end clips, and with the input everything."""
    for line in sys.stdin.buffer:
        if recorder:
            recorder.obey(read_order(line))
    if recorder:
        recorder.finish()
    os._exit(0)


@contextmanager
def reached(source: CameraSource) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a source and its first moving stream.

    Raises:
        ClipError: it cannot be reached, or holds no video.
    """
    format_name, options = KINDS[source.kind]
    try:
        with av.open(
            source.address, format=format_name, options=options, metadata_errors="replace"
        ) as container:
            yield container, moving_stream(container)
    except av.FFmpegError as error:
        raise ClipError(f"{source.shown} cannot be read: {_why(source, error)}") from error
    except (OSError, ValueError) as error:
        raise ClipError(
            f"{source.shown} cannot be opened: {source.without_credentials(str(error))}"
        ) from error
    except MemoryError as error:
        raise ClipError(f"the frames of {source.shown} do not fit into memory") from error


def _why(source: CameraSource, error: av.FFmpegError) -> str | None:
    """FFmpeg calls an unknown host an "Input/output error" (`tcp_open` in libavformat/tcp.c)."""
    if error.errno == errno.EIO and source.kind in ("rtsp", "http"):
        try:
            socket.getaddrinfo(urlsplit(source.address).hostname, None)
        except OSError as unknown:
            return unknown.strerror
    return error.strerror


def looks(
    container: InputContainer,
    video: VideoStream,
    interval_s: float,
    recorder: Recorder | None = None,
    *,
    live: bool,
) -> Iterator[tuple[Header, Image | None]]:
    """The frames to look at, as `FrameStream` chooses them, and signs of life between them."""
    clock, pace, part = Clock(video), Pace(), _Part(interval_s)
    arrives = live and container.format.name in UNSTAMPED
    told_s = began_s = time.monotonic()
    if recorder:
        recorder.begin(video, unstamped=arrives)
    for frame in decoded(container, video, recorder.add if recorder else bool):
        now_s, time_s = time.monotonic(), float(clock.tell(frame))
        if arrives:
            time_s = now_s - began_s
        taken_s, begins = pace.tell(time_s, now_s) if live else (now_s, False)
        if recorder:
            recorder.relate(frame, taken_s if live else time_s)
        found = None if begins else part.shown_until(time_s, clock.count)
        if begins:
            part = _Part(interval_s, begins=True)
        part.show(frame, time_s, taken_s)
        if found:
            yield found
        elif now_s - told_s > ALIVE_S:
            yield Header(kind="alive", frames=clock.count), None
        else:
            continue
        told_s = now_s
    end_s = time.monotonic() - began_s if arrives else float(clock.end_s)
    if found := part.shown_until(end_s, clock.count, at_least_one=True):
        yield found


class _Part:
    """Frames that go together, one after the other."""

    def __init__(self, interval_s: float, *, begins: bool = False) -> None:
        self._moments = Moments(interval_s)
        self._begins = begins
        self._frame: VideoFrame | None = None
        self._upright: Upright | None = None

    def show(self, frame: VideoFrame, time_s: float, taken_s: float) -> None:
        """A frame is shown from now on."""
        if self._frame is None:
            self._from_s = time_s
        self._frame, self._taken_s = frame, taken_s

    def shown_until(
        self, end_s: float, frames: int, *, at_least_one: bool = False
    ) -> tuple[Header, Image] | None:
        """The frame that is shown, if it is to be looked at, now that its end is known."""
        if self._frame is None:
            return None
        times_s = self._moments.until(end_s - self._from_s)
        if at_least_one and not self._moments.given:
            times_s = [self._moments.at(0)]
        if not times_s:
            return None
        image = self._image(self._frame)
        header = Header(
            kind="frame",
            times_s=tuple(times_s),
            taken_s=self._taken_s,
            begins=self._begins,
            shape=(image.shape[0], image.shape[1], 3),
            frames=frames,
            cpu_s=time.process_time(),
        )
        self._begins = False
        return header, image

    def _image(self, frame: VideoFrame) -> Image:
        """`(height, width, 3)`, upright; a source that changes its size is shown in the new one."""
        if self._upright is None or not self._upright.fits(frame):
            self._upright = Upright(frame)
        return self._upright(frame)


if __name__ == "__main__":
    main()
