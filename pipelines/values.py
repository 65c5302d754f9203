"""YAML files of the drivers, typed by a model."""

from pathlib import Path
from typing import TypeVar

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
        return kind.model_validate(read_yaml(path))
    except pydantic.ValidationError as error:
        raise ParamsError(explain(error, str(path))) from error
    except OSError as error:
        raise ParamsError(f"{path}: {error.strerror}; name an existing file") from error
    except ValueError as error:
        raise ParamsError(f"{path} is not valid YAML: {error}") from error
