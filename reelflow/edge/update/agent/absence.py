"""Says why no bundle is in use, to a command that was given the agent's link."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reelflow.commandline import printable
from reelflow.edge.update.agent.state import AgentState
from reelflow.errors import BundleError


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Say why the update agent has no bundle in use, where a command is given its link.

    Raises:
        BundleError: of the block, with the agent's reason.
    """
    try:
        yield
    except BundleError:
        if os.path.lexists(folder) or not (why := _why_none(folder.parent)):
            raise
        raise BundleError(
            f"{printable(str(folder))} leads to no bundle: {why}; a newer one comes from the channel, "
            "and reelflow update apply --again tries one that was given up"
        ) from None


def _why_none(folder: Path) -> str:
    try:
        return AgentState.load(folder).why_none
    except BundleError:
        return ""
