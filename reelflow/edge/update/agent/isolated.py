"""Tests a bundle in a process of its own, which may crash, hang or want all memory."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from reelflow.edge.update.agent.memory import SELF_TEST_MB
from reelflow.errors import BundleError

MODULE = "reelflow.edge.update.agent.examine"
LAST_LINES = 3


@dataclass(frozen=True)
class SelfTestLimits:
    """Limits of a bundle's self-test.

    Attributes:
        seconds: of time, and of each CPU.
        memory_bytes: of memory.
    """

    seconds: float = 300.0
    memory_bytes: int = SELF_TEST_MB * 1024 * 1024


def examine_apart(folder: Path, limits: SelfTestLimits) -> None:
    """Run the self-test of a bundle, and its golden video, in another process.

    Raises:
        BundleError: it fails, crashes, takes too long, or wants too much memory.
    """
    command = [sys.executable, "-m", MODULE, str(folder), str(limits.memory_bytes), str(limits.seconds)]
    # a group of its own, so that nothing that it starts is left
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            _, told = process.communicate(timeout=limits.seconds)
        except subprocess.TimeoutExpired:
            raise BundleError(f"its self-test takes longer than {limits.seconds:g} s") from None
        finally:
            _end(process)
    if process.returncode:
        raise BundleError(f"its self-test {_how(process.returncode, told)}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def _how(code: int, told: bytes) -> str:
    if code < 0:
        return f"is ended by {signal.Signals(-code).name}"
    lines = told.decode(errors="replace").strip().splitlines()[-LAST_LINES:]
    return f"fails: {' '.join(lines)}" if lines else f"ends with exit code {code}"
