"""Values of a params file that the command line overrides."""

import re
from collections.abc import Sequence
from pathlib import Path
from unicodedata import normalize

from reelflow.errors import ParamsError
from reelflow.files import sha256_text
from reelflow.params import LabelFolder, Params
from reelflow.sources.address import is_remote
from reelflow.splitting.protocols import read_protocol

DEFAULT_MODEL = "reelflow"
DEFAULT_WEIGHTS_BACKBONE = "mobilenet_v2_quant"
HASH_LETTERS = 6
LONGEST_FOLDER = 150  # letters of a folder's name in that of a model
NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def override(
    params: Params,
    *,
    source: str = "",
    weights: str = "",
    backbones: Sequence[str] = (),
    heads: Sequence[str] = (),
    protocol: str = "",
    drop_small_classes: bool = False,
    label_folder: LabelFolder | None = None,
    note: str = "",
) -> Params:
    """The params with the values that are given; empty ones change nothing.

    Raises:
        ParamsError: a value is invalid.
    """
    dataset: dict[str, object] = {"source": source} if source else {}
    if drop_small_classes:
        dataset["drop_small_classes"] = True
    if label_folder:
        dataset["label_folder"] = label_folder
    features: dict[str, object] = {"weights": weights} if weights else {}
    if backbones or weights:
        features["backbones"] = list(backbones) or [DEFAULT_WEIGHTS_BACKBONE, *params.features.networks]
    training = {"heads": list(heads)} if heads else {}
    evaluation = {"protocol": protocol} if protocol else {}
    release = {"note": note} if note else {}
    return params.with_values(
        dataset=dataset, features=features, training=training, evaluation=evaluation, release=release
    )


def absolute_source(data: Path | str | None) -> str:
    """A source that every step finds, whatever its working folder; empty for none."""
    if not data:
        return ""
    return str(data) if is_remote(str(data)) else str(Path(data).absolute())


def absolute_path(path: Path | None) -> str:
    """A path that every step finds; empty for none."""
    return str(path.absolute()) if path else ""


def with_model_name(params: Params, data: Path | str | None, model: str | None) -> Params:
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
    """The name in the registry for clips in a folder of this name; a hash tells non-ASCII ones apart."""
    name = normalize("NFC", data)
    plain = NO_NAME.sub("-", name)[:LONGEST_FOLDER]
    told = name.isascii() and len(name) <= LONGEST_FOLDER
    return f"{DEFAULT_MODEL}-{plain}" + ("" if told else f"-{sha256_text(name)[:HASH_LETTERS]}")


def names_in(text: str | None) -> list[str]:
    """The names in a comma-separated list; none of no text.

    Raises:
        ParamsError: there are commas and no name.
    """
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    if text and not names:
        raise ParamsError(f"found {text!r}, expected names with commas between them")
    return names


def protocol_in(text: str | None) -> str:
    """A protocol as params write it; empty for none.

    Raises:
        ParamsError: unknown protocol.
    """
    return str(read_protocol(text)) if text else ""
