"""What steps are given of the environment."""

from collections.abc import Callable
from typing import Any, TypeVar

from reelflow.objectstore.meter import TransferMeter
from reelflow.settings import Settings
from reelflow.steps import asked_for

Result = TypeVar("Result")


def in_environment(run: Callable[..., Result]) -> Callable[..., Result]:
    """The step, given what it asks for of the environment of the moment, as `perform` does."""

    def performed(*params: Any, **inputs: Any) -> Result:
        return run(*params, **asked_for(run, Settings(), TransferMeter()) | inputs)

    return performed
