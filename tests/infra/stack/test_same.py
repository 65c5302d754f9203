"""Containers and processes are the same programs with the same options."""

import importlib.util
from pathlib import Path

import yaml

from infra.stack import server
from infra.stack.compose import FILE, IMAGE
from infra.stack.processes import Processes
from infra.stack.settings import StackSettings

COMPOSE = yaml.safe_load(FILE.read_text())


def test_mlflow_has_the_same_options() -> None:
    settings = StackSettings(kind="docker")
    expected = server.options(
        "0.0.0.0",
        5000,
        "/tmp/metrics",
        "${ALLOWED_HOSTS:-localhost:*,127.0.0.1:*}",
        "${ALLOWED_ORIGINS:-http://localhost}",
    )
    assert COMPOSE["services"]["mlflow"]["command"] == ["mlflow", "server", *expected]
    assert settings.allowed_hosts == "localhost:*,127.0.0.1:*"


def test_accounts_are_configured_alike() -> None:
    where = "postgresql+psycopg2://mlflow:${POSTGRES_PASSWORD:?make stack writes it}@postgres:5432/mlflow"
    assert COMPOSE["configs"]["auth"]["content"] == server.auth_configuration(where)
    for name, value in server.ENVIRONMENT.items():
        assert COMPOSE["x-mlflow"]["environment"][name] == value


def test_every_variable_of_compose_is_written(tmp_path: Path) -> None:
    StackSettings(kind="docker").write(tmp_path)
    written = {line.partition("=")[0] for line in (tmp_path / "stack.env").read_text().splitlines()}
    named = {part.partition(":")[0] for part in FILE.read_text().split("${")[1:]}
    assert named - written == {"MLFLOW_IMAGE", "POSTGRES_IMAGE", "RCLONE_IMAGE"}
    assert "COMPOSE_PROJECT_NAME" in written
    assert f"MLFLOW_IMAGE:-{IMAGE}}}" in FILE.read_text()


def test_images_are_those_of_the_cluster() -> None:
    stores = "".join(path.read_text() for path in Path("infra/kubernetes/overlays/dev/stores").glob("*.yaml"))
    for name in ("postgres", "object-store", "bucket"):
        image = COMPOSE["services"][name]["image"].partition(":-")[2].removesuffix("}")
        assert f"image: {image}\n" in stores
    assert importlib.util.find_spec("supervisor"), Processes
