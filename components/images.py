"""Names of the steps' images."""

from reelflow import __version__


def image(step: str) -> str:
    """The image that a step runs in on a cluster."""
    return f"reelflow-{step}:{__version__}"
