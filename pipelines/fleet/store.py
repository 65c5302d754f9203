"""Reports of devices in a folder or an S3 prefix: the last one of each device, and its counts per day.

Objects: `devices/<hash of the id>/report.json` and `devices/<hash>/counts/<day>-<bundle>.json`. Whoever may
write there, may speak for every device. When a device was heard of is the store's time: devices may have no
clock.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from reelflow.commandline import LAYOUT, printable
from reelflow.documents import Document
from reelflow.edge.health.counts import DayCounts
from reelflow.edge.update.agent.report import DeviceReport
from reelflow.errors import BundleError, ParamsError
from reelflow.files import content_file, sha256_text
from reelflow.objectstore.interface import ObjectStore, Stored
from reelflow.objectstore.open import store_at
from reelflow.progress import emit
from reelflow.settings import Settings

DEVICES, REPORT, COUNTS = "devices/", "/report.json", "/counts/"
MOST_BYTES = 4_000_000
Kind = TypeVar("Kind", bound=Document)


@dataclass(frozen=True)
class HeardReport:
    """A device's report, and when the store took it."""

    report: DeviceReport
    heard_at: datetime


class FleetStore:
    """The reports of a fleet.

    Raises:
        StorageError: from every method; the store refuses, is full or cannot be reached.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def at(cls, address: str, settings: Settings) -> "FleetStore":
        """The reports at an address.

        Raises:
            ParamsError: it is neither a folder nor `s3://BUCKET/PREFIX`.
        """
        if (found := store_at(address, settings)) is None:
            raise ParamsError(f"{address!r} cannot hold reports: expected a folder or s3://BUCKET/PREFIX")
        return cls(found)

    def put(self, report: DeviceReport) -> None:
        """Keep a report, in the place of the device's last one; its counts a day are kept beside it."""
        place = DEVICES + sha256_text(report.device)[:32]
        for counts in report.counts:
            self._put(f"{place}{COUNTS}{counts.day}-{sha256_text(counts.bundle)[:16]}.json", counts)
        self._put(place + REPORT, report.model_copy(update={"counts": ()}))

    def reports(self) -> list[HeardReport]:
        """The last report of every device, by its id; unreadable ones are reported and left out."""
        found = (
            HeardReport(report, datetime.fromtimestamp(stored.modified, UTC))
            for stored, report in self._read(REPORT, DeviceReport)
        )
        return sorted(found, key=lambda heard: heard.report.device)

    def counts(self) -> dict[str, list[DayCounts]]:
        """What was counted, by device, the oldest day first.

        Days that had not begun when the store took them, of a clock that was ahead, count where a device has
        no others: they would be its last ones for ever.
        """
        found: dict[str, list[tuple[bool, DayCounts]]] = {}
        devices = [heard.report.device for heard in self.reports()]
        names = {sha256_text(device)[:32]: device for device in devices}
        for stored, counts in self._read(COUNTS, DayCounts):
            device = names.get(stored.name.split("/")[1], "unknown")
            found.setdefault(device, []).append((_has_begun(counts, stored), counts))
        return {device: _in_order(days) for device, days in sorted(found.items())}

    def _put(self, name: str, document: Document) -> None:
        with content_file(document.to_json().encode()) as path:
            self._store.replace(name, path)

    def _read(self, part: str, kind: type[Kind]) -> Iterator[tuple[Stored, Kind]]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "document.json")
            for stored in self._store.list(DEVICES):
                if part not in stored.name or stored.size_bytes > MOST_BYTES:
                    continue
                path.unlink(missing_ok=True)
                if not self._store.get(stored.name, path):
                    continue
                try:
                    yield stored, kind.read(path)
                except BundleError as error:
                    told = printable(f"{stored.name} is left out: {error}", keep=LAYOUT)
                    emit("notice", message=told)


def _has_begun(counts: DayCounts, stored: Stored) -> bool:
    tomorrow = datetime.fromtimestamp(stored.modified, UTC) + timedelta(days=1)
    return counts.day <= tomorrow.date().isoformat()


def _in_order(days: Sequence[tuple[bool, DayCounts]]) -> list[DayCounts]:
    begun = [counts for has_begun, counts in days if has_begun]
    return sorted(begun or [counts for _, counts in days], key=lambda counts: counts.day)
