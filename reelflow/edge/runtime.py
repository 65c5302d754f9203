"""LiteRT behind one call: array in, array out."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Semaphore
from typing import TypeVar

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from reelflow.errors import BundleError

# What LiteRT raises for models that it cannot read, prepare or run.
LITERT_ERRORS = (OSError, MemoryError, RuntimeError, TypeError, ValueError)


Item = TypeVar("Item")
Result = TypeVar("Result")


class Network:
    """A TFLite model with one input and one output of fixed shapes, on XNNPACK.

    It holds one interpreter and is not thread-safe; `invoke` releases the GIL, so that several
    networks run side by side in threads.

    Attributes:
        input_shape: with the batch, which is 1.
        input_dtype: of the array that a call takes.
        output_shape: with the batch, which is 1.
        output_dtype: of the returned array.
    """

    def __init__(self, path: Path, *, threads: int = 1, sha256: str = "") -> None:
        """Load a model.

        Args:
            path: of its file.
            threads: that it computes with.
            sha256: that the loaded bytes must have; empty: any.

        Raises:
            BundleError: LiteRT cannot read or prepare it, or it is another one.
        """
        self._path = path
        try:
            # the file itself would be mapped: copied over while it is used, it gives wrong answers, or SIGBUS
            content = path.read_bytes()
            if sha256 and hashlib.sha256(content).hexdigest() != sha256:
                raise BundleError(f"{path} is being overwritten: run the same command when that has ended")
            self._interpreter = Interpreter(model_content=content, num_threads=threads)
            self._interpreter.allocate_tensors()
        except LITERT_ERRORS as error:
            raise BundleError(f"LiteRT cannot load {path}: {_first_line(error)}") from error
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise BundleError(
                f"{path} has {len(inputs)} inputs and {len(outputs)} outputs; expected one of each"
            )
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        self.input_shape, self.input_dtype = _form(inputs[0])
        self.output_shape, self.output_dtype = _form(outputs[0])

    def __call__(self, value: NDArray[np.generic]) -> NDArray[np.generic]:
        """Run the model once.

        Args:
            value: of `input_shape` and `input_dtype`.

        Returns:
            A copy of the output, of `output_shape` and `output_dtype`.

        Raises:
            BundleError: LiteRT cannot run it.
        """
        try:
            self._interpreter.set_tensor(self._input, value)
            self._interpreter.invoke()
            found: NDArray[np.generic] = self._interpreter.get_tensor(self._output)
        except LITERT_ERRORS as error:
            raise BundleError(f"LiteRT cannot run {self._path}: {_first_line(error)}") from error
        return found


class InterpreterTeam:
    """One model in several interpreters of one thread each, which are made when they are first needed.

    For many items they are faster than one interpreter with as many threads; batches gain nothing.
    """

    def __init__(self, path: Path, size: int, sha256: str) -> None:
        """Nothing is loaded yet."""
        self._path, self._size, self._sha256 = path, size, sha256
        self._idle: SimpleQueue[Network] = SimpleQueue()

    @contextmanager
    def hired(self, work: Callable[[Network, Item], Result]) -> Iterator[Callable[[Item], "Future[Result]"]]:
        """Have work done on items, each with a network for itself.

        Yields:
            A function that takes an item; it waits while two items a network are held.

        Raises:
            BundleError: LiteRT cannot load the model.
        """
        if self._idle.empty():
            for _ in range(self._size):
                self._idle.put(Network(self._path, sha256=self._sha256))
        room = Semaphore(2 * self._size)

        def one(item: Item) -> Result:
            network = self._idle.get()
            try:
                return work(network, item)
            finally:
                self._idle.put(network)
                room.release()

        def give(item: Item) -> "Future[Result]":
            room.acquire()
            return pool.submit(one, item)

        with ThreadPoolExecutor(self._size) as pool:
            yield give


def _form(details: dict[str, object]) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    shape: tuple[int, ...] = tuple(int(size) for size in np.atleast_1d(details["shape"]))  # type: ignore[call-overload]
    return shape, np.dtype(details["dtype"])  # type: ignore[call-overload]


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0].strip() or type(error).__name__
