"""How the commands of a device open a bundle."""

from pathlib import Path

from reelflow.commandline import printable, tell
from reelflow.edge.bundle import Bundle, open_bundle
from reelflow.edge.seal import uncovered


def opened(folder: Path) -> Bundle:
    """A checked bundle; unprotected files are reported on stderr.

    Raises:
        BundleError: it is damaged.
    """
    bundle = open_bundle(folder)
    if told := uncovered(folder):
        tell(f"warning: {printable(str(folder))}: {told}")
    return bundle
