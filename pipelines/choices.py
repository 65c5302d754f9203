"""What the command line puts in the place of a params file's values."""

import re
from pathlib import Path

from reelflow.params import Params
from reelflow.sources.address import is_remote

DEFAULT_MODEL = "reelflow"
DEFAULT_WEIGHTS_BACKBONE = "mobilenet_v2_quant"
NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def choose(
    params: Params,
    data: Path | str | None,
    weights: Path | None,
    backbones: str,
    heads: str,
    drop_small_classes: bool,
    protocol: str = "",
) -> Params:
    """The params with what the command line says in their place.

    Raises:
        ParamsError: a value cannot be used.
    """
    dataset: dict[str, object] = {"source": _source(str(data))} if data else {}
    if drop_small_classes:
        dataset["drop_small_classes"] = True
    features: dict[str, object] = {"weights": str(weights.absolute())} if weights else {}
    if backbones or weights:
        features["backbones"] = names_in(backbones) or [DEFAULT_WEIGHTS_BACKBONE]
    training = {"heads": names_in(heads)} if heads else {}
    evaluation = {"protocol": protocol} if protocol else {}
    return params.with_values(dataset=dataset, features=features, training=training, evaluation=evaluation)


def with_model_name(params: Params, data: Path | str | None, model: str) -> Params:
    """The params with a name of its own in the registry for other clips than the default ones.

    A champion of other classes is never replaced, so that data sets under one name would block each other.

    Raises:
        ParamsError: the name cannot be one in the registry.
    """
    if not model and (not data or params.release.model_name != DEFAULT_MODEL):
        return params
    name = model or model_name_of(Path(data).absolute().name if data else "")
    return params.with_values(release={"model_name": name})


def model_name_of(data: str) -> str:
    """The name in the registry for clips in a folder of this name."""
    return f"{DEFAULT_MODEL}-{NO_NAME.sub('-', data)}"


def _source(data: str) -> str:
    """A source that steps understand wherever they run."""
    return data if is_remote(data) else str(Path(data).absolute())


def names_in(text: str) -> list[str]:
    """The names in a comma-separated list."""
    return [name.strip() for name in text.split(",") if name.strip()]
