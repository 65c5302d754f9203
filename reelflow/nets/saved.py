"""Heads on disk: `.keras` files whose bytes depend on the network alone, loaded in safe mode."""

import json
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reelflow.errors import BundleError
from reelflow.files import atomic, sha256_file
from reelflow.nets.runtime import prepare

if TYPE_CHECKING:
    import keras

MAX_UNPACKED_BYTES = 4 * 1024**3
DAMAGE = (
    *(OSError, EOFError, ValueError, TypeError, KeyError, AttributeError),
    *(RuntimeError, MemoryError, zlib.error, zipfile.BadZipFile),  # nested too deeply: a RuntimeError
)
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip file can name


def save_head(model: "keras.Model", path: Path) -> str:
    """Save an uncompiled model; the same model gives the same bytes.

    Keras writes the time of day and memory addresses into its files; they are left out here.

    Returns:
        The file's sha256.

    Raises:
        StorageError: the disk is full or read-only.
    """
    raw = path.with_name(f".{path.stem}.raw.keras")
    model.save(raw)
    with atomic(path) as partial:
        _normalise(raw, partial)
    raw.unlink()
    return sha256_file(path)


def load_head(path: Path, *, sha256: str | None = None) -> "keras.Model":
    """Load a head for inference, without running any code that the file brings.

    Args:
        path: a `.keras` file.
        sha256: what the file must have, from the report beside it; None checks nothing.

    Raises:
        BundleError: the file is missing, differs from the hash in its report, or is not a Keras model.
    """
    prepare()
    import keras
    from tensorflow.errors import OpError

    import reelflow.nets.video.network  # noqa: F401 (it registers its layers)

    if not path.is_file():
        raise BundleError(f"{path} is missing: run its training again")
    try:
        if sha256 is not None and (found := sha256_file(path)) != sha256:
            raise BundleError(f"{path} has sha256 {found}, its report says {sha256}: run its training again")
        _check_size(path)
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except (*DAMAGE, OpError) as error:
        raise BundleError(f"{path} is no Keras model that can be loaded safely: {error}") from error
    if not isinstance(model, keras.Model):
        raise BundleError(
            f"{path} holds a {type(model).__name__}, expected a Keras model: run its training again"
        )
    return model


def _check_size(path: Path) -> None:
    """Keras unpacks into memory whatever a file holds."""
    with zipfile.ZipFile(path) as file:
        unpacked = sum(member.file_size for member in file.infolist())
    if unpacked > MAX_UNPACKED_BYTES:
        raise ValueError(f"it unpacks to {unpacked} bytes, expected at most {MAX_UNPACKED_BYTES}")


def _normalise(raw: Path, target: Path) -> None:
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(target, "w") as result:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name.endswith(".json"):
                content = json.dumps(json.loads(content, object_hook=_lasting), sort_keys=True).encode()
            result.writestr(zipfile.ZipInfo(name, EPOCH), content)


def _lasting(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in ("shared_object_id", "date_saved")}
