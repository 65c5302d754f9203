"""A fleet as a table."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from rich.table import Table
from rich.text import Text

from pipelines.fleet.store import HeardReport
from reelflow.commandline import printable

SHOWN = 12
UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def device_table(reports: Iterable[HeardReport], now: datetime, silent_after: timedelta) -> Table:
    """One row a device."""
    table = Table("device", "group", "current", "on trial", "cameras", "left", "last heard of")
    for heard in reports:
        report, since = heard.report, now - heard.heard_at
        running = sum(seconds is not None for seconds in report.watchers.values())
        left = report.refused[-1] if report.refused else None
        table.add_row(
            *(
                Text(printable(text))  # what devices say is no markup, and no command to a terminal
                for text in (
                    report.device,
                    report.group,
                    (report.current or "none")[:SHOWN],
                    (report.trial or "")[:SHOWN],
                    f"{running} of {len(report.watchers)} run",
                    f"{left.bundle[:SHOWN]}: {left.reason}" if left else "",
                    f"{_ago(since)}{', silent' if since > silent_after else ''}",
                )
            )
        )
    return table


def _ago(since: timedelta) -> str:
    seconds = max(0, int(since.total_seconds()))
    for size, unit in UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
