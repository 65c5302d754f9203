"""Checkpoints of a training: the state after a step, in a folder that appears by rename.

`<folder>/<epochs>-<steps>/` holds `figures.npz` (of finished epochs and of the one under way),
`state.npz` (all variables of network and optimiser, generators of dropout included) and `best-<epoch>.npz`
(the weights of the best epoch, which the next checkpoint links to while they are the best); npz files carry
checksums. The order and the views of an epoch depend only on the seed and the epoch's number, so a
resumed training is bit-identical.
"""

import io
import re
import shutil
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.training.history import Figures, History
from reelflow.files import link_file
from reelflow.progress import emit

Arrays = list[NDArray[Any]]
DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)
NAME = re.compile(r"(\d+)-(\d+)")


@dataclass(frozen=True)
class Running:
    """The epoch under way.

    Attributes:
        steps: that are done.
        loss: summed over their clips.
        accuracy: summed over their clips.
    """

    steps: int = 0
    loss: float = 0.0
    accuracy: float = 0.0

    def after(self, loss: float, accuracy: float, clips: int) -> "Running":
        """After one more step, with its means over `clips`."""
        return Running(self.steps + 1, self.loss + loss * clips, self.accuracy + accuracy * clips)

    def means(self, clips: int) -> Figures:
        """Over all clips of the epoch."""
        return {"train_loss": self.loss / clips, "train_accuracy": self.accuracy / clips}


@dataclass
class State:
    """How far a training is.

    Attributes:
        history: the figures of finished epochs.
        running: the epoch under way.
        best: the values of the network's weights after the best epoch; empty without one.
    """

    history: History = field(default_factory=History)
    running: Running = Running()
    best: Arrays = field(default_factory=list)


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

    def save(self, state: State, variables: Arrays) -> None:
        """Replace the previous one.

        Args:
            state: how far the training is.
            variables: the values of all variables of network and optimiser.
        """
        older = self._found()
        partial = self._folder / ".partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _write_figures(partial, state)
        np.savez(partial / "state.npz", *variables)
        self._write_best(partial, state)
        partial.rename(self._folder / f"{state.history.epochs}-{state.running.steps}")
        for folder in older:
            shutil.rmtree(folder, ignore_errors=True)
        self._saved = time.monotonic()

    def newest(self) -> tuple[State, Arrays] | None:
        """The newest undamaged state and the variables' values, or None."""
        for folder in reversed(self._found()):
            try:
                return _read(folder)
            except DAMAGE as error:
                emit("notice", message=f"checkpoint {folder} is damaged and not used: {error}")
                shutil.rmtree(folder, ignore_errors=True)
        return None

    def _write_best(self, partial: Path, state: State) -> None:
        name = _best(state.history)
        known = [folder / name for folder in self._found() if (folder / name).is_file()]
        if known:
            link_file(known[-1], partial / name)
        else:
            np.savez(partial / name, *state.best)

    def _found(self) -> list[Path]:
        """Folders of checkpoints, the newest last."""
        found = self._folder.iterdir() if self._folder.is_dir() else ()
        places = {path: NAME.fullmatch(path.name) for path in found}
        return sorted(
            (path for path, place in places.items() if place),
            key=lambda path: tuple(map(int, path.name.split("-"))),
        )


def packed(found: tuple[State, Arrays] | None) -> bytes | None:
    """A state and the variables' values, for another worker."""
    if found is None:
        return None
    state, variables = found
    stream = io.BytesIO()
    best = {f"best_{place}": value for place, value in enumerate(state.best)}
    arrays: dict[str, Any] = {**_figures(state), **best}
    np.savez(stream, *variables, **arrays)
    return stream.getvalue()


def unpacked(content: bytes | None) -> tuple[State, Arrays] | None:
    """The inverse of `packed`."""
    if content is None:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return State(*_figures_of(file), _numbered(file, "best_")), _numbered(file)


def _best(history: History) -> str:
    return f"best-{history.best_epoch}.npz"


def _write_figures(folder: Path, state: State) -> None:
    np.savez(folder / "figures.npz", **_figures(state))


def _figures(state: State) -> dict[str, Any]:
    running = state.running
    sums = np.array([running.loss, running.accuracy])
    return {"history": state.history.to_table(), "steps": np.array(running.steps), "sums": sums}


def _figures_of(file: Any) -> tuple[History, Running]:
    running = Running(int(file["steps"]), *file["sums"].tolist())
    return History.from_table(file["history"]), running


def _read(folder: Path) -> tuple[State, Arrays]:
    with (folder / "figures.npz").open("rb") as raw, np.load(raw, allow_pickle=False) as file:
        history, running = _figures_of(file)
    best = _arrays(folder / _best(history))
    return State(history, running, best), _arrays(folder / "state.npz")


def _arrays(path: Path) -> Arrays:
    with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
        return _numbered(file)


def _numbered(file: Any, prefix: str = "arr_") -> Arrays:
    count = sum(name.startswith(prefix) for name in file.files)
    return [file[f"{prefix}{index}"] for index in range(count)]
