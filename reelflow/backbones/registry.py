"""The backbones by name. A backbone is one file, which is imported when it is loaded."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from types import MappingProxyType

from reelflow.backbones.interface import Backbone
from reelflow.errors import ParamsError
from reelflow.settings import Settings

BACKBONES: Mapping[str, str] = MappingProxyType(
    {
        "inception_v3": "reelflow.backbones.inception_v3",
        "mobilenet_v2": "reelflow.backbones.mobilenet_v2",
        "mobilenet_v2_quant": "reelflow.backbones.mobilenet_v2_quant",
        "thumbnail": "reelflow.backbones.thumbnail",
    }
)
"""The module of each backbone; its `load(weights, *, seed, settings)` gives the backbone."""

NEEDS_NO_TENSORFLOW = frozenset({"mobilenet_v2_quant", "thumbnail"})


def libraries_of(backbone: str) -> tuple[str, ...]:
    """The libraries that run a network."""
    if backbone not in NEEDS_NO_TENSORFLOW:
        return "keras", "tensorflow"
    return () if backbone == "thumbnail" else ("ai-edge-litert",)


def check_backbones(names: Iterable[str]) -> None:
    """Check that every name is a backbone.

    Raises:
        ParamsError: one is not.
    """
    unknown = sorted(set(names) - set(BACKBONES))
    if unknown:
        raise ParamsError(f"unknown backbone {', '.join(unknown)}; known ones are {', '.join(BACKBONES)}")


def load_backbone(name: str, weights: str, *, seed: int, settings: Settings) -> Backbone:
    """Load a backbone by name.

    Args:
        name: one of `BACKBONES`.
        weights: `imagenet` (a download), `random`, a file, or a folder of files.
        seed: of random weights.
        settings: with the cache of downloads, and a mirror.

    Raises:
        ParamsError: unknown backbone.
        WeightsError: the weights are missing, altered, of another network, or not reachable.
    """
    check_backbones([name])
    backbone: Backbone = import_module(BACKBONES[name]).load(weights, seed=seed, settings=settings)
    return backbone
