"""What a download may end with, and what a server may cost a device."""

from dataclasses import dataclass

CHUNK_BYTES = 64 * 1024


class AnsweredError(Exception):
    """The server has answered, and would answer the same again: a status of 4xx.

    Attributes:
        status: of HTTP; 404 for a missing file.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"the answer is {status}")
        self.status = status


class BrokenError(Exception):
    """No answer, or one that broke off, was too slow, or tells of a server's own fault: it may pass."""


class TooLongError(Exception):
    """More bytes came than what was asked for may have."""


@dataclass(frozen=True)
class Limits:
    """What a server may cost a device.

    Attributes:
        attempts: of one download.
        first_wait_s: bound of the first wait between two attempts; it doubles, and is jittered.
        longest_wait_s: bound of all waits.
        timeout_s: without a byte; and for the start of an answer, until the least rate counts.
        least_bytes_per_s: a slower answer is ended.
        most_bytes_per_s: that a download takes, over its time; 0: any.
        redirects: that are followed.
    """

    attempts: int = 5
    first_wait_s: float = 1
    longest_wait_s: float = 30
    timeout_s: float = 20
    least_bytes_per_s: float = 1000
    most_bytes_per_s: float = 0
    redirects: int = 3


LIMITS = Limits()
