"""Runs every step in its own container on this machine, as on a cluster.

Containers mount the folder of the run, and read-only the clips, weights and teachers, at the same paths
as on the host. The root file system is read-only, all capabilities are dropped, no process is root.
"""

import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

from pipelines.images import image_name, read_images, reference_of
from pipelines.training import ConfigureTask, set_variables, task_names
from reelflow.backbones.weights import KEYWORDS
from reelflow.errors import ParamsError, TrackingError
from reelflow.files import exists
from reelflow.objectstore.open import NO_STORE
from reelflow.params import Params
from reelflow.settings import Settings
from reelflow.sources.address import is_remote
from reelflow.tracking.sqlite import SQLITE, sqlite_file

IMAGE_USER = "10001:0"
START_TIMEOUT_S = 60
LABEL = "reelflow.run"
PASSED_ON = (  # prefixes of variables that libraries read
    "AWS_",
    "MLFLOW_",
    "TF_CPP_MIN_LOG_LEVEL",
)


@contextmanager
def docker_engine() -> Iterator[Any]:
    """A client of the Docker engine.

    Raises:
        ParamsError: no engine answers.
    """
    import docker

    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException as error:
        raise ParamsError(
            f"no Docker engine answers ({error}): start it, or leave out --runner docker"
        ) from None
    with closing(client):
        yield client


@contextmanager
def docker_runner(
    engine: Any, params: Params, out: Path, settings: Settings, variables: dict[str, str]
) -> Iterator[tuple[Any, ConfigureTask]]:
    """Kfp's Docker runner, and the `ConfigureTask` that sets image and environment of tasks.

    Args:
        engine: a client of the Docker engine.
        params: of the run.
        out: the run's folder.
        settings: of the run; they name the folders that containers write to.
        variables: of the containers, besides credentials and what configures libraries.

    Raises:
        ParamsError: an image has not been built.
    """
    from kfp import local

    written = _writable(params, out, settings)
    passed_on = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    built = read_images()
    names = {name: reference_of(image_name(name, params), built, name) for name in task_names(params)}
    _check_images(engine, sorted(set(names.values())))
    try:
        runner = local.DockerRunner(
            mounts=_mounts(params, written),
            user=_user(written),
            network_mode="host",
            read_only=True,
            tmpfs={"/tmp": "mode=1777"},  # noqa: S108
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            labels={LABEL: settings.run_name},
        )

        def configure(task: Any, name: str) -> None:
            task.set_container_image(names[name])
            set_variables(task, passed_on | variables)

        yield runner, configure
    finally:
        _kill_containers(engine, settings.run_name)


@contextmanager
def tracking_server(settings: Settings) -> Iterator[str]:
    """The address of an MLflow server for containers: the configured one, or one for the sqlite file.

    Raises:
        TrackingError: the server does not start.
    """
    if not settings.tracking_uri.startswith(SQLITE):
        yield settings.tracking_uri
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", settings.tracking_uri]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # saves eight processes
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(address, server)
        yield address
    finally:
        server.terminate()
        server.wait()


def _wait_for(address: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(requests.RequestException):
            if requests.get(f"{address}/health", timeout=1).ok:
                return
        time.sleep(0.2)
    raise TrackingError(
        f"no MLflow server came up within {START_TIMEOUT_S} s: set MLFLOW_TRACKING_URI to a running server"
    )


def _check_images(engine: Any, names: list[str]) -> None:
    here = {
        name for one in engine.images.list() for name in (*one.tags, *(one.attrs.get("RepoDigests") or ()))
    }
    if missing := [name for name in names if name not in here]:
        raise ParamsError(f"no image {', '.join(missing)} here: run make images")


def _writable(params: Params, out: Path, settings: Settings) -> list[Path]:
    """Folders that containers write to."""
    folders = [out / "work"]
    if is_remote(params.dataset.source):
        folders.append(settings.clips)
    if settings.tracking_uri.startswith(SQLITE):
        folders.append(sqlite_file(settings.tracking_uri).parent / "mlartifacts")
    if settings.store != NO_STORE and "://" not in settings.store:
        folders.append(Path(settings.store))
    if params.features.weights in KEYWORDS:
        folders.append(settings.weights_cache)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    return folders


def _mounts(params: Params, written: list[Path]) -> list[Any]:
    from docker.types import Mount

    training = params.training
    given = (params.dataset.source, params.features.weights, *training.teacher, training.video.inflate or "")
    read = {Path(path) for path in given if Path(path).is_absolute() and exists(Path(path))}
    return [
        *(Mount(str(path), str(path), type="bind") for path in written),
        *(Mount(str(path), str(path), type="bind", read_only=True) for path in sorted(read)),
    ]


def _user(written: list[Path]) -> str:
    """User of the containers: the caller; for root, the user of the image, which is in group root."""
    if os.getuid():
        return f"{os.getuid()}:{os.getgid()}"
    os.umask(0o002)
    for folder in written:
        for path in (folder, *folder.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | stat.S_IRGRP | stat.S_IWGRP)
    return IMAGE_USER


def _kill_containers(engine: Any, run_name: str) -> None:
    """Remove the containers of an interrupted run."""
    import docker

    for container in engine.containers.list(filters={"label": f"{LABEL}={run_name}"}):
        with suppress(docker.errors.DockerException):
            container.kill()
