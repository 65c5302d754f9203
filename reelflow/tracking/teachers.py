"""Teachers from wherever they are: training folders, `.keras` files in them, and MLflow."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reelflow.contracts import TrainingReport
from reelflow.errors import BundleError, ParamsError
from reelflow.files import exists
from reelflow.settings import Settings
from reelflow.tracking.client import connect, tracking_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "model.keras"
WHERE = "model"  # the artifact folder that trainings are recorded in, with their report
RUNS, MODELS = "runs:/", "models:/"


@contextmanager
def gathered(teachers: Sequence[str], settings: Settings) -> Iterator[dict[str, Path]]:
    """Put the teachers into one folder, as an input of the training step that exists for the block.

    Each gets a folder of its own with its model and its report, so that the input's identity is the
    teachers' content, wherever they were.

    Args:
        teachers: training folders, `.keras` files in them, `runs:/RUN/model/model.keras`, or
            `models:/NAME@ALIAS` and `models:/NAME/VERSION`, which stand for the run they came from.
        settings: where MLflow is.

    Yields:
        `{"teachers": folder}`, or nothing where there are none.

    Raises:
        ParamsError: there is nothing of this name.
        BundleError: it has no report, so that nobody knows which clips it has seen.
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


def check_teachers(teachers: Sequence[str]) -> None:
    """See that the teachers which are files are there; MLflow is not asked.

    Raises:
        ParamsError: there is nothing of a name.
        BundleError: one comes without its report or its model.
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
    """Fetch model and report of the run that a URI stands for."""
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
            f"the teacher {teacher} comes without {' and '.join(missing)}: which clips it was trained on "
            "cannot be known; take a whole training folder, or a run that reelflow recorded"
        )
