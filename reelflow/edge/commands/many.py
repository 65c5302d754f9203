"""Many clips at once: in this process, or in several where that is worth their start."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from reelflow.edge.bundle import Bundle
from reelflow.edge.classifier import Classifier
from reelflow.edge.commands.outcome import Outcome, outcome_of
from reelflow.workers.stderr import silenced_stderr

CLIPS_A_WORKER = 2  # fewer are not worth the start of a process


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
        yield from (outcome_of(classifier, clip) for clip in clips)
        return
    from reelflow.edge.commands.processes import classify_in_processes

    yield from classify_in_processes(bundle, clips, workers)
