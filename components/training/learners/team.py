"""The workers that train one network together; each is a process, and this is one of them.

Every worker has all variables, takes its part of each batch, and applies the sum of all gradients: the
variables stay the same everywhere. The sums are `tf.distribute`'s (docs/adr/0016).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIECE = 2**24  # numbers that are summed at once, 64 MiB


class Team:
    """A team of one: it sums nothing.

    Attributes:
        rank: of this worker; 0 is the chief, which alone writes.
        size: number of workers.
        neighbours: workers on this machine, this one included.
    """

    rank, size, neighbours = 0, 1, 1

    @property
    def is_chief(self) -> bool:
        """Whether this worker writes checkpoints and outputs."""
        return self.rank == 0

    def part(self, count: int) -> slice:
        """This worker's part of `count` things; parts differ by one at most."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def run(self, work: Callable[..., Any], *given: Any) -> Any:
        """Within a graph: do this worker's part, in which `total` may be called."""
        return work(*given)

    def total(self, values: list[Any]) -> list[Any]:
        """Within `run`: tensors, summed over the workers."""
        return values

    def joined(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """The sum over the workers, where each has its part and zeros elsewhere: the same bits everywhere."""
        return scores

    def of_chief(self, content: bytes | None) -> bytes | None:
        """The chief's content, whatever the others give."""
        return content

    @contextmanager
    def one_batch(self, network: Any) -> Iterator[None]:  # noqa: ARG002
        """While a graph is traced: norms take the statistics of the whole batch, not of a worker's part."""
        yield


ALONE = Team()


class DistributedTeam(Team):
    """A team by a strategy of TensorFlow.

    Args:
        strategy: a `tf.distribute.MultiWorkerMirroredStrategy` with one device a worker.
        neighbours: workers on this machine.
    """

    def __init__(self, strategy: Any, neighbours: int) -> None:
        found = strategy.cluster_resolver
        self.rank, self.size = found.task_id, len(found.cluster_spec().as_dict()["worker"])
        self.neighbours, self._strategy = neighbours, strategy

    def run(self, work: Callable[..., Any], *given: Any) -> Any:
        """Do this worker's part in the strategy's context."""
        return self._strategy.run(work, given)

    def total(self, values: list[Any]) -> list[Any]:
        """All-reduce."""
        import tensorflow as tf

        found: list[Any] = tf.distribute.get_replica_context().all_reduce("SUM", values)
        return found

    def joined(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Adding zeros loses no bit."""
        return self._summed(scores)

    def of_chief(self, content: bytes | None) -> bytes | None:
        """As numbers, to which the others add zeros."""
        length = -1 if content is None else len(content)
        (length,) = self._summed(np.array([length if self.is_chief else 0], np.int32))
        if length < 0:
            return None
        numbers = np.zeros(-(-length // 4), np.int32)
        if self.is_chief and content:
            numbers.view(np.uint8)[:length] = np.frombuffer(content, np.uint8)
        return self._summed(numbers).tobytes()[:length]

    @contextmanager
    def one_batch(self, network: Any) -> Iterator[None]:
        """Keras's norms, and ours, have a switch."""
        norms = [layer for layer in network._flatten_layers() if hasattr(layer, "synchronized")]
        for norm in norms:
            norm.synchronized = True
        try:
            yield
        finally:
            for norm in norms:
                norm.synchronized = False

    def _summed(self, values: NDArray[Any]) -> NDArray[Any]:
        import tensorflow as tf

        found = np.empty_like(values)
        into, flat = found.reshape(-1), values.reshape(-1)
        for start in range(0, flat.size, PIECE):
            piece = tf.constant(flat[start : start + PIECE])
            into[start : start + PIECE] = self._strategy.reduce("SUM", piece, axis=None).numpy()
        return found
