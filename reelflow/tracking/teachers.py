"""Finds teachers: training folders, `.keras` files in them, and MLflow models."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reelflow.contracts import TrainingReport
from reelflow.errors import BundleError, ParamsError
from reelflow.files import exists, sha256_file
from reelflow.settings import Settings
from reelflow.tracking.client import connect, tracking_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "model.keras"
WHERE = "model"  # the artifact folder that trainings are recorded in, with their report
RUNS, MODELS = "runs:/", "models:/"


@contextmanager
def gathered(teachers: Sequence[str], settings: Settings) -> Iterator[dict[str, Path]]:
    """Copy the teachers into one temporary folder, an input of the training step.

    Each has a folder with its model and its report: the identity of the input is the content of the
    teachers, wherever they come from.

    Args:
        teachers: training folders, `.keras` files in them, `runs:/RUN/model/model.keras`, or
            `models:/NAME@ALIAS` and `models:/NAME/VERSION`, which refer to the run they came from.
        settings: of MLflow.

    Yields:
        `{"teachers": folder}`, or an empty dict without teachers.

    Raises:
        ParamsError: a teacher does not exist.
        BundleError: a teacher has no report, so its training clips are unknown.
        TrackingError: MLflow refuses, or is not reachable.
    """
    if not teachers:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="reelflow-teachers-") as name:
        folder = Path(name)
        for number, teacher in enumerate(teachers, start=1):
            own = folder / f"teacher {number}"
            own.mkdir()
            if teacher.startswith((RUNS, MODELS)):
                _download(teacher, own, settings)
            else:
                _link(Path(teacher), own)
        yield {"teachers": folder}


def teacher_version(teacher: str, settings: Settings) -> str:
    """What a teacher is now: an alias may have moved, and files may have changed.

    Raises:
        ParamsError: it does not exist.
        BundleError: it has no report or no model.
        TrackingError: MLflow refuses, or is not reachable.
    """
    if teacher.startswith((RUNS, MODELS)):
        client, _ = connect(settings)
        with tracking_errors(settings.tracking_uri):
            return f"{RUNS}{_run_id(teacher, client)}"
    source = _check_file(Path(teacher))
    model = Path(teacher) if teacher.endswith(".keras") else source / MODEL
    return f"{sha256_file(source / TrainingReport.file_name)} {sha256_file(model)}"


def check_teachers(teachers: Sequence[str]) -> None:
    """Check that teachers in files exist; MLflow is not queried.

    Raises:
        ParamsError: a teacher does not exist.
        BundleError: a teacher has no report or no model.
    """
    for teacher in teachers:
        if not teacher.startswith((RUNS, MODELS)):
            _check_file(Path(teacher))


def _check_file(teacher: Path) -> Path:
    """The folder of a teacher that is a file or folder."""
    if not exists(teacher):
        raise ParamsError(
            f"training.teacher: found no {teacher}; expected a training folder, a .keras file in one, "
            f"{RUNS}RUN/{WHERE}/{MODEL}, or {MODELS}NAME@ALIAS"
        )
    source = teacher.parent if teacher.suffix == ".keras" else teacher
    _check_reported(str(teacher), source)
    return source


def _link(teacher: Path, folder: Path) -> None:
    source = _check_file(teacher)
    model = teacher if teacher.suffix == ".keras" else source / MODEL
    (folder / MODEL).symlink_to(model.resolve())
    (folder / TrainingReport.file_name).symlink_to((source / TrainingReport.file_name).resolve())


def _download(teacher: str, folder: Path, settings: Settings) -> None:
    """Fetch model and report of the run of a URI."""
    client, _ = connect(settings)
    with tracking_errors(settings.tracking_uri):
        run_id = _run_id(teacher, client)
        names = {Path(found.path).name for found in client.list_artifacts(run_id, WHERE)}
        for name in names & {MODEL, TrainingReport.file_name}:
            with tempfile.TemporaryDirectory() as scratch:
                Path(client.download_artifacts(run_id, f"{WHERE}/{name}", scratch)).replace(folder / name)
    _check_reported(teacher, folder)


def _run_id(teacher: str, client: "MlflowClient") -> str:
    if teacher.startswith(RUNS):
        return teacher.removeprefix(RUNS).split("/")[0]
    name, at, alias = teacher.removeprefix(MODELS).partition("@")
    if at:
        return str(client.get_model_version_by_alias(name, alias).run_id)
    name, _, version = name.partition("/")
    return str(client.get_model_version(name, version).run_id)


def _check_reported(teacher: str, folder: Path) -> None:
    missing = [name for name in (MODEL, TrainingReport.file_name) if not (folder / name).is_file()]
    if missing:
        raise BundleError(
            f"the teacher {teacher} has no {' and '.join(missing)}: its training clips "
            "are unknown; use a complete training folder, or a run that reelflow recorded"
        )
