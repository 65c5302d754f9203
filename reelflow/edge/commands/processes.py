"""A process a CPU, each with networks of its own.

Threads would wait for each other: PyAV holds the interpreter's lock while it decodes.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from reelflow.edge.bundle import Bundle
from reelflow.edge.classifier import Classifier
from reelflow.edge.commands.outcome import Outcome, outcome_of
from reelflow.errors import ClipError
from reelflow.workers.stderr import silenced_stderr

CRASHED = "its decoder crashed"

_classifier: Classifier | None = None  # of a worker


def classify_in_processes(bundle: Bundle, clips: Sequence[Path], workers: int) -> Iterator[Outcome]:
    """The outcomes of clips, in their order; one that crashes its decoder stops no other."""
    done = 0
    try:
        with _pool(bundle, workers) as pool:
            futures = [pool.submit(_work, clip) for clip in clips]
            for future in futures:
                yield future.result()
                done += 1
    except BrokenProcessPool:
        yield from (_alone(bundle, clip) for clip in clips[done:])


def _alone(bundle: Bundle, clip: Path) -> Outcome:
    """The outcome of one clip after another has ended all processes, so that this one is told from it."""
    with _pool(bundle, 1) as pool:
        future: Future[Outcome] = pool.submit(_work, clip)
        try:
            return future.result()
        except BrokenProcessPool:
            return ClipError(CRASHED)


def _pool(bundle: Bundle, workers: int) -> ProcessPoolExecutor:
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return ProcessPoolExecutor(workers, context, _load, (bundle,))


def _load(bundle: Bundle) -> None:
    global _classifier
    with silenced_stderr():
        _classifier = Classifier(bundle)


def _work(clip: Path) -> Outcome:
    assert _classifier
    return outcome_of(_classifier, clip)
