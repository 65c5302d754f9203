"""Where commands print."""

import sys

from rich.console import Console

UNBOUNDED = 10_000


def wide_console() -> Console:
    """Standard output: as wide as the terminal; elsewhere no line is folded or cut."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else UNBOUNDED)
