"""Names of the steps' images."""

from reelflow import __version__


def image(step: str) -> str:
    """The image of a step in a pipeline without a cluster file.

    Docker and clusters run what `make images` has built, whose tags also tell its content.
    """
    return f"reelflow-{step}:{__version__}"
