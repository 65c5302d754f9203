"""Weights of every backbone, found before anything starts."""

from collections.abc import Sequence
from importlib import import_module

from reelflow.backbones.registry import check_backbones, module_of
from reelflow.backbones.weight_file import WeightFile
from reelflow.backbones.weights import find_weights
from reelflow.errors import WeightsError
from reelflow.settings import Settings


def check_weights(backbones: Sequence[str], weights: str, settings: Settings) -> None:
    """Check that the weights of every backbone exist; `imagenet` downloads them into the cache.

    Raises:
        ParamsError: a name is no backbone's.
        WeightsError: weights are missing; the message names the backbones that can go on without.
    """
    check_backbones(backbones)
    missing: dict[str, WeightsError] = {}
    for name in backbones:
        try:
            _find(name, weights, settings)
        except WeightsError as error:
            missing[name] = error
    if missing:
        reasons = "\n".join(f"  {name}: {error}" for name, error in missing.items())
        rest = ",".join(name for name in backbones if name not in missing)
        advice = f"\nTo go on without: --backbones {rest}" if rest else ""
        raise WeightsError(f"weights are missing; name their folder with --weights\n{reasons}{advice}")


def _find(name: str, weights: str, settings: Settings) -> None:
    module = import_module(module_of(name))
    file: WeightFile | None = getattr(module, "FILE", None)
    if application := getattr(module, "APPLICATION", None):
        find_weights(weights, application.published, settings, [application.without_top])
    elif file:
        find_weights(weights, file, settings)
