"""The time that expiry is judged by: the device's clock, or a later time known to have passed.

Many devices have no clock that runs without power: they start in 1970, or at the time of their image. What
has been verified tells a time that has passed: the publisher signs when it signed, and what was not expired
in an earlier run was read before it expired. This floor moves only with verified metadata. A clock that is
years ahead therefore refuses updates while it is wrong, and leaves nothing behind.
"""

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path

from pydantic import AwareDatetime

from reelflow.documents import Document
from reelflow.errors import BundleError
from reelflow.files import write_text

EPOCH = datetime.fromtimestamp(0, UTC)
FILE = "clock.json"


def utc_now() -> datetime:
    """The device's clock."""
    return datetime.now(UTC)


class KnownTime(Document):
    """`clock.json`: a time that has passed, and the keys of the timestamp role that vouched for it."""

    time: AwareDatetime
    keys: tuple[str, ...]


class ClockFloor:
    """The newest time that is known, in the state of the device."""

    def __init__(self, state: Path, now: Callable[[], datetime] = utc_now) -> None:
        self._path, self._clock = state / FILE, now

    @property
    def clock(self) -> datetime:
        """What the device believes."""
        return self._clock().astimezone(UTC)

    def floor(self, keys: Collection[str], root_signed: datetime) -> datetime:
        """The newest known time.

        Args:
            keys: ids of the timestamp role's keys, by the newest trusted root. Where they have been
                replaced, what the old ones vouched for no longer counts: a stolen key may have signed
                a time that is years ahead.
            root_signed: when that root was signed.
        """
        try:
            known = KnownTime.read(self._path)
        except BundleError:  # the first run; a file that a failing disk damaged tells nothing
            return root_signed
        return max(known.time, root_signed) if known.keys == tuple(sorted(keys)) else root_signed

    def learn(self, time: datetime, keys: Collection[str]) -> None:
        """Keep a verified time.

        Raises:
            StorageError: the disk is full or read-only.
        """
        known = KnownTime(time=time, keys=tuple(sorted(keys)))
        write_text(self._path, known.to_json())
