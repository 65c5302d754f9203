"""What runs the steps of a local run: processes of this machine, or containers on it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipelines.training import ConfigureTask, unchanged
from reelflow.params import Params
from reelflow.settings import Settings

Runner = Literal["subprocess", "docker"]


@dataclass(frozen=True)
class Steps:
    """kfp's runner, and what it is told of every task."""

    runner: Any
    configure: ConfigureTask


@contextmanager
def open_steps(runner: Runner, params: Params, out: Path, settings: Settings) -> Iterator[Steps]:
    """Make ready to run the steps of a pipeline in `out`.

    Raises:
        ParamsError: there is no Docker engine, or an image is missing.
        TrackingError: no MLflow server for containers comes up.
    """
    from kfp import local

    if runner == "subprocess":
        yield Steps(local.SubprocessRunner(use_venv=False), unchanged)
        return
    from pipelines.local.docker import docker_engine, docker_runner, tracking_server

    with docker_engine() as engine, tracking_server(settings) as address:
        os.environ["MLFLOW_TRACKING_URI"] = address
        with docker_runner(engine, params, out, settings) as (containers, configure):
            yield Steps(containers, configure)
