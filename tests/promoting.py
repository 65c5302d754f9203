"""Processes that move a champion at once, and that are killed on the way."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import ForkServerContext
from typing import Any

from reelflow.errors import ReelflowError, TrackingError
from reelflow.settings import Settings
from reelflow.tracking.client import connect
from reelflow.tracking.journal.chain import Journal
from reelflow.tracking.promotion.moves import Grounds, Promotions
from reelflow.tracking.registry import MlflowRegistry

WRITES = ("add", "set_head", "set_alias")
MODEL = "raced"
VERSIONS = 4


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


def register_versions(uri: str) -> None:
    """Register versions 1 to 4 of a model without files, and make none of them champion."""
    client, experiment = connect(Settings(tracking_uri=uri))
    client.create_registered_model(MODEL)
    for number in range(1, VERSIONS + 1):
        run = client.create_run(experiment).info
        tags = {"data_hash": f"data {number}"}
        client.create_model_version(MODEL, run.artifact_uri, run_id=run.run_id, tags=tags)


def state(uri: str) -> tuple[Journal, int | None, int | None]:
    """The journal and the aliases, without mending anything."""
    registry = MlflowRegistry(Settings(tracking_uri=uri))
    aliases = (registry.alias(MODEL, alias) for alias in ("champion", "previous"))
    return (Promotions(registry, MODEL, "test").read(), *aliases)


def check_whole(uri: str, answers: Mapping[int, str], before: int = 0) -> list[int]:
    """Every move is one entry, and the aliases are those of the last; returns what was moved.

    Args:
        uri: of MLflow.
        answers: of `race`.
        before: entries from before it.
    """
    assert set(answers.values()) <= {"moved", "ChampionMovedError"}
    moved = [version for version, answer in answers.items() if answer == "moved"]
    journal, champion, previous = state(uri)
    assert journal.problems == ()
    assert sorted(entry.champion for entry in journal.entries[before:]) == sorted(moved), answers
    assert (champion, previous) == (journal.last.champion, journal.last.previous)
    chain = [None, *(entry.champion for entry in journal.entries)]
    assert [entry.champion_before for entry in journal.entries] == chain[:-1]
    return moved
