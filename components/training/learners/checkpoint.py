"""Checkpoints of a training: the state after an epoch, in a folder that appears by rename.

`<folder>/<epoch>/` holds `history.npz` (the figures so far), `state.npz` (weights and optimiser) and
`best.npz` (the weights of the best epoch); npz files carry checksums. Randomness in an
epoch depends only on the seed and the number of the epoch, so a resumed training is bit-identical.
"""

import shutil
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.training.history import History
from reelflow.progress import emit

Arrays = list[NDArray[Any]]
DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True)
class State:
    """State of a training after an epoch.

    Attributes:
        history: the figures so far.
        variables: the values of the network's weights, then the optimiser's.
        best: the values of the network's weights after the best epoch.
    """

    history: History
    variables: Arrays
    best: Arrays


class Checkpoints:
    """Keeps the newest state in a folder, at most every `every_s` seconds."""

    def __init__(self, folder: Path, every_s: float) -> None:
        self._folder = folder
        self._every_s = every_s
        self._saved = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time for the next one."""
        return time.monotonic() - self._saved >= self._every_s

    def save(self, state: State) -> None:
        """Replace the previous state."""
        older = self._epochs()
        partial = self._folder / ".partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        np.savez(partial / "history.npz", state.history.to_table())
        np.savez(partial / "state.npz", *state.variables)
        np.savez(partial / "best.npz", *state.best)
        partial.rename(self._folder / str(state.history.epochs))
        for epoch in older:
            shutil.rmtree(self._folder / str(epoch), ignore_errors=True)
        self._saved = time.monotonic()

    def newest(self) -> State | None:
        """The newest undamaged state, or None."""
        for epoch in reversed(self._epochs()):
            folder = self._folder / str(epoch)
            try:
                return _read(folder)
            except DAMAGE as error:
                emit("notice", message=f"checkpoint {folder} is damaged and not used: {error}")
                shutil.rmtree(folder, ignore_errors=True)
        return None

    def remove(self) -> None:
        """Remove all states."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _epochs(self) -> list[int]:
        found = self._folder.iterdir() if self._folder.is_dir() else ()
        return sorted(int(path.name) for path in found if path.name.isdecimal())


def _read(folder: Path) -> State:
    (table,) = _arrays(folder / "history.npz")
    return State(History.from_table(table), _arrays(folder / "state.npz"), _arrays(folder / "best.npz"))


def _arrays(path: Path) -> Arrays:
    with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
        return [file[f"arr_{index}"] for index in range(len(file.files))]
