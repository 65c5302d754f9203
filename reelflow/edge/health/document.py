"""Whether watchers run well with a bundle: the file of each, and how the agent reads it."""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import Field

from reelflow.documents import Document
from reelflow.errors import BundleError

HEALTH = "health.json"
FRESH_S = 30.0
"""A watcher writes every few seconds; one that has been silent for longer has ended or hangs."""

Sign = Literal["well", "failing", "waiting", "silent"]


class WatcherHealth(Document):
    """The health of one watcher.

    Attributes:
        bundle: name of the folder that it watches with.
        starts: with this bundle, without having been well since.
        answering_s: seconds with answers since its last start.
        problem: why it does not take a new bundle.
        told_s: seconds since the device started, of this document.
    """

    bundle: str = Field(max_length=255)
    starts: int = Field(default=1, ge=0)
    answering_s: float = Field(default=0.0, ge=0)
    problem: str = ""
    told_s: float

    @property
    def is_fresh(self) -> bool:
        """Whether its watcher still writes."""
        return 0 <= uptime_s() - self.told_s < FRESH_S


def uptime_s() -> float:
    """Seconds since the device started: no clock that anybody sets."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def read_health(folder: Path) -> dict[str, WatcherHealth]:
    """What the watchers of a device say, `<folder>/<camera>/health.json`, by camera, where it can be read."""
    found = {}
    for path in sorted(folder.glob(f"*/{HEALTH}")):
        with suppress(BundleError):
            found[path.parent.name] = WatcherHealth.read(path)
    return found


def unreadable(folder: Path) -> list[str]:
    """The cameras whose `health.json` this user may not read."""
    return [entry.name for entry in sorted(folder.glob("*")) if _is_hidden(entry / HEALTH)]


def _is_hidden(path: Path) -> bool:
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return not os.access(path, os.R_OK)


def sign_of(bundle: str, watchers: Iterable[WatcherHealth], well_after_s: float, most_starts: int) -> Sign:
    """What watchers say of a bundle.

    Returns:
        `failing`: one starts with it again and again; `well`: one has answered with it for long enough;
        `waiting`: one runs with it, and has no pictures yet, or not for long enough; `silent`: none runs
        with it.
    """
    with_it = [one for one in watchers if one.bundle == bundle]
    if any(one.starts > most_starts for one in with_it):
        return "failing"
    fresh = [one for one in with_it if one.is_fresh]
    if any(one.answering_s >= well_after_s for one in fresh):
        return "well"
    return "waiting" if fresh else "silent"
