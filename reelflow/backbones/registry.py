"""The backbones by name. A backbone is one file, which is imported when it is loaded."""

from collections.abc import Collection, Mapping
from importlib import import_module
from types import MappingProxyType

from reelflow.backbones.interface import Backbone
from reelflow.backbones.pixels import Pixels, is_pixels, side_of
from reelflow.backbones.tflite.network import load_network
from reelflow.errors import ParamsError
from reelflow.params import NetworkParams
from reelflow.settings import Settings

BACKBONES: Mapping[str, str] = MappingProxyType(
    {
        "inception_v3": "reelflow.backbones.inception_v3",
        "mobilenet_v2": "reelflow.backbones.mobilenet_v2",
        "mobilenet_v2_quant": "reelflow.backbones.mobilenet_v2_quant",
        "thumbnail": "reelflow.backbones.thumbnail",
    }
)
"""The module of each backbone; its `load(weights, *, seed, settings)` gives the backbone.

Besides these there is `reelflow.backbones.pixels`, a backbone for every size.
"""

TFLITE = "reelflow.backbones.tflite.network"
"""The module of the networks that only the params describe."""
NEEDS_TENSORFLOW = frozenset({"inception_v3", "mobilenet_v2"})
NO_NETWORKS: Mapping[str, NetworkParams] = MappingProxyType({})


def module_of(backbone: str) -> str:
    """The module that embeds frames with a backbone."""
    return Pixels.__module__ if is_pixels(backbone) else BACKBONES.get(backbone, TFLITE)


def libraries_of(backbone: str) -> tuple[str, ...]:
    """The libraries that run a network."""
    if backbone in NEEDS_TENSORFLOW:
        return "keras", "tensorflow"
    return () if backbone == "thumbnail" or is_pixels(backbone) else ("ai-edge-litert",)


def check_backbones(names: Collection[str], networks: Mapping[str, NetworkParams] = NO_NETWORKS) -> None:
    """Check that every name is a backbone.

    Raises:
        ParamsError: one is not, or pixels of a size that there is not, or one of `networks` has the name of
            a backbone.
    """
    if taken := sorted(name for name in networks if name in BACKBONES or is_pixels(name)):
        raise ParamsError(f"features.networks: {', '.join(taken)} is a backbone already: choose another name")
    pixels = {name for name in names if is_pixels(name)}
    for name in sorted(pixels):
        side_of(name)
    if unknown := sorted(set(names) - BACKBONES.keys() - networks.keys() - pixels):
        known = ", ".join([*BACKBONES, "pixels", "pixels_<side>", *networks])
        raise ParamsError(
            f"unknown backbone {', '.join(unknown)}; known ones are {known}; "
            "features.networks describes others"
        )


def load_backbone(
    name: str,
    weights: str,
    *,
    seed: int,
    settings: Settings,
    networks: Mapping[str, NetworkParams] = NO_NETWORKS,
) -> Backbone:
    """Load a backbone by name.

    Args:
        name: one of `BACKBONES` or of `networks`, `pixels` or `pixels_<side>`.
        weights: `imagenet` (a download), `random`, a file, or a folder of files.
        seed: of random weights.
        settings: with the cache of downloads, and a mirror.
        networks: TFLite networks that the params describe.

    Raises:
        ParamsError: as in `check_backbones`.
        WeightsError: the weights are missing, altered, of another network, or not reachable.
    """
    check_backbones([name], networks)
    if name in networks:
        return load_network(name, networks[name], weights, settings)
    if is_pixels(name):
        return Pixels(name)
    backbone: Backbone = import_module(BACKBONES[name]).load(weights, seed=seed, settings=settings)
    return backbone
