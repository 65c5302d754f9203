"""Writes a bundle as a model of MLflow from code, with its signature and an example to try."""

import shutil
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

PACKAGE = Path(__file__).parents[2]
EXAMPLE = PACKAGE / "edge" / "golden.mp4"
ARCHIVE = "reelflow.zip"
REQUIREMENTS = ("ai-edge-litert", "av", "numpy", "pandas", "pydantic")


def save_model(bundle: Path, folder: Path) -> None:
    """Write the bundle as an MLflow model with its own code.

    Args:
        bundle: its folder.
        folder: of the model; must not exist.
    """
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        # MLflow reads a path with ? or % as a URI, and refuses links that lead out, such as DVC's
        plain = shutil.copytree(bundle, Path(place, "bundle"))
        warnings.simplefilter("ignore")  # MLflow warns of type hints in its own code
        import mlflow.pyfunc
        import pandas as pd

        code = Path(place, ARCHIVE)
        _pack(code)
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(Path(__file__).with_name("pyfunc.py")),
            artifacts={"bundle": str(plain)},
            code_paths=[str(code)],
            pip_requirements=_requirements(),
            signature=_signature(),
            input_example=pd.DataFrame([{"video": EXAMPLE.read_bytes()}]),
        )


def _pack(archive: Path) -> None:
    """The package as one file: a server stores each file of a model by a request of its own."""
    with ZipFile(archive, "w", ZIP_DEFLATED) as code:
        for path in sorted(PACKAGE.rglob("*")):
            if path.is_file() and path.parent.name != "__pycache__":
                code.write(path, path.relative_to(PACKAGE.parent))


def _signature() -> "ModelSignature":
    """Clips by path or bytes. Only columns with names can be optional (`Schema` of mlflow.types.schema).

    The scoring server decodes a column of bytes from base64 (`cast_df_types_according_to_schema` in
    mlflow.utils.proto_json_utils).
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import Map

    clips = [ColSpec("string", "path", required=False), ColSpec("binary", "video", required=False)]
    answers = [
        *(ColSpec("string", name) for name in ("clip", "label")),
        ColSpec("double", "score"),
        ColSpec("boolean", "rejected"),
        ColSpec(Map("double"), "scores"),
    ]
    return ModelSignature(inputs=Schema(clips), outputs=Schema(answers))


def _requirements() -> list[str]:
    """Requirements of the model; an image may have only MLflow's client, a package of another name."""
    from mlflow.version import VERSION

    return [f"mlflow=={VERSION}", *(f"{name}=={version(name)}" for name in REQUIREMENTS)]
