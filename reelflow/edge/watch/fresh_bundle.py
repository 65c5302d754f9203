"""The bundle that is watched with: a new one is taken when the link to it, or what is in its folder, changes.

Copies in place write files in any order. Until all of them are as `bundle.json` and `SHA256SUMS` say, the old
bundle goes on, and every change is a reason to look again. Why a bundle is left is told once it stands still.
A link that is removed is another matter: whoever keeps it says that no bundle is to be used.
"""

import math
import os
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from reelflow.contracts import UNSURE
from reelflow.edge.bundle import Bundle, open_bundle
from reelflow.edge.classifier import Classifier
from reelflow.edge.seal import SUMS
from reelflow.edge.timeline import window_of
from reelflow.errors import BundleError, ParamsError

MOST_FILES = 256
GONE_S = 5.0  # a link that people replace by hand is away for a moment
Identity = tuple[str, tuple[tuple[str, int, int, int], ...]]
"""Where a folder really is; name, inode, size and time of the last change of each file."""


class FreshBundle:
    """Loads a bundle again when its folder, or what a link leads to, becomes another.

    Attributes:
        classifier: of the last bundle that could be loaded.
        loaded: name of the folder that was taken last.
        problem: why the newest could not be, since that has not changed any more; empty if it could.
    """

    def __init__(self, folder: Path, threads: int, window_s: float | None = None) -> None:
        """Load the bundle.

        Args:
            folder: of the bundle, or a link to it.
            threads: that LiteRT computes with.
            window_s: that an answer covers; None for what each bundle says.

        Raises:
            BundleError: it is damaged, or no camera can be watched with it.
        """
        self._folder, self._threads, self._window_s = folder, threads, window_s
        self._is_link, self._gone_since_s = folder.is_symlink(), math.inf
        self.problem = self._found_wrong = ""
        self._identity = self._found()
        bundle = open_bundle(folder)
        self.is_sealed = bundle.is_sealed
        self.classifier = self._opened(bundle)
        self.loaded = Path(self._identity[0]).name

    @property
    def gone(self) -> str:
        """That the link has been removed; empty while it is there."""
        if not self._is_away():
            self._gone_since_s = math.inf
            return ""
        self._gone_since_s = min(self._gone_since_s, time.monotonic())
        is_gone = time.monotonic() - self._gone_since_s >= GONE_S
        return f"{self._folder} is gone: no bundle is to be used" if is_gone else ""

    def is_new(self) -> bool:
        """Look again; whether another bundle has been loaded. One that is not whole is left."""
        if self._is_away():  # nothing is wrong with a bundle: there is none
            return False
        found = self._found()
        if found == self._identity:
            self.problem = self._found_wrong
            return False
        self._identity, self._found_wrong = found, ""
        try:
            return self._taken()
        except BundleError as error:
            self._found_wrong = str(error)
            return False

    def _is_away(self) -> bool:
        return self._is_link and not os.path.lexists(self._folder)

    def _taken(self) -> bool:
        """Load what is there now, unless it is the bundle that is in use.

        Raises:
            BundleError: it is damaged, not whole yet, or no camera can be watched with it.
        """
        bundle = open_bundle(self._folder)
        if self.is_sealed and not bundle.is_sealed:
            raise BundleError(f"{self._folder} has no {SUMS}, but the previous bundle had it: copy it too")
        is_new = bundle.report != self.classifier.report
        if is_new:
            self.classifier, self.is_sealed = self._opened(bundle), bundle.is_sealed
            self.problem = ""
        self.loaded = Path(self._identity[0]).name
        return is_new

    def _opened(self, bundle: Bundle) -> Classifier:
        """Load a bundle that a camera can be watched with.

        Raises:
            BundleError: a network cannot be loaded; or it lacks a window, or a class has the name of a state.
        """
        classifier = Classifier(bundle, threads=self._threads)
        if UNSURE in classifier.report.labels:
            raise BundleError(
                f"the bundle {classifier.report.name} has a class {UNSURE!r}, which is the name of "
                "unsure answers in events: rename the class and train again"
            )
        try:
            window_of(classifier, self._window_s)
        except ParamsError as error:
            raise BundleError(str(error)) from error
        return classifier

    def _found(self) -> Identity:
        real = Path(os.path.realpath(self._folder))
        return str(real), tuple(_facts(real))


def _facts(folder: Path) -> Iterator[tuple[str, int, int, int]]:
    """The facts of a folder's files, as far as they can be read; their order is that of the names."""
    for path in sorted(islice(folder.rglob("*"), MOST_FILES)):
        try:
            facts = path.stat()
        except OSError:
            continue
        yield str(path), facts.st_ino, facts.st_size, max(facts.st_mtime_ns, facts.st_ctime_ns)
