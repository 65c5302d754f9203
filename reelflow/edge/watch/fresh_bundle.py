"""The bundle that is watched with: a new one is taken when the link to it changes."""

import os
from pathlib import Path

from reelflow.edge.bundle import open_bundle
from reelflow.edge.classifier import Classifier
from reelflow.errors import BundleError


class FreshBundle:
    """Loads a bundle again when its folder, or what a link leads to, becomes another.

    Attributes:
        classifier: of the last bundle that could be loaded.
        loaded: name of that bundle's folder.
        problem: why the newest could not be; empty if it could.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        """Load the bundle.

        Raises:
            BundleError: it is damaged.
        """
        self._folder, self._threads = folder, threads
        self.problem = ""
        self._identity = self._found()
        self.classifier = Classifier(open_bundle(folder), threads=threads)
        self.loaded = Path(self._identity[0]).name

    def is_new(self) -> bool:
        """Look again; whether another bundle has been loaded. One that is damaged is left."""
        found = self._found()
        if found == self._identity:
            return False
        self._identity = found
        try:
            self.classifier = Classifier(open_bundle(self._folder), threads=self._threads)
        except BundleError as error:
            self.problem = str(error)
            return False
        self.problem, self.loaded = "", Path(found[0]).name
        return True

    def _found(self) -> tuple[str, int, int]:
        """What the folder is: its real path, and the manifest's place on the disk."""
        real = os.path.realpath(self._folder)
        try:
            facts = Path(real, "bundle.json").stat()
        except OSError:
            return real, 0, 0
        return real, facts.st_ino, facts.st_mtime_ns
