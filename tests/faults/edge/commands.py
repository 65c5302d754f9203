"""The device's command, run as a process whose streams and files may be spoiled."""

import subprocess
import sys
from pathlib import Path

RUN = "from reelflow.cli import main; main()"


def shell(line: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `reelflow` in a shell's line, in which `"$@"` is the command with its arguments."""
    command = [sys.executable, "-c", RUN, *map(str, arguments)]
    done = subprocess.run(
        ["/bin/sh", "-c", line, "sh", *command], capture_output=True, text=True, timeout=120, check=False
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done


def copied_over(path: Path, content: bytes) -> None:
    """Write into a file where it lies, as `scp` and `cp` do."""
    with path.open("r+b") as file:
        file.truncate(0)
        file.write(content)
