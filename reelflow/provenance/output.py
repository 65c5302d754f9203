"""The output folder of a step: whole or absent, resumed after a kill, reused while its provenance fits.

The step works in a partial folder named after the key of its provenance, under a lock; one rename turns that
folder into the output. A second attempt with the same key resumes in the partial folder.
"""

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reelflow.durable.replace import remove, replace_folder, replace_link
from reelflow.errors import BundleError, ReelflowError, RegistryError, StorageError, disk_errors
from reelflow.files import TEMPORARY, check_space, exists, locked, write_text
from reelflow.provenance.step import PROVENANCE, Provenance


class StepOutput:
    """The output of a step with this provenance.

    Args:
        target: where the output is wanted.
        work: folder of all outputs of a run; the target becomes a link into it. By default the output is
            the target itself.
        provenance: what the output depends on.
    """

    def __init__(self, target: Path, work: Path | None, provenance: Provenance) -> None:
        self._provenance, name = provenance, f"{provenance.step}-{provenance.key}"
        self._target = target.absolute()
        self._store = work.absolute() if work else self._target.parent
        self._final = self._store / name if work else self._target
        self._partial = self._store / f".{name}.partial"
        self._lock = self._store / f".{name}.lock"

    def finish(
        self, write: Callable[[Path], None], seal: Callable[[Path], None], *, reuse: bool
    ) -> tuple[Path, bool]:
        """Write the output, unless it is whole; returns its folder and whether it was reused.

        Args:
            write: writes the files of the output, or those that an earlier attempt has left to write, into
                a folder.
            seal: called with the finished folder, after its provenance is written.
            reuse: reuse a whole output.

        Raises:
            ReelflowError: whatever `write` raises; a RegistryError after the output is finished.
            StorageError: something else is at the target, or the disk refuses.
        """
        locks = locked(self._lock, f"another run of this {self._provenance.step} step")
        with locks, _foreign_errors(self._store), disk_errors(self._store):
            reused = reuse and self._is_whole(self._final)
            self._check_replaceable(self._target)
            problem = None if reused else self._write(write, seal)
            if self._target != self._final:
                self._link()
            if problem:
                problem.output = self._final
                raise problem
        return self._final, reused

    def _write(self, write: Callable[[Path], None], seal: Callable[[Path], None]) -> RegistryError | None:
        """Write the partial folder and rename it; returns a problem beside which the output is whole."""
        self._check_replaceable(self._final)
        partial, problem = self._partial, None
        if exists(partial / PROVENANCE) and not self._is_whole(partial):
            remove(partial)  # an older output: a kill between its exchange and its removal left it
        partial.mkdir(parents=True, exist_ok=True)
        for leftover in partial.rglob(TEMPORARY):
            leftover.unlink()
        try:
            write(partial)
        except RegistryError as error:
            problem = error
        write_text(partial / PROVENANCE, self._provenance.to_json())
        seal(partial)
        replace_folder(partial, self._final)
        return problem

    def _is_whole(self, folder: Path) -> bool:
        with suppress(BundleError):
            return Provenance.read(folder / PROVENANCE) == self._provenance
        return False

    def _check_replaceable(self, path: Path) -> None:
        """Refuse to replace anything but an older output of the step, a link to one, or an empty folder."""
        step = self._provenance.step
        if not os.path.lexists(path) or _is_output(path, step):
            return
        if path.is_symlink() or not path.is_dir() or any(path.iterdir()):
            raise StorageError(
                f"{path} is not an output of the {step} step and is left unchanged: "
                "choose another output folder, or remove it"
            )

    def _link(self) -> None:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        if not self._target.is_symlink():
            remove(self._target)
        replace_link(self._target, os.path.relpath(self._final, self._target.parent.resolve()))


def _is_output(path: Path, step: str) -> bool:
    """Whether a folder, or what a link leads to, is an output of a step; the link may have lost it."""
    if path.is_symlink() and not path.exists():
        return bool(re.fullmatch(rf"{step}-[0-9a-f]{{16}}", path.readlink().name))
    with suppress(BundleError):
        return Provenance.read(path / PROVENANCE).step == step
    return False


@contextmanager
def _foreign_errors(store: Path) -> Iterator[None]:
    """Report a full disk: libraries fail on it with unrelated errors."""
    try:
        yield
    except ReelflowError:
        raise
    except Exception:
        check_space(store, Path(tempfile.gettempdir()))
        raise
