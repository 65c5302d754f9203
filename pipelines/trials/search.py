"""One study: Optuna proposes trials, inner folds score them, median pruning stops them.

What a trial proposes depends on the seed and on the trials finished before it alone. A search that
was killed therefore proposes the same trial again, and takes over the folds that were judged.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import quote

from pipelines.trials.candidate import SweepCandidate, first_of, suggest
from pipelines.trials.space import Space
from reelflow.errors import BundleError, ParamsError, StorageError
from reelflow.files import sha256_text
from reelflow.tracking.facts.spans import MS

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

State = Literal["COMPLETE", "PRUNED", "FAIL"]
CANDIDATE, FOLDS, ERROR = "candidate", "folds", "error"
DATABASE = "sweep.db"


class FoldScore(NamedTuple):
    """Result of an inner fold: number of clips, of correct ones, and the sum of log losses."""

    right: int
    clips: int
    loss: float


@dataclass(frozen=True)
class Attempt:
    """A finished trial.

    Attributes:
        number: its number among the finished ones, from 1.
        candidate: what was tried.
        scores: of the inner folds that were trained.
        state: COMPLETE, PRUNED or FAIL.
        error: why it failed; empty otherwise.
        started_ms: when it started, in milliseconds since 1970.
        ended_ms: when it ended; None while its study does not know that it has.
    """

    number: int
    candidate: SweepCandidate
    scores: tuple[FoldScore, ...]
    state: State
    error: str = ""
    started_ms: int | None = field(default=None, compare=False)
    ended_ms: int | None = field(default=None, compare=False)

    @property
    def accuracy(self) -> float:
        """Over the clips of all trained folds; 0 without any."""
        return sum(score.right for score in self.scores) / max(1, sum(score.clips for score in self.scores))

    @property
    def log_loss(self) -> float:
        """Mean over the same clips."""
        return sum(score.loss for score in self.scores) / max(1, sum(score.clips for score in self.scores))


Judge = Callable[[SweepCandidate, int], FoldScore]


@dataclass(frozen=True)
class Search:
    """Settings of a study.

    Attributes:
        name: of the study.
        folds: inner folds.
        space: to choose from.
        backbones: to choose from.
        judge: trains a candidate on the inner fold with this index.
    """

    name: str
    folds: int
    space: Space
    backbones: tuple[str, ...]
    judge: Judge

    def run(self, study: "Study", told: Callable[[Attempt], None]) -> tuple[Attempt, ...]:
        """Run until the number of trials of the space is finished.

        Args:
            study: as `open_study` opens it.
            told: is called with every finished trial, before the study is.

        Raises:
            ParamsError: every trial failed.
            ReelflowError: an error that is unrelated to the values of a trial.
        """
        from optuna.trial import TrialState

        for trial in study.get_trials(states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)
        while len(found := attempts(study)) < self.space.trials:
            self._try(study, len(found) + 1, told)
        if all(attempt.state == "FAIL" for attempt in found):
            raise ParamsError(f"{self.name}: all {len(found)} trials failed; the last one: {found[-1].error}")
        return found

    def _try(self, study: "Study", number: int, told: Callable[[Attempt], None]) -> None:
        from optuna.samplers import TPESampler
        from optuna.trial import TrialState

        seed = int(sha256_text(f"{self.space.seed} {self.name} {number}")[:8], 16)
        study.sampler = TPESampler(seed=seed, n_startup_trials=self.space.startup)
        fixed = first_of(self.space, number)
        if fixed and not study.get_trials(states=(TrialState.WAITING,)):
            study.enqueue_trial(fixed)
        trial = study.ask()
        candidate = suggest(trial, self.space, self.backbones)
        trial.set_user_attr(CANDIDATE, candidate.model_dump(mode="json"))
        started_ms = _ms(trial.datetime_start)
        attempt = replace(self._judged(study, trial, number, candidate), started_ms=started_ms)
        told(attempt)
        if attempt.state == "COMPLETE":
            study.tell(trial, attempt.accuracy)
        else:
            study.tell(trial, state=TrialState[attempt.state])

    def _judged(self, study: "Study", trial: "Trial", number: int, candidate: SweepCandidate) -> Attempt:
        known, scores = _known(study, candidate), list[FoldScore]()
        for place in range(self.folds):
            try:
                scores.append(known[place] if place < len(known) else self.judge(candidate, place))
            except ParamsError as error:
                trial.set_user_attr(ERROR, str(error))
                return Attempt(number, candidate, tuple(scores), "FAIL", str(error))
            trial.set_user_attr(FOLDS, scores)
            trial.report(Attempt(number, candidate, tuple(scores), "PRUNED").accuracy, place)
            if place + 1 < self.folds and trial.should_prune():
                return Attempt(number, candidate, tuple(scores), "PRUNED")
        return Attempt(number, candidate, tuple(scores), "COMPLETE")


@contextmanager
def open_study(file: Path, name: str, startup: int) -> Iterator["Study"]:
    """The study with this name in a SQLite file, new or resumed.

    Raises:
        StorageError: the file is not a database, or cannot be written.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with _database_errors(file), _storage(file) as storage:
        yield optuna.create_study(
            study_name=name,
            storage=storage,
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=startup),
        )


def study_name(key: str, name: str) -> str:
    """The name in the database of a study of the search with this key."""
    return f"{key[:16]} {name}"


def read_attempts(file: Path, name: str) -> tuple[Attempt, ...]:
    """The finished trials of the study with this name.

    Raises:
        BundleError: there is no such file, or no such study in it.
        StorageError: the file is not a database.
    """
    from optuna import load_study

    if not file.is_file():
        raise BundleError(f"there is no {file}")
    with _database_errors(file), _storage(file) as storage:
        try:
            return attempts(load_study(study_name=name, storage=storage))
        except KeyError:
            raise BundleError(f"{file} has no study {name!r}") from None


@contextmanager
def _storage(file: Path) -> "Iterator[RDBStorage]":
    import optuna

    storage = optuna.storages.RDBStorage(f"sqlite:///{quote(str(file))}")
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


@contextmanager
def _database_errors(file: Path) -> Iterator[None]:
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise StorageError(
            f"{file} cannot be used as the database of this search ({reason}): "
            "free some space, or move the file away to start again"
        ) from error


def attempts(study: "Study") -> tuple[Attempt, ...]:
    """The finished trials without killed ones, which failed without an error."""
    over = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    kept = [trial for trial in over if trial.state.name != "FAIL" or ERROR in trial.user_attrs]
    return tuple(_attempt(number, trial) for number, trial in enumerate(kept, start=1))


def best(found: Sequence[Attempt]) -> Attempt:
    """The complete trial with the highest accuracy, then the lowest log loss, then the first."""
    whole = [attempt for attempt in found if attempt.state == "COMPLETE"]
    return max(whole, key=lambda attempt: (attempt.accuracy, -attempt.log_loss, -attempt.number))


def _attempt(number: int, trial: "FrozenTrial") -> Attempt:
    state: Any = trial.state.name
    candidate = SweepCandidate.model_validate(trial.user_attrs[CANDIDATE])
    times = {"started_ms": _ms(trial.datetime_start), "ended_ms": _ms(trial.datetime_complete)}
    return Attempt(number, candidate, _scores(trial), state, trial.user_attrs.get(ERROR, ""), **times)


def _ms(time: datetime | None) -> int | None:
    return int(time.timestamp() * MS) if time else None


def _scores(trial: "FrozenTrial") -> tuple[FoldScore, ...]:
    return tuple(FoldScore(*score) for score in trial.user_attrs.get(FOLDS, ()))


def _known(study: "Study", candidate: SweepCandidate) -> tuple[FoldScore, ...]:
    """Folds on which the same values were already scored, in a killed or an equal trial."""
    wanted = candidate.model_dump(mode="json")
    same = [trial for trial in study.get_trials(deepcopy=False) if trial.user_attrs.get(CANDIDATE) == wanted]
    return max(map(_scores, same), key=len, default=())
