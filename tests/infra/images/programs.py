"""Puts stand-ins for programs first on PATH."""

import os
import sys
from pathlib import Path

import pytest

from tests.infra.images.stand_ins import STATE, images_in

PROGRAM = """#!{python}
import sys
sys.argv[0] = {name!r}
sys.path.insert(0, {root!r})
from tests.infra.images.stand_ins import {kind}
sys.exit({kind}())
"""


class Programs:
    """Stand-ins for `docker` and others, first on PATH."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._bin, self._state = folder / "bin", folder / "state"
        self._bin.mkdir()
        self._state.mkdir()
        monkeypatch.setenv("PATH", f"{self._bin}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv(STATE, str(self._state))

    def add(self, name: str, kind: str = "recorder") -> None:
        """Put a program on PATH."""
        path, root = self._bin / name, str(Path(__file__).parents[3])
        path.write_text(PROGRAM.format(python=sys.executable, name=name, root=root, kind=kind))
        path.chmod(0o755)

    def calls(self, program: str) -> list[str]:
        """How it was called so far: its arguments."""
        path = self._state / f"{program}.calls"
        return path.read_text().splitlines() if path.exists() else []

    def given(self, program: str) -> str:
        """What it read last."""
        return (self._state / f"{program}.given").read_text()

    def images(self) -> set[str]:
        """The names that the engine holds."""
        return set(images_in(self._state))
