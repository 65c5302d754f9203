"""Runners of a local run: processes or containers on this machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipelines.training import ConfigureTask, set_variables
from reelflow.params import Params
from reelflow.settings import Settings

Runner = Literal["subprocess", "docker"]


@dataclass(frozen=True)
class Steps:
    """How the steps of a run are run.

    Attributes:
        runner: kfp's.
        configure: gives a task its image and its environment.
        settings: of the steps, and of the driver that records them.
    """

    runner: Any
    configure: ConfigureTask
    settings: Settings


@contextmanager
def open_steps(runner: Runner, params: Params, out: Path, settings: Settings) -> Iterator[Steps]:
    """Prepare to run the steps of a pipeline in `out`.

    Raises:
        ParamsError: no Docker engine answers, or an image is missing.
        TrackingError: the MLflow server for containers does not start.
    """
    from kfp import local

    if runner == "subprocess":
        path = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
        variables = settings.variables() | {"PYTHONPATH": path}

        def configure(task: Any, name: str) -> None:  # noqa: ARG001
            set_variables(task, variables)

        yield Steps(local.SubprocessRunner(use_venv=False), configure, settings)
        return
    from pipelines.local.docker import docker_engine, docker_runner, tracking_server

    with docker_engine() as engine, tracking_server(settings) as address:
        seen = settings.model_copy(update={"tracking_uri": address})
        with docker_runner(engine, params, out, settings, seen.variables()) as (containers, configure_image):
            yield Steps(containers, configure_image, seen)
