"""What is costly to make and never changed: one worker makes it, all of them read it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reelflow.files import locked


def shared_by_workers(factory: pytest.TempPathFactory) -> Path:
    """The folder of this session's files, the same in each of its processes."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that is made by the first worker that asks for it."""
    folder = shared_by_workers(factory) / name
    with locked(folder.with_name(f".{name}.lock")):
        if not folder.exists():
            partial = folder.with_name(f".{name}.partial")
            make(partial)
            partial.rename(folder)
    return folder
