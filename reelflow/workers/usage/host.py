"""Disk and network of the machine, or of the container, as MLflow's own monitors measure them.

These ask psutil (`DiskMonitor` and `NetworkMonitor` of mlflow.system_metrics.metrics, 3.17.2), which most
images do not have; it asks the kernel the same. Figures are rounded to a tenth, as MLflow's.
"""

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from reelflow.workers.usage.tree import PROC

MB = 1e6
RECEIVED, SENT = 0, 8
"""Bytes among the fields of an interface in /proc/net/dev (proc(5))."""


class Traffic(NamedTuple):
    """Bytes so far of all interfaces, that to itself among them."""

    received: int
    sent: int

    def since(self, start: "Traffic | None") -> Mapping[str, float]:
        """Megabytes since then; nothing where an interface has gone with its count."""
        if not start or self.received < start.received or self.sent < start.sent:
            return {}
        return {
            "network_receive_megabytes": round((self.received - start.received) / MB, 1),
            "network_transmit_megabytes": round((self.sent - start.sent) / MB, 1),
        }


def traffic(proc: Path = PROC) -> Traffic | None:
    """What the kernel has counted; None where it does not tell."""
    with suppress(OSError):
        lines = (proc / "self" / "net" / "dev").read_text().splitlines()[2:]  # below a heading of two lines
        counts = [line.rpartition(":")[2].split() for line in lines]
        return Traffic(*(sum(int(fields[place]) for fields in counts) for place in (RECEIVED, SENT)))
    return None


def disk_figures(path: str = "/") -> Mapping[str, float]:
    """Of the disk that a path is on: used, and available to those who are not root."""
    disk = shutil.disk_usage(path)
    return {
        "disk_usage_percentage": round(100 * disk.used / max(1, disk.used + disk.free), 1),
        "disk_usage_megabytes": round(disk.used / MB, 1),
        "disk_available_megabytes": round(disk.free / MB, 1),
    }
