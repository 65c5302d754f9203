"""Counts of days that outlive a start of the device: watchers write below /run, which is lost then.

The agent copies what has changed into its own folder, at most once an hour, so that an SD card lasts: one
small file for each camera, bundle and day. What a watcher has begun to count from 0 is a series of its own:
the copy of an older series stays, and both are added up.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reelflow.edge.health.counts import COUNTS, DayCounts, read_counts, series_of
from reelflow.errors import BundleError, disk_errors
from reelflow.files import write_text

EVERY_S = 3600.0
REPORTED_DAYS, KEPT_DAYS = 3, 10


class KeptCounts:
    """The counts of a device's watchers, before and since its last start.

    Args:
        folder: of the copies, `<camera>.<series>/counts-<day>-<bundle>.json`.
        health: of what watchers write.
    """

    def __init__(self, folder: Path, health: Path) -> None:
        self._folder, self._health = folder, health

    def last_days(self) -> list[DayCounts]:
        """The counts of the last days, of all cameras together, by day and bundle."""
        found: dict[tuple[str, str], DayCounts] = {}
        for one in self._all():
            key = (one.day, one.bundle)
            found[key] = found[key].with_counts(one) if key in found else one
        days = _reported(day for day, _ in found)
        return [found[key] for key in sorted(found) if key[0] in days]

    def keep(self, *, at_once: bool = False) -> None:
        """Copy what has changed, each file once an hour; forget old days.

        Args:
            at_once: whatever was copied a moment ago: the device may be about to end.

        Raises:
            StorageError: the disk is full or read-only.
        """
        kept = set(sorted({one.day for one in self._all()})[-KEPT_DAYS:])
        for name, folder in self._live().items():
            for path in sorted(folder.glob(COUNTS)):
                copy = self._folder / name / path.name
                if at_once or _is_old(copy):
                    _copy(path, copy, kept)
        self._forget(kept)

    def _all(self) -> list[DayCounts]:
        """What watchers have written, and the copies of series that are no more."""
        live = self._live()
        copies = [folder for folder in self._copied() if folder.name not in live]
        return read_counts([*live.values(), *copies])

    def _live(self) -> dict[str, Path]:
        """The folders that watchers write into, by the names of their copies."""
        return {f"{folder.name}.{series_of(folder)}": folder for folder in sorted(self._health.glob("*/"))}

    def _copied(self) -> list[Path]:
        return sorted(self._folder.glob("*/"))

    def _forget(self, kept: set[str]) -> None:
        with disk_errors(self._folder):
            for folder in self._copied():
                for path in folder.glob(COUNTS):
                    if (one := _read(path)) is None or one.day not in kept:
                        path.unlink(missing_ok=True)
                with suppress(OSError):  # it is not empty
                    folder.rmdir()


def _copy(path: Path, copy: Path, kept: set[str]) -> None:
    found = _read(path)
    if found and found.day in kept and found != _read(copy):
        write_text(copy, found.to_json())


def _read(path: Path) -> DayCounts | None:
    with suppress(BundleError):
        return DayCounts.read(path)
    return None


def _is_old(copy: Path) -> bool:
    """Whether a copy was made more than an hour ago, or in the future: clocks of devices jump."""
    try:
        return abs(time.time() - copy.stat().st_mtime) >= EVERY_S
    except OSError:
        return True


def _reported(days: Iterable[str]) -> set[str]:
    """The last days up to tomorrow, as the clock says; without one, of those that there are."""
    known, tomorrow = sorted(set(days)), (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    past = [day for day in known if day <= tomorrow]
    return set((past or known)[-REPORTED_DAYS:])
