"""Runners of a local run: processes or containers on this machine."""

import contextlib
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal

from pipelines.local.tasks.graph import tasks_of
from pipelines.local.tasks.schedule import run_tasks
from pipelines.training import ConfigureTask, set_variables
from reelflow.params import Params
from reelflow.settings import Settings

GROWTH = "TF_FORCE_GPU_ALLOW_GROWTH"
"""TensorFlow takes all memory of a GPU without it; an evaluation runs beside the next training."""
Runner = Literal["subprocess", "docker"]
RunPipeline = Callable[[Any, Path, Path], None]
"""Runs a KFP pipeline: what its tasks make goes to the first folder, what they write to the log."""


@dataclass(frozen=True)
class Steps:
    """How the steps of a run are run.

    Attributes:
        run: runs the pipeline.
        configure: gives a task its image and its environment.
        settings: of the steps, and of the driver that records them.
    """

    run: RunPipeline
    configure: ConfigureTask
    settings: Settings


@contextmanager
def open_steps(runner: Runner, params: Params, out: Path, settings: Settings) -> Iterator[Steps]:
    """Prepare to run the steps of a pipeline in `out`.

    Raises:
        ParamsError: no Docker engine answers, or an image is missing.
        TrackingError: the MLflow server for containers does not start.
    """
    if runner == "subprocess":
        path = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
        variables = settings.variables() | {"PYTHONPATH": path}
        variables[GROWTH] = os.environ.get(GROWTH, "true")

        def configure(task: Any, name: str) -> None:  # noqa: ARG001
            set_variables(task, variables)

        yield Steps(_run_processes, configure, settings)
        return
    from pipelines.local.docker import docker_engine, docker_runner, tracking_server

    with docker_engine() as engine, tracking_server(settings) as address:
        seen = settings.model_copy(update={"tracking_uri": address})
        with docker_runner(engine, params, out, settings, seen.variables()) as (containers, configure_image):
            yield Steps(partial(_run_on_kfp, containers), configure_image, seen)


def _run_processes(pipeline: Any, root: Path, log: Path) -> None:
    run_tasks(tasks_of(pipeline), root, log)


def _run_on_kfp(runner: Any, pipeline: Any, root: Path, log: Path) -> None:
    """By a runner of kfp, one task after another."""
    from kfp import local

    with _open_log(log) as file, contextlib.redirect_stdout(file), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        local.init(runner=runner, pipeline_root=str(root))
        pipeline()


@contextmanager
def _open_log(path: Path) -> Iterator[IO[str]]:
    """The log file of kfp; a failure to write it must not hide the failure of a step."""
    logging.raiseExceptions = False
    log = path.open("a", encoding="utf-8")
    try:
        yield log
    finally:
        with contextlib.suppress(OSError):
            log.close()
