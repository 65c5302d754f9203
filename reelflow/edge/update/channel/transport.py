"""Bytes of a channel: bounded in size and time, tried again where that may help."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus
from typing import BinaryIO

from reelflow.edge.update.channel.answers import (
    CHUNK_BYTES,
    LIMITS,
    AnsweredError,
    BrokenError,
    Limits,
    TooLongError,
)
from reelflow.edge.update.channel.place import Place, local_path
from reelflow.edge.update.channel.watch import RateWatch


class Transport:
    """Downloads from one place."""

    def __init__(
        self, place: Place, limits: Limits = LIMITS, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._place, self._limits, self._sleep = place, limits, sleep

    def receive(self, url: str, file: BinaryIO, most_bytes: int, *, resume: bool = False) -> None:
        """Write what an address holds to a file.

        Args:
            url: below the place.
            file: open for reading and writing, at any position.
            most_bytes: that may come.
            resume: the file's content is the beginning; only the rest is asked for. Otherwise each
                attempt begins anew: the content may change between two attempts.

        Raises:
            AnsweredError: the server's answer is final.
            BrokenError: of the last attempt.
            TooLongError: more bytes came.
            OSError: the file cannot be written.
        """
        for attempt in range(1, self._limits.attempts + 1):
            start = _size(file) if resume else 0
            try:
                return self._attempt(url, file, most_bytes, start)
            except BrokenError:
                if attempt == self._limits.attempts:
                    raise
            except AnsweredError as error:
                if error.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not start:
                    raise
                file.truncate(0)
            self._wait(attempt)
        return None

    def _wait(self, attempt: int) -> None:
        bound_s = min(self._limits.first_wait_s * 2 ** (attempt - 1), self._limits.longest_wait_s)
        self._sleep(random.uniform(bound_s / 2, bound_s))  # noqa: S311

    def _attempt(self, url: str, file: BinaryIO, most_bytes: int, start: int) -> None:
        limits, begun_s, received = self._limits, time.monotonic(), 0
        with RateWatch(limits.timeout_s, limits.least_bytes_per_s) as watch:
            with self._opened(url, start, watch) as (begin, chunks):
                file.seek(begin)
                file.truncate()
                for chunk in chunks:
                    watch.count(len(chunk))
                    if file.tell() + len(chunk) > most_bytes:
                        raise TooLongError(f"more than the {most_bytes} bytes came that it may have")
                    file.write(chunk)
                    received += len(chunk)
                    self._keep_to_rate(received, time.monotonic() - begun_s)
                file.flush()
            if watch.ended:  # an answer without a length ends as if it were whole
                raise BrokenError(f"too slow: {watch.told}")

    def _keep_to_rate(self, received: int, passed_s: float) -> None:
        """Wait while more bytes have come than the time allows; the server waits too (TCP's flow control)."""
        most = self._limits.most_bytes_per_s
        if most and (ahead_s := received / most - passed_s) > 0:
            self._sleep(ahead_s)

    def _opened(
        self, url: str, start: int, watch: RateWatch
    ) -> AbstractContextManager[tuple[int, Iterator[bytes]]]:
        """Where the answer begins, `start` or 0, and its chunks."""
        if url.startswith("file:"):
            return _file(url, start)
        from reelflow.edge.update.channel.web import opened

        return opened(url, start, watch, self._limits, self._place.user)


@contextmanager
def _file(url: str, start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
    try:
        opened = local_path(url).open("rb")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise AnsweredError(HTTPStatus.NOT_FOUND) from None
    except PermissionError:
        raise AnsweredError(HTTPStatus.UNAUTHORIZED) from None
    except OSError as error:
        raise BrokenError(str(error.strerror)) from None
    with opened as file:
        start = start if start <= _size(file) else 0
        file.seek(start)
        yield start, _chunks_of(file)


def _chunks_of(file: BinaryIO) -> Iterator[bytes]:
    try:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
    except OSError as error:  # a share on the network
        raise BrokenError(str(error.strerror)) from None


def _size(file: BinaryIO) -> int:
    return file.seek(0, 2)
