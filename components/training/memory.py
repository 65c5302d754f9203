"""Out-of-memory errors."""

from collections.abc import Iterator
from contextlib import contextmanager

from reelflow.errors import ParamsError
from reelflow.nets.runtime import prepare


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn out-of-memory errors into advice.

    Raises:
        ParamsError: the training does not fit into memory.
    """
    prepare()
    from tensorflow.errors import ResourceExhaustedError

    try:
        yield
    except (MemoryError, ResourceExhaustedError) as error:
        raise ParamsError(
            "the network and its batches do not fit into memory: lower training.units, "
            "training.dense_units, training.segments or training.batch_size"
        ) from error
