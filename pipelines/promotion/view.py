"""A journal as a table."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from reelflow.commandline import printable
from reelflow.tracking.journal.entry import GateRow, JournalEntry

SHOWN = 12


def entry_table(entries: Iterable[JournalEntry]) -> Table:
    """One row an entry, oldest first."""
    table = Table("#", "when", "who", "what", "champion", "gates", "reason", "code", "data")
    for entry in entries:
        cells = (
            f"{entry.number}",
            entry.at,
            entry.who or "unknown",
            _what(entry),
            f"{entry.champion_before or 'none'} to {entry.champion or 'none'}",
            _gates(entry.gates),
            entry.reason,
            entry.code[:SHOWN],
            entry.data[:SHOWN],
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def told_entry(entry: JournalEntry) -> str:
    """An entry in one line."""
    if entry.action in ("hold", "release"):
        return "held: nothing moves the champion" if entry.held else "released"
    before = f"version {entry.champion_before}" if entry.champion_before else "none"
    return f"champion is version {entry.champion}, before it {before} (entry {entry.number})"


def _what(entry: JournalEntry) -> str:
    broken = f", accepts that the chain is broken at {', '.join(map(str, entry.accepted))}"
    return f"{entry.action}{' (forced)' if entry.forced else ''}{broken if entry.accepted else ''}"


def _gates(gates: Iterable[GateRow]) -> str:
    failed = [
        f"{name} {'not measured' if found is None else f'{found:g}'}, bound {limit:g}"
        for name, found, limit, passed in gates
        if not passed
    ]
    passed = sum(passed for *_, passed in gates)
    return "; ".join([f"{passed} passed", *(f"failed: {one}" for one in failed)]) if gates else ""
