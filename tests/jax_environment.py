"""A virtual environment with JAX in place of TensorFlow, and else the locked versions: `build/jax`."""

import subprocess
import sys
from pathlib import Path

import pytest

from reelflow.files import locked
from tests.workplace import ROOT

FOLDER = ROOT / "build" / "jax"
PACKAGES = ("jax[cpu]==0.10.2", "keras", "numpy", "pydantic", "pydantic-settings", "pyyaml")
CONSTRAINTS = ROOT / "requirements" / "dev.txt"
UNREACHABLE = ("error sending request", "failed to fetch", "dns error", "network connectivity is disabled")


def jax_python() -> Path:
    """The environment's interpreter; the environment is made once for a list of versions.

    Skips the test where the package index cannot be reached.
    """
    FOLDER.parent.mkdir(exist_ok=True)
    python, ready = FOLDER / "bin" / "python", FOLDER / "ready"
    wanted = "\n".join((*PACKAGES, CONSTRAINTS.read_text()))
    with locked(FOLDER.with_suffix(".lock")):
        if not ready.is_file() or ready.read_text() != wanted:
            _uv("venv", "--clear", "--python", sys.executable, str(FOLDER))
            _uv("pip", "install", "--python", str(python), "--only-binary", ":all:",
                "--constraint", str(CONSTRAINTS), *PACKAGES)  # fmt: skip
            ready.write_text(wanted)
    return python


def _uv(*arguments: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    done = subprocess.run([uv, *arguments], capture_output=True, text=True, timeout=280)
    if done.returncode and any(sign in done.stderr.lower() for sign in UNREACHABLE):
        pytest.skip(
            f"JAX is not installed: the index does not answer ({done.stderr.splitlines()[-1].strip()})"
        )
    assert done.returncode == 0, done.stderr
