"""A real MLflow server behind a proxy that spoils requests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.store.proxy import FaultyProxy, faulty_proxy
from tests.mlflow_server import MlflowServer, mlflow_server

HASTE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[MlflowServer]:
    with mlflow_server(tmp_path_factory.mktemp("server"), empty_database) as running:
        yield running


@pytest.fixture(scope="module")
def module_proxy(server: MlflowServer) -> Iterator[FaultyProxy]:
    with faulty_proxy(server.address, lambda *_: "request") as proxy:
        yield proxy


@pytest.fixture
def proxy(module_proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> FaultyProxy:
    """Without faults yet, for a client that does not wait long."""
    for name, value in HASTE.items():
        monkeypatch.setenv(name, value)
    module_proxy.heal()
    return module_proxy
