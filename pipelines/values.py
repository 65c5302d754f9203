"""YAML files of the drivers, typed by a model.

A file may extend another: `extends: FILE`, relative to its folder. It then has only the values that differ.
"""

from pathlib import Path
from typing import Any, TypeVar

import pydantic
from pydantic import BaseModel

from reelflow.errors import ParamsError
from reelflow.params import explain
from reelflow.yaml_file import read_yaml

Model = TypeVar("Model", bound=BaseModel)


def read_values(path: Path, kind: type[Model]) -> Model:
    """Read and check a YAML file.

    Raises:
        ParamsError: the file is missing, is not valid YAML, or has a wrong name or value.
    """
    try:
        return kind.model_validate(_extended(path))
    except pydantic.ValidationError as error:
        raise ParamsError(explain(error, str(path))) from error
    except OSError as error:
        raise ParamsError(f"{error.filename or path}: {error.strerror}; name an existing file") from error
    except ValueError as error:
        raise ParamsError(f"{path} is not valid YAML: {error}") from error


def _extended(path: Path) -> Any:
    """The values of a file over those of the file that it extends."""
    values = read_yaml(path)
    if not isinstance(values, dict) or "extends" not in values:
        return values
    base = read_yaml(path.parent / str(values.pop("extends")))
    if not isinstance(base, dict) or "extends" in base:
        raise ParamsError(
            f"{path} extends a file that has no values or extends another: name one that is whole"
        )
    return _over(base, values)


def _over(base: dict[Any, Any], values: dict[Any, Any]) -> dict[Any, Any]:
    """Values over others, mapping by mapping; lists are replaced whole."""
    both = {key: (base[key], value) for key, value in values.items() if key in base}
    merged = {key: _over(*pair) for key, pair in both.items() if all(isinstance(one, dict) for one in pair)}
    return base | values | merged
