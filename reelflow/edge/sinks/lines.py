"""JSON lines on a stream, as standard output: one object a line, at once."""

import os
import select
from typing import BinaryIO, TextIO

from reelflow.edge.sinks.delivery import GoneError, UndeliveredError
from reelflow.errors import ParamsError


class LineWriter:
    """Writes lines to a stream's file descriptor. A line that was written in part is continued, not repeated.

    Nothing goes through the stream's buffer, which Python would fail to flush at exit without a reader.
    """

    def __init__(self, stream: BinaryIO | TextIO | None) -> None:
        """Take a stream; Python has none where standard output is closed.

        Raises:
            ParamsError: it is closed, or has no file descriptor.
        """
        try:
            if stream is None:
                raise ValueError("closed")
            stream.flush()
            self._fd = stream.fileno()
        except (OSError, ValueError) as error:
            raise ParamsError(
                f"lines cannot be written to this stream ({error}): open or redirect it"
            ) from error
        self._rest = b""

    def deliver(self, body: str) -> None:
        """Write a line.

        Raises:
            GoneError: the reader went away.
            UndeliveredError: the disk behind the stream is full, or the like.
        """
        self._rest = self._rest or f"{body}\n".encode()
        try:
            while self._rest:
                self._rest = self._rest[self._write() :]
        except BrokenPipeError as error:
            raise GoneError("the reader of the stream went away") from error
        except OSError as error:
            raise UndeliveredError(f"the stream cannot be written: {error.strerror}") from error

    def _write(self) -> int:
        try:
            return os.write(self._fd, self._rest)
        except BlockingIOError:  # another program made the terminal or pipe non-blocking
            select.select([], [self._fd], [])
            return 0
