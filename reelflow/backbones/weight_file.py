"""A published file of weights, and the check of a copy."""

from dataclasses import dataclass
from pathlib import Path

from reelflow.errors import WeightsError
from reelflow.files import sha256_file


@dataclass(frozen=True)
class WeightFile:
    """A published file of weights: its name, where it is, and what it must contain."""

    name: str
    url: str
    sha256: str
    size_bytes: int


def check(path: Path, published: WeightFile) -> None:
    """Check that `path` holds what was published.

    Raises:
        WeightsError: it does not.
    """
    found = sha256_file(path)
    if found != published.sha256:
        raise WeightsError(
            f"{path} ({path.stat().st_size} bytes) has sha256 {found}, expected {published.sha256} "
            f"({published.size_bytes} bytes): the copy is damaged or another version; fetch it again from "
            f"{published.url}, or rename it if it is your own"
        )
