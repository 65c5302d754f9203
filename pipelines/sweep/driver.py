"""Runs a search: nested cross-validation, resumable, tracked in MLflow."""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

from rich.console import Console

from pipelines.local.checks import check_source
from pipelines.local.recording import open_tracking
from pipelines.local.replay import REPLAY, replay_before_a_run
from pipelines.local.results import RunState
from pipelines.local.run_folder import LOCK, WORK, alone_in
from pipelines.local.view import open_view
from pipelines.sweep.folds import Nest, write_nests
from pipelines.sweep.page import write_results
from pipelines.sweep.recorder import SearchRecorder
from pipelines.sweep.results import Study, to_report
from pipelines.sweep.trainings import Prepared, Trainer, in_folder, prepare
from pipelines.sweep.view import Meter
from pipelines.trials.record import KEY
from pipelines.trials.report import RESULTS, SweepReport
from pipelines.trials.search import DATABASE, Attempt, Search, attempts, best, open_study, study_name
from pipelines.trials.space import Space
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
from reelflow.tracking.spool.owed import TrackingSpool


def run_sweep(params: Params, space: Space, out: Path, console: Console, settings: Settings) -> SweepReport:
    """Search in `out`, or resume a killed attempt.

    Every outer fold has a study of its own, which sees no clip that the fold tests. Behind several
    outer folds a last study chooses on all clips what to use; the one study of a hold-out chooses
    this itself.

    Raises:
        ParamsError: the params allow no honest search, or every trial of a study failed.
        TrackingError: MLflow has not got everything; the results are whole.
        ReelflowError: whatever a step raises.
    """
    out = out.absolute()
    _check(params, space, out)
    _check_place(out)
    settings = settings.model_copy(update={"run_name": ""})
    replay_before_a_run(settings, console)
    with alone_in(out, console):
        reached = open_tracking(settings, console)
        (out / WORK).mkdir(exist_ok=True)
        in_work = in_folder(settings, out / WORK)
        with open_view(_preparing(params), console) as view, watched_by(view.show):
            prepared = prepare(params, space.view_lists(), out / WORK, in_work)
        trainer = Trainer(params, prepared, out / WORK, in_work)
        return _run_studies(trainer, space, out, console, settings, reached)


def _run_studies(
    trainer: Trainer, space: Space, out: Path, console: Console, settings: Settings, reached: bool
) -> SweepReport:
    """Search on prepared clips, and record that."""
    params, dataset = trainer.params, trainer.prepared.dataset
    nests = write_nests(dataset, params.evaluation.protocol, space.inner, out / WORK / "folds")
    console.print(_plan(space, nests), highlight=False)
    key = _key(params, space, trainer.prepared)
    state = RunState.of(out / WORK, key, "sweep")
    _check_owed(TrackingSpool(settings.spool), out, state.name)
    state.save(out / WORK)
    settings = settings.model_copy(update={"run_name": state.name})
    reached = reached and open_tracking(settings, console)
    with open_view([nest.name for nest in nests], console) as view:
        meter = Meter(view)
        named = _identity(params, space, key)
        recorder = SearchRecorder(settings, named, out, meter.note, reached=reached)
        driver = _Driver(space, trainer, recorder, meter, key)
        studies = [driver.study(nest, out / DATABASE) for nest in nests]
    report = to_report(studies, space, params)
    write_results(report, studies, params, out)
    if problem := recorder.finish():
        told = f"results are in {out}; when MLflow answers, run {REPLAY}, or the same command"
        console.print(told, markup=False, highlight=False, soft_wrap=True)
        raise problem
    return report


@dataclass(frozen=True)
class _Driver:
    space: Space
    trainer: Trainer
    recorder: SearchRecorder
    meter: Meter
    key: str

    def study(self, nest: Nest, database: Path) -> Study:
        """Search on the clips of a nest, then train and test the choice."""
        folds, total = len(nest.inner), self.space.trials * len(nest.inner)
        search = Search(
            name=nest.name,
            folds=folds,
            space=self.space,
            backbones=self.trainer.params.features.backbones,
            judge=lambda candidate, place: self.trainer.judge(candidate, nest.inner[place]),
        )

        def told(attempt: Attempt) -> None:
            self.recorder.trial(nest.name, attempt)
            if attempt.error:
                self.meter.note(f"trial {attempt.number} failed: {attempt.error}")
            self.meter.tell(attempt.number * folds, total)

        with open_study(database, study_name(self.key, nest.name), self.space.startup) as study:
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


def _check_owed(spool: TrackingSpool, out: Path, name: str) -> None:
    """Keep the only copy of a result that MLflow has not got."""
    for owed in spool.all():
        if owed.search and owed.search.out == out and owed.run != name:
            raise StorageError(
                f"{out} holds the search {owed.run}, which MLflow has not got: run {REPLAY} first, or choose "
                f"another output folder (--out), or remove {spool.document_of(owed)}"
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
    return {f"sweep.{name}": value for name, value in named.items()} | {KEY: key}
