"""What is logged to a run of MLflow: params, points of metrics, in batches that a request may hold."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.entities import Metric, Param

BATCH = 100  # params, or tags
METRICS = 800  # with as many params and tags MAX_ENTITIES_PER_BATCH of mlflow.utils.validation
MAX_VALUE_CHARS = 5000


def flatten(values: Mapping[str, Any], prefix: str) -> dict[str, str]:
    """Nested values as `prefix.name.name`; other values become JSON, truncated to MLflow's limit."""
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}.{name}")
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            flat[f"{prefix}.{name}"] = text[:MAX_VALUE_CHARS]
    return flat


def points_of(
    metrics: Mapping[str, float], curves: Mapping[str, Sequence[float]], start_ms: int
) -> "Iterator[Metric]":
    """Points with times relative to the start of the run: logging them twice changes nothing."""
    from mlflow.entities import Metric

    for name, value in metrics.items():
        yield Metric(name, value, start_ms, 0)
    for name, values in curves.items():
        for epoch, value in enumerate(values, start=1):
            yield Metric(name, value, start_ms + epoch, epoch)


def batches(items: Sequence[Any], size: int = BATCH) -> Iterator[list[Any]]:
    """Parts of at most `size` items."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def params_of(values: Mapping[str, str]) -> "Iterator[list[Param]]":
    """Params in batches."""
    from mlflow.entities import Param

    yield from batches([Param(*item) for item in values.items()])
