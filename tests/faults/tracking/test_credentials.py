"""Credentials and certificates reach every request, as MLflow's environment variables give them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow.tracking.request_auth import registry as auth_plugins

from pipelines.compare.finished import FinishedRuns
from reelflow.errors import TrackingError
from reelflow.settings import Settings
from reelflow.tracking import client as mlflow_client
from reelflow.tracking.records import prepare
from reelflow.tracking.spool.owed import TrackingSpool
from reelflow.tracking.versions import Versions
from tests.certificates import certificate_in
from tests.faults.tracking.gate import BASIC, gate_before
from tests.faults.tracking.sessions import LocalRun
from tests.mlflow_server import MlflowServer, mlflow_server

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::urllib3.exceptions.InsecureRequestWarning",
)
VARIABLES = ("INSECURE_TLS", "SERVER_CERT_PATH", "CLIENT_CERT_PATH", "USERNAME", "PASSWORD", "TOKEN", "AUTH")

ANN = {"USERNAME": "ann", "PASSWORD": "s3cret"}


class AddedSignature(requests.auth.AuthBase):
    def __call__(self, request: Any) -> Any:
        request.headers["X-Signed"] = "by a plug-in"
        return request


class SigningPlugin:
    """A plug-in as `MLFLOW_TRACKING_AUTH` names it."""

    def get_name(self) -> str:
        return "signing"

    def get_auth(self) -> AddedSignature:
        return AddedSignature()


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[MlflowServer]:
    folder = tmp_path_factory.mktemp("behind")
    with mlflow_server(folder, empty_database, ("--enable-workspaces",)) as running:
        yield running


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    for name in VARIABLES:
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.setattr(auth_plugins._request_auth_provider_registry, "_registry", [SigningPlugin()])
    mlflow_client._connect.cache_clear()
    certificate, key = certificate_in(tmp_path)
    (tmp_path / "both.pem").write_text(key.read_text() + certificate.read_text())
    return certificate, key


@pytest.mark.slow
@pytest.mark.xdist_group("mlflow-server")
def test_a_password_in_the_address_is_in_no_file_record_or_message(behind, tmp_path, monkeypatch, capsys):
    for name in VARIABLES:
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    address = behind.address.replace("//", "//ann:s3cret@")
    settings = Settings(tracking_uri=address, experiment="by address", spool=tmp_path / "spool")
    assert LocalRun.written(tmp_path / "run", settings, "by-address").session() == 0
    away = settings.model_copy(update={"tracking_uri": "http://ann:s3cret@127.0.0.1:9"})
    TrackingSpool(away.spool).remember(away)
    late = LocalRun.written(tmp_path / "late", away, "by-address")
    assert (late.session(), late.replayed()) == (7, 7)
    assert "http://***@127.0.0.1:9" in (told := capsys.readouterr()).out
    assert "s3cret" not in told.out + told.err
    files = [path for top in (tmp_path, behind.folder) for path in top.rglob("*") if path.is_file()]
    assert len(files) > 50
    assert not [path for path in files if b"s3cret" in path.read_bytes()]

    trained = FinishedRuns(settings)
    (run,) = trained.find([], 1, tmp_path)
    page = f"{behind.address}/#/experiments/"
    assert trained.link(run).startswith(page)
    client, experiment = mlflow_client.connect(settings)
    (child,) = client.search_runs([experiment], "attributes.run_name = 'thumbnail-gru'")
    shown = Versions(settings).run_that_trained(child.data.params["training.key"])
    assert shown.link == f"{page}{experiment}/runs/{child.info.run_id}?{mlflow_client.VIEW}"


WAYS = {
    "user and password": ({"Authorization": BASIC}, ANN, "SERVER_CERT_PATH"),
    "token": ({"Authorization": "Bearer 1234"}, {"TOKEN": "1234"}, "SERVER_CERT_PATH"),
    "any certificate": ({"Authorization": BASIC}, ANN, "INSECURE_TLS"),
    "certificate of the client": ({}, {}, "CLIENT_CERT_PATH"),
    "plug-in": ({"X-Signed": "by a plug-in"}, {"AUTH": "signing"}, "SERVER_CERT_PATH"),
    "workspace": ({"X-MLFLOW-WORKSPACE": "default"}, {}, "WORKSPACE"),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_every_request_has_them(way, behind, certificate, tmp_path, monkeypatch):
    demanded, variables, trust = WAYS[way]
    for name, value in variables.items():
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
    if trust == "INSECURE_TLS":
        monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    else:
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate[0]))
    if trust == "CLIENT_CERT_PATH":
        monkeypatch.setenv("MLFLOW_TRACKING_CLIENT_CERT_PATH", str(tmp_path / "both.pem"))
    if trust == "WORKSPACE":
        monkeypatch.setenv("MLFLOW_WORKSPACE", "default")
    with gate_before(
        behind.address, *certificate, demanded, asks_for_certificate=trust == "CLIENT_CERT_PATH"
    ) as before:
        settings = Settings(tracking_uri=before.endpoint, experiment=way)
        assert LocalRun.written(tmp_path / "first", settings, way.replace(" ", "-")).session() == 0
        # the second run fetches the champion to compare with it
        assert LocalRun.written(tmp_path / "second", settings, way.replace(" ", "-")).session() == 0
        assert len(before.passed) > 100
        assert before.refused == []


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "CERTIFICATE_VERIFY_FAILED.*name its certificate in MLFLOW_TRACKING_SERVER_CERT_PATH"),
        ({"MLFLOW_TRACKING_SERVER_CERT_PATH": "/none.pem"}, "/none.pem.*name its certificate in"),
        ({"MLFLOW_TRACKING_INSECURE_TLS": "true"}, "401.*who are you"),
    ],
)
def test_a_server_that_does_not_trust_or_is_not_trusted_is_told_at_once(
    variables, message, certificate, monkeypatch
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with gate_before(
        "http://127.0.0.1:9", *certificate, {"Authorization": BASIC}, asks_for_certificate=False
    ) as before:
        with pytest.raises(TrackingError, match=message) as caught:
            prepare(Settings(tracking_uri=before.endpoint, run_name="night"))
        assert not caught.value.may_pass
