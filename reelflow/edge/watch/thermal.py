"""How warm the device is, where the system tells."""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

THERMAL = Path("/sys/class/thermal")
THROTTLED_NOW = (
    0x4 | 0x8
)  # bits of `vcgencmd get_throttled`, by Raspberry Pi's documentation: throttled, soft limit
COMMAND_TIMEOUT_S = 5


def temperature_c(folder: Path = THERMAL) -> float | None:
    """The temperature of the hottest sensor; None without a sensor."""
    found = []
    for path in folder.glob("thermal_zone*/temp"):
        with suppress(OSError, ValueError):
            found.append(int(path.read_text()) / 1000)
    return max(found, default=None)


def throttled() -> bool | None:
    """Whether a Raspberry Pi runs slower than it could; None if `vcgencmd` does not report it."""
    command = shutil.which("vcgencmd")
    if command is None:
        return None
    with suppress(ValueError, subprocess.TimeoutExpired):
        done = subprocess.run(
            [command, "get_throttled"], capture_output=True, text=True, check=False, timeout=COMMAND_TIMEOUT_S
        )  # throttled=0x50005
        return bool(int(done.stdout.strip().partition("=")[2], 16) & THROTTLED_NOW)
    return None
