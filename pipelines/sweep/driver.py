"""Runs a search: nested cross-validation, resumable, tracked in MLflow."""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

from rich.console import Console

from pipelines.local.results import RunState
from pipelines.local.run_folder import LOCK, alone_in
from pipelines.local.source import check_source
from pipelines.local.view import open_view
from pipelines.sweep.folds import Nest, write_nests
from pipelines.sweep.page import BEST, PAGE, PICTURE, write_results
from pipelines.sweep.record import Record
from pipelines.sweep.results import FILE, Study, SweepReport, to_report
from pipelines.sweep.search import Attempt, Search, attempts, best, open_study
from pipelines.sweep.space import Space
from pipelines.sweep.trainings import Prepared, Trainer, in_folder, prepare
from pipelines.sweep.view import Meter
from reelflow.backbones.registry import check_backbones
from reelflow.errors import ParamsError, StorageError
from reelflow.files import exists, sha256_text
from reelflow.nets.candidates import check_pair
from reelflow.params import Params
from reelflow.progress import watched_by
from reelflow.provenance.code import code_hash
from reelflow.provenance.libraries import library_versions
from reelflow.provenance.step import identity
from reelflow.settings import Settings

DATABASE, WORK = "sweep.db", "work"
RESULTS = (FILE, PAGE, PICTURE, BEST)


def run_sweep(params: Params, space: Space, out: Path, console: Console, settings: Settings) -> SweepReport:
    """Search in `out`, or resume a killed attempt.

    Every outer fold has a study of its own, which sees no clip that the fold tests. Behind several
    outer folds a last study chooses on all clips what to use; the one study of a hold-out chooses
    this itself.

    Raises:
        ParamsError: the params allow no honest search, or every trial of a study failed.
        ReelflowError: whatever a step raises.
    """
    out = out.absolute()
    _check(params, space, out)
    _check_place(out)
    in_work = in_folder(settings, out / WORK)
    with alone_in(out, console):
        (out / WORK).mkdir(exist_ok=True)
        with open_view(_preparing(params), console) as view, watched_by(view.show):
            prepared = prepare(params, space.view_lists(), out / WORK, in_work)
        folders = out / WORK / "folds"
        nests = write_nests(prepared.dataset, params.evaluation.protocol, space.inner, folders)
        console.print(_plan(space, nests), highlight=False)
        key = _key(params, space, prepared)
        state = RunState.of(out / WORK, key, "sweep")
        state.save(out / WORK)
        record = Record(settings, state.name, _identity(params, space, key))
        with open_view([nest.name for nest in nests], console) as view:
            trainer = Trainer(params, prepared, out / WORK, in_work)
            driver = _Driver(space, params, trainer, record, Meter(view), key)
            studies = [driver.study(nest, out / DATABASE) for nest in nests]
        report = to_report(studies, space, params)
        write_results(report, studies, params, out)
        record.finish(report, studies, [out / name for name in RESULTS])
        return report


@dataclass(frozen=True)
class _Driver:
    space: Space
    params: Params
    trainer: Trainer
    record: Record
    meter: Meter
    key: str

    def study(self, nest: Nest, database: Path) -> Study:
        """Search on the clips of a nest, then train and test the choice."""
        folds, total = len(nest.inner), self.space.trials * len(nest.inner)
        search = Search(
            name=nest.name,
            folds=folds,
            space=self.space,
            backbones=self.params.features.backbones,
            judge=lambda candidate, place: self.trainer.judge(candidate, nest.inner[place]),
        )

        def told(attempt: Attempt) -> None:
            self.record.trial(nest.name, attempt)
            if attempt.error:
                self.meter.note(f"trial {attempt.number} failed: {attempt.error}")
            self.meter.tell(attempt.number * folds, total)

        with open_study(database, f"{self.key[:16]} {nest.name}", self.space.startup) as study:
            self.meter.start(nest.name, len(attempts(study)) * folds, total)
            found = search.run(study, told)
        tested = self.trainer.test(best(found).candidate, nest.outer) if nest.outer else None
        self.meter.finish()
        return Study(nest, found, tested)


def _check(params: Params, space: Space, out: Path) -> None:
    """Check early what a late step would refuse, and what would leak test clips.

    Raises:
        ParamsError: the source does not exist, or a value cannot be used in a search.
    """
    check_backbones(params.features.backbones, params.features.networks)
    for family, backbone in product(space.families.values(), params.features.backbones):
        for head in family.heads:
            check_pair(backbone, head)
    check_source(params.dataset.source, out)
    if params.features.finetune.blocks:
        raise ParamsError(
            f"features.finetune.blocks is {params.features.finetune.blocks}: a fine-tuned backbone has seen "
            "clips that folds of the search test; set it to 0"
        )
    if params.training.teacher:
        raise ParamsError(
            "training.teacher is set: a teacher has seen clips that folds of the search test; set it to []"
        )


def _check_place(out: Path) -> None:
    """Refuse a folder with files of the user."""
    taken = [name for name in (*RESULTS, DATABASE, WORK) if exists(out / name)]
    if taken and not exists(out / LOCK):
        raise StorageError(
            f"{out / taken[0]} is not of a search and is left unchanged: choose another output folder (--out)"
        )


def _preparing(params: Params) -> list[str]:
    return ["dataset", "frames", *(f"features {backbone}" for backbone in params.features.backbones)]


def _plan(space: Space, nests: tuple[Nest, ...]) -> str:
    trainings = sum(space.trials * len(nest.inner) + bool(nest.outer) for nest in nests)
    return (
        f"{len(nests)} studies of {space.trials} trials, each judged by {space.inner}: "
        f"{trainings} trainings at most"
    )


def _key(params: Params, space: Space, prepared: Prepared) -> str:
    """Key of a search: studies resume only with the same values, space, clips and code."""
    parts = [
        params.training.model_dump_json(),
        params.evaluation.protocol,
        space.model_dump_json(exclude={"trials"}),
        identity(prepared.dataset),
        *(f"{backbone} {views} {identity(path)}" for (backbone, views), path in prepared.features.items()),
        code_hash("training"),
        str(sorted(library_versions().items())),
    ]
    return sha256_text("\n".join(parts))


def _identity(params: Params, space: Space, key: str) -> dict[str, str]:
    named = {"protocol": params.evaluation.protocol, "inner": space.inner, "seed": str(space.seed)}
    return {f"sweep.{name}": value for name, value in (named | {"key": key}).items()}
