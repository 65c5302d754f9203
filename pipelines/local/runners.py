"""Runners of a local run: processes or containers on this machine."""

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
    """kfp's runner, and the configuration of its tasks."""

    runner: Any
    configure: ConfigureTask


@contextmanager
def open_steps(runner: Runner, params: Params, out: Path, settings: Settings) -> Iterator[Steps]:
    """Prepare to run the steps of a pipeline in `out`.

    Raises:
        ParamsError: no Docker engine answers, or an image is missing.
        TrackingError: the MLflow server for containers does not start.
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
