"""Docker's command line, as tests use it."""

import subprocess
from typing import Any


def docker(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a Docker command; its output is one text."""
    return subprocess.run(
        ["docker", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )


def engine_answers() -> bool:
    try:
        return docker("info").returncode == 0
    except FileNotFoundError:
        return False
