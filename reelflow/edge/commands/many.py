"""Many clips at once: a process a CPU, each with networks of its own.

Threads would wait for each other: PyAV holds the interpreter's lock while it decodes.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from reelflow.edge.bundle import Bundle
from reelflow.edge.classifier import Classification, Classifier
from reelflow.errors import ClipError
from reelflow.workers.stderr import silenced_stderr

CLIPS_A_WORKER = 2  # fewer are not worth the start of a process
CRASHED = "its decoder crashed"

Outcome = Classification | ClipError

_classifier: Classifier | None = None  # of a worker


def classify_all(bundle: Bundle, clips: Sequence[Path], *, cpus: int, threads: int) -> Iterator[Outcome]:
    """Classify clips; one that fails, or crashes its decoder, stops no other.

    Args:
        bundle: a checked bundle.
        clips: of any number.
        cpus: that may be used.
        threads: of LiteRT where one process is enough; several have one each.

    Yields:
        The outcomes, in the order of the clips.

    Raises:
        BundleError: a network cannot be loaded.
    """
    workers = min(cpus, len(clips) // CLIPS_A_WORKER)
    with silenced_stderr():
        classifier = Classifier(bundle, threads=threads)  # a bundle that cannot be loaded is told here
    if workers < 2:
        yield from (_outcome(classifier, clip) for clip in clips)
        return
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
    return _outcome(_classifier, clip)


def _outcome(classifier: Classifier, clip: Path) -> Outcome:
    try:
        return classifier.classify(clip)
    except ClipError as error:
        return error
