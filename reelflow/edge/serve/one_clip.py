"""The process that classifies the clip of a request: `reelflow classify`, behind the watching, in bounds.

A clip that crashes its decoder, hangs it, or asks for too much memory takes no other process with it.
"""

import os
import resource
from contextlib import suppress
from pathlib import Path

from reelflow.cli import main

NICENESS = 5
MOST_CPU_S = 60  # if nobody is left who would kill it
MOST_MEMORY_BYTES = 1 << 30


def run_gently() -> None:
    """Run the command line of this process with less priority than its parent, in bounds."""
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S))
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    with suppress(OSError):  # where memory ends all the same, this process goes first: proc(5)
        Path("/proc/self/oom_score_adj").write_text("1000")
    main()


if __name__ == "__main__":
    run_gently()
