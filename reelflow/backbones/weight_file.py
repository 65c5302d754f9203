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


MOBILENET_V2_QUANT = WeightFile(
    name="mobilenet_v2_1.0_224_quant.tflite",
    url="https://raw.githubusercontent.com/google-coral/test_data/"
    "104342d2d3480b3e66203073dac24f4e2dbb4c41/mobilenet_v2_1.0_224_quant.tflite",
    sha256="7aad0c74c5e3c06e5eb3c827e13304fdd68a83da6087d92ee169c24ff9fd4776",
    size_bytes=3_610_798,
)
"""The study's network; also one of `features.networks` in params.small.yaml."""


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
