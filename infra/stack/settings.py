"""What a stack is made with: `stack.env` in its folder, which Docker Compose reads too."""

import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reelflow.errors import ParamsError
from reelflow.files import atomic

SETTINGS, CLIENT = "stack.env", "client.env"
DATABASE, BUCKET, ACCESS_KEY, ADMIN = "mlflow", "mlflow", "reelflow", "admin"
SECRET_BYTES = 24
HOSTS = r"^[A-Za-z0-9.,:*_-]*$"

Kind = Literal["docker", "processes"]


def _secret() -> str:
    return secrets.token_hex(SECRET_BYTES)


def _project() -> str:
    return f"reelflow-{secrets.token_hex(3)}"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class StackSettings(BaseModel):
    """What stays the same from one start to the next.

    Attributes:
        kind: containers, or processes of this machine.
        bind: the address on which MLflow listens.
        port: of MLflow.
        project: the name of the containers and volumes.
        names: further hosts under which browsers and clients reach it, separated by commas.
        postgres_port: of PostgreSQL, on 127.0.0.1; of processes alone.
        store_port: of the object store, likewise.
        postgres_password: of the database's user.
        store_secret: the secret key of the object store.
        admin_password: of MLflow's first user.
        session_key: with which MLflow signs its forms.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    bind: str = Field(default="127.0.0.1", pattern=r"^[0-9a-f.:]+$")
    port: int = Field(default=5000, gt=0, lt=65536)
    names: str = Field(default="", pattern=HOSTS)
    project: str = Field(default_factory=_project, pattern=r"^[a-z0-9-]+$")
    postgres_port: int = Field(default_factory=_free_port)
    store_port: int = Field(default_factory=_free_port)
    postgres_password: str = Field(default_factory=_secret, repr=False)
    store_secret: str = Field(default_factory=_secret, repr=False)
    admin_password: str = Field(default_factory=_secret, repr=False)
    session_key: str = Field(default_factory=_secret, repr=False)

    @property
    def address(self) -> str:
        """Of MLflow, on this machine."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def allowed_hosts(self) -> str:
        """Hosts that a request may name: MLflow refuses others, so that no foreign page reaches it."""
        return ",".join(["localhost:*", "127.0.0.1:*", *self._named])

    @property
    def allowed_origins(self) -> str:
        """Pages that may change something: MLflow's own, under each of its names."""
        names = self._named or ["localhost"]
        return ",".join(f"{scheme}://{name}" for name in names for scheme in ("https", "http"))

    @property
    def _named(self) -> list[str]:
        return [one for one in self.names.split(",") if one]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Those of an existing stack.

        Raises:
            ParamsError: there is none, or its file is damaged.
        """
        path = folder / SETTINGS
        if not path.is_file():
            raise ParamsError(f"{folder} holds no stack: make stack makes one")
        lines = (line.partition("=") for line in path.read_text().splitlines() if "=" in line)
        values = {name.lower(): value for name, _, value in lines}
        return cls.made_of({name: values[name] for name in cls.model_fields if name in values}, str(path))

    @classmethod
    def made_of(cls, values: Mapping[str, object], source: str) -> Self:
        """Those of a file or a command line.

        Raises:
            ParamsError: one of them is wrong; the message names it and never shows it.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            raise ParamsError(f"{source}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    def write(self, folder: Path) -> None:
        """Keep them, for their owner alone; and the variables of MLflow's clients, for the admin."""
        values = {name.upper(): str(value) for name, value in self.model_dump().items()}
        extra = {
            "ALLOWED_HOSTS": self.allowed_hosts,
            "ALLOWED_ORIGINS": self.allowed_origins,
            "COMPOSE_PROJECT_NAME": self.project,
        }
        write_private(folder / SETTINGS, _lines(values | extra))
        write_private(folder / CLIENT, _lines(client_variables(self.address, ADMIN, self.admin_password)))


def client_variables(address: str, user: str, password: str) -> dict[str, str]:
    """What MLflow's clients read.

    Without the last two, MLflow 3.17 fetches each artifact from the object store, at an address that
    the server alone can reach (`mlflow_artifacts_repo.py`; a server has no option against it).
    """
    return {
        "MLFLOW_TRACKING_URI": address,
        "MLFLOW_TRACKING_USERNAME": user,
        "MLFLOW_TRACKING_PASSWORD": password,
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
    }


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    with atomic(path) as partial:
        partial.touch(mode=0o600)
        partial.write_text(text)


def _lines(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())
