"""Processes that move a champion at once, and that are killed on the way."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import ForkServerContext
from typing import Any

from reelflow.errors import ReelflowError, TrackingError
from reelflow.settings import Settings
from reelflow.tracking.promotion.moves import Grounds, Promotions
from reelflow.tracking.registry import MlflowRegistry

WRITES = ("add", "set_head", "set_alias")
MODEL = "raced"


def processes() -> ForkServerContext:
    """Processes that have imported MLflow already, and have no connection of another one."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.promoting", "mlflow", "mlflow.store.tracking.sqlalchemy_store"])
    return context


def promote(uri: str, version: int, judged_all: Callable[[], object] = lambda: None) -> str:
    """Promote a version as a command does; returns `moved`, or the error.

    Args:
        uri: of MLflow.
        version: of the model.
        judged_all: called between the judgement and the move.
    """
    promotions = Promotions(MlflowRegistry(Settings(tracking_uri=uri)), MODEL, f"test of {version}")
    try:
        judged = promotions.settled()
        judged_all()
        promotions.move(version, "promote", Grounds(), judged)
    except ReelflowError as error:
        return type(error).__name__ + (f": {error}" if type(error) is TrackingError else "")
    return "moved"


def promote_together(uri: str, version: int, start: Any, answers: Any, *, contested: bool) -> None:
    """Wait for the others, promote, and answer; `contested`: wait when all have judged."""
    if contested:
        answers.put((version, promote(uri, version, start.wait)))
    else:
        start.wait()
        answers.put((version, promote(uri, version)))


def die_at_write(uri: str, version: int, point: int) -> None:
    """Promote, and be killed right before the write of this number, counted from 0."""
    left = iter(range(point))

    def dying(write: Callable[..., Any]) -> Callable[..., Any]:
        def written(*given: Any, **named: Any) -> Any:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return write(*given, **named)

        return written

    registry = MlflowRegistry(Settings(tracking_uri=uri))
    journals = registry.journals
    for write in WRITES:
        owner = registry if hasattr(registry, write) else journals
        setattr(owner, write, dying(getattr(owner, write)))
    type(registry).journals = journals  # type: ignore[misc,assignment]
    promotions = Promotions(registry, MODEL, f"killed at write {point}")
    promotions.move(version, "promote", Grounds(), promotions.settled())


def race(uri: str, versions: Sequence[int], *, contested: bool) -> Mapping[int, str]:
    """Promote versions at the same time, each in a process of its own.

    Args:
        uri: of MLflow.
        versions: of the model.
        contested: all have judged by the same journal before the first moves.
    """
    context = processes()
    start, answers = context.Barrier(len(versions)), context.Queue()
    running = [
        context.Process(
            target=promote_together, args=(uri, version, start, answers), kwargs={"contested": contested}
        )
        for version in versions
    ]
    for process in running:
        process.start()
    found = dict(answers.get(timeout=120) for _ in running)
    for process in running:
        process.join()
    return found
