"""Records finished steps in MLflow, from their output folders."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from reelflow import __version__
from reelflow.artifacts.evaluations import TRAINING
from reelflow.contracts import (
    BaselinesReport,
    BundleReport,
    DatasetReport,
    EvaluationReport,
    FeaturesReport,
    FramesReport,
    ReleaseReport,
    Summary,
    TrainingReport,
)
from reelflow.documents import Report
from reelflow.errors import ReelflowError
from reelflow.nets.candidates import name_of
from reelflow.provenance.step import PROVENANCE, Provenance
from reelflow.settings import Settings
from reelflow.tracking.facts.datasets import dataset_inputs
from reelflow.tracking.facts.folds import fold_runs
from reelflow.tracking.facts.notes import LINEAGE, MODEL_NOTE, REPORT, classifier_note, release_note
from reelflow.tracking.facts.origin import origin_tags
from reelflow.tracking.facts.spans import Span
from reelflow.tracking.facts.tables import TABLES_TAG, evaluation_tables, tables_tag
from reelflow.tracking.runs.values import flatten
from reelflow.tracking.tracker import Tracker

REPORTS: Mapping[str, type[Report]] = {
    "dataset": DatasetReport,
    "frames": FramesReport,
    "baselines": BaselinesReport,
    "features": FeaturesReport,
    "training": TrainingReport,
    "evaluation": EvaluationReport,
    "conversion": BundleReport,
    "release": ReleaseReport,
}
HEADLINE_STEPS = ("evaluation", "release")  # their metrics have no prefix: they are the metrics of the run
RECORDED_TAG = "reelflow.recorded."
REUSED_TAG = "reelflow.reused."
"""Name and id of the run that computed a result, in runs that found it finished."""
CHOSEN_TAG = "reelflow.chosen"
EVALUATION = "evaluation"
"""Artifact folder of what a classifier answered on each test clip."""
NOTE_TAG = "mlflow.note.content"
MACHINE_TAG = "reelflow.machine"
FAILURE_TAG = "reelflow.failure"
OUTCOME_TAG = "reelflow.outcome"
DONE = "done"
PART = "part"  # option of a step that does a part of the work
MAX_TAG_CHARS = 5000


def prepare(settings: Settings) -> None:
    """Create and migrate the database, start the parent run if it has a name, and try to write to it.

    Raises:
        TrackingError: MLflow refuses, or is not reachable.
    """
    tracker = Tracker(settings)
    if settings.run_name:
        tracker.check_writable(tracker.parent(settings.run_name))


def finish_run(settings: Settings, status: str, ended_ms: int | None = None) -> None:
    """End the parent run and its children: FINISHED, FAILED or KILLED; then, or now.

    Raises:
        TrackingError: MLflow refuses, or is not reachable.
    """
    tracker = Tracker(settings)
    tracker.finish(tracker.parent(settings.run_name), status, ended_ms)


def record_failure(settings: Settings, task: str, message: str) -> None:
    """Tag a named run with its failure; errors of MLflow are ignored, the failure is reported anyway."""
    if settings.run_name:
        with suppress(ReelflowError):
            tag_failure(settings, task, message)


def tag_failure(settings: Settings, task: str, message: str) -> None:
    """Tag a named run with its failure.

    Raises:
        TrackingError: MLflow refuses, or is not reachable.
    """
    tracker = Tracker(settings)
    reason = f"{task}: {message}"[:MAX_TAG_CHARS]
    tracker.log(tracker.parent(settings.run_name), tags={FAILURE_TAG: reason})


def forget_failure(settings: Settings, task: str = "") -> None:
    """Remove the failure of a named run if this task, or any without a name, has succeeded since.

    Raises:
        TrackingError: MLflow refuses, or is not reachable.
    """
    if not settings.run_name:
        return
    tracker = Tracker(settings)
    run_id = tracker.parent(settings.run_name)
    reason = tracker.tags(run_id).get(FAILURE_TAG)
    if reason is not None and reason.startswith(f"{task}: " if task else ""):
        tracker.untag(run_id, FAILURE_TAG)


def record_folder(settings: Settings, folder: Path, span: Span | None = None) -> None:
    """Record a finished step, unless it is already recorded.

    Args:
        settings: with the run's name.
        folder: of the step.
        span: of its work, if it was done in this run: runs in MLflow have the times of the work.

    Raises:
        TrackingError: MLflow refuses, or is not reachable.
        BundleError: the folder is not the output of a finished step.
    """
    provenance = Provenance.read(folder / PROVENANCE)
    step = provenance.step
    report = REPORTS[step].open(folder)
    classifier = classifier_of(report)
    what = f"{step}.{report.backbone.name}" if isinstance(report, FeaturesReport) else step
    params = flatten(provenance.params, step) | {f"{what}.key": provenance.key}
    if what == step:  # the option of features is their name
        params |= flatten(provenance.options, step)

    tracker = Tracker(settings)
    started_ms = span.started_ms if span else None
    run_id = parent = tracker.parent(run_name(settings, report), {} if classifier else params, started_ms)
    if classifier:
        run_id = tracker.child(parent, classifier, params, started_ms)
    if tracker.tags(run_id).get(RECORDED_TAG + what) == provenance.key:
        return
    recorded = {RECORDED_TAG + what: provenance.key}
    first = tracker.first(recorded)
    if first and first[0] != parent:
        recorded[REUSED_TAG + what] = f"{first[1]} {first[0]}"
    prefix = "" if step in HEADLINE_STEPS else f"{what}."
    tracker.log(
        run_id,
        params=params,
        metrics={f"{prefix}{name}": value for name, value in report.metrics.items()},
        curves={f"{what}.curve.{name}": values for name, values in report.curves.items()},
        tags=_tags(report, settings),
        artifacts=_artifacts(step, what, folder),
    )
    if isinstance(report, DatasetReport):
        tracker.log_inputs(parent, dataset_inputs(report, folder))
    if classifier:
        tracker.inherit_inputs(run_id, parent)
    if span and step == "training":
        tracker.log(run_id, tags={MACHINE_TAG: span.machine})
        tracker.set_end(run_id, span.ended_ms)
    if isinstance(report, EvaluationReport):
        _finish_classifier(tracker, run_id, report, folder)
    if isinstance(report, ReleaseReport):
        _finish_release(tracker, parent, report, folder, span)
    tracker.log(run_id, tags=recorded)  # the last: what is recorded is not looked at again


def _finish_classifier(tracker: Tracker, run_id: str, report: EvaluationReport, evaluation: Path) -> None:
    """Tables, folds and description of a classifier that is evaluated, and the end of its run."""
    trained = evaluation / TRAINING / PROVENANCE
    made = Provenance.read(trained if trained.is_file() else evaluation / PROVENANCE)
    tables = evaluation_tables(report, evaluation)
    note = classifier_note(report, made, tracker.tags(run_id).get(MACHINE_TAG, ""))
    tracker.log_texts(run_id, tables)
    tracker.log(run_id, tags={TABLES_TAG: tables_tag(list(tables)), NOTE_TAG: note})
    tracker.log_folds(run_id, fold_runs(report, evaluation))
    tracker.finish(run_id)


def _finish_release(
    tracker: Tracker, parent: str, report: ReleaseReport, release: Path, span: Span | None
) -> None:
    """The description of a run and of its version, and the end of the run."""
    links = {"report": tracker.link(parent, REPORT)}
    if chosen := tracker.find_child(parent, report.name):
        links["lineage"] = tracker.link(chosen, LINEAGE)
    note = release_note(report, Summary.read(release / "summary.json"), links)
    tracker.log(parent, tags={CHOSEN_TAG: report.name, NOTE_TAG: note, OUTCOME_TAG: DONE})
    if report.version:
        tracker.describe_version(report.model_name, report.version, note, MODEL_NOTE)
    tracker.finish(parent, ended_ms=span.ended_ms if span else None)


def record_inputs(settings: Settings, folders: Iterable[Path]) -> None:
    """Record the steps whose outputs a task reads: a cache may have answered in their place.

    An evaluation holds what it stands on: its training and its features.

    Raises:
        TrackingError: MLflow refuses, or is not reachable.
    """
    for folder in folders:
        for found in (
            *folder.glob(f"*/*/{PROVENANCE}"),
            *folder.glob(f"*/{PROVENANCE}"),
            folder / PROVENANCE,
        ):
            if found.is_file():
                record_folder(settings, found.parent)


def is_part(folder: Path) -> bool:
    """Whether a step did a part of the work here: the task that joins the parts is recorded."""
    path = folder / PROVENANCE
    return path.is_file() and bool(Provenance.read(path).options.get(PART))


def run_name(settings: Settings, report: Report) -> str:
    """The name of the parent run: given by the pipeline, else derived from the data hash."""
    return settings.run_name or f"data-{getattr(report, 'data_hash', '')[:8]}"


def classifier_of(report: Report) -> str:
    """The name of the child run that a report belongs to; empty for the parent."""
    if isinstance(report, TrainingReport):
        return name_of(report.backbone.name, report.head)
    if isinstance(report, EvaluationReport | BundleReport):
        return report.name
    return ""


def _artifacts(step: str, what: str, folder: Path) -> dict[Path, str]:
    """Artifacts to log, with their artifact folder."""
    if step == "conversion":
        return {folder: "bundle"}
    artifacts = dict.fromkeys(sorted(folder.glob("*.png")), f"figures/{what}")
    kept = {
        "training": {"model.keras": "model", "training.json": "model"},  # a teacher needs both
        "release": {"report.html": "report", "summary.json": "report"},
        "evaluation": dict.fromkeys(("evaluation.json", "scores.npy", "per_class.csv"), EVALUATION),
    }
    artifacts |= {folder / name: where for name, where in kept.get(step, {}).items()}
    return {path: where for path, where in artifacts.items() if path.exists()}


def _tags(report: Report, settings: Settings) -> dict[str, str]:
    tags = {"reelflow.version": __version__, "reelflow.data_hash": getattr(report, "data_hash", "")}
    if isinstance(report, DatasetReport):
        tags |= {f"reelflow.data_{name}": getattr(report, name) for name in ("source", "revision", "version")}
    return tags | origin_tags(on_cluster=bool(settings.task), revision=settings.revision)
