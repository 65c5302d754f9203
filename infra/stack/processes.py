"""A stack of processes of this machine, which supervisord starts again when they die."""

import os
import pwd
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from infra.stack import leftovers, server
from infra.stack.programs import run
from infra.stack.settings import ACCESS_KEY, BUCKET, DATABASE, StackSettings, write_private
from reelflow.errors import ParamsError, StorageError

DEBIANS = "usr/lib/postgresql/*/bin"
CONFIGURATION, PID, LOGS = "supervisord.conf", "supervisord.pid", "logs"
STOP_S, PAUSE_S, READY_S = 90, 0.2, 60
OWNER = "postgres"  # Debian's user; PostgreSQL does not run as root


class Processes:
    """The programs of a stack on this machine.

    Args:
        folder: of the stack: settings, data, logs.
        settings: of the stack.

    Raises:
        ParamsError: there is no PostgreSQL, or the folder holds a database of another one.
    """

    def __init__(self, folder: Path, settings: StackSettings) -> None:
        self._folder, self._settings = folder, settings
        self._data = folder / "postgres"
        self._bin = _postgres_programs(self._data)
        self._user = pwd.getpwnam(OWNER) if os.getuid() == 0 else None

    def start(self, *, stores_only: bool = False) -> None:
        """Start what is not running."""
        if self._pid():
            return
        leftovers.end(leftovers.processes_of(self._folder))
        if not stores_only:
            self._check_port()
        for name in ("objects", f"objects/{BUCKET}", "metrics", LOGS):
            (self._folder / name).mkdir(mode=0o700, exist_ok=True)
        self._make_cluster()
        write_private(self._folder / "auth.ini", server.auth_configuration(self._uri))
        write_private(self._folder / CONFIGURATION, self._configuration(stores_only=stores_only))
        supervisord: list[str | Path] = [
            sys.executable,
            "-m",
            "supervisor.supervisord",
            "-c",
            self._folder / CONFIGURATION,
        ]
        run(supervisord, "start of supervisord", os.environ | self._environment())
        self._wait_for_supervisord()
        self._until(lambda: self.objects(self._folder, "lsf", f":s3:{BUCKET}"))
        self._until(self._make_database)

    def stop(self) -> None:
        """Stop what is running."""
        pid = self._pid()
        if not pid:
            return
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        while self._pid():
            if time.monotonic() > deadline:
                raise StorageError(f"process {pid} of {self._folder} has not ended in {STOP_S} s")
            time.sleep(PAUSE_S)
        leftovers.end(leftovers.processes_of(self._folder))

    def ended(self) -> str:
        """Why MLflow will never answer."""
        if not self._pid():
            return f"supervisord has ended: {self._folder / LOGS / 'supervisord.log'} says why"
        with suppress(OSError):
            log = (self._folder / LOGS / "supervisord.log").read_text(errors="replace")
            started = log.rpartition("supervisord started with pid")[2]
            if "gave up: " in started:
                return f"a program does not start: {self._folder / LOGS} says why"
        return ""

    def database(
        self, program: str, *options: str, given: BinaryIO | None = None, into: BinaryIO | None = None
    ) -> None:
        """Run one of PostgreSQL's programs."""
        where = {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self._settings.postgres_port),
            "PGUSER": DATABASE,
            "PGPASSWORD": self._settings.postgres_password,
        }
        run([self._bin / program, *options], "database", os.environ | where, given=given, into=into)

    def objects(self, folder: Path, *command: str) -> None:
        """Run a command of rclone."""
        known = [one.replace("FOLDER", str(folder)) for one in command]
        run([Path(sys.executable).with_name("rclone"), *known], "object store", os.environ | self._rclone())

    def set_admin_password(self) -> None:
        """Give MLflow's admin the password of the settings."""
        run([sys.executable, "-c", server.NEW_ADMIN], "admin's password", os.environ | self._environment())

    def _wait_for_supervisord(self) -> None:
        """It writes its number after its parent, which was called, has ended."""
        deadline = time.monotonic() + READY_S
        while not self._pid():
            if time.monotonic() > deadline:
                raise StorageError(f"supervisord does not start: {self._folder / LOGS} says why")
            time.sleep(PAUSE_S)

    def _check_port(self) -> None:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((self._settings.bind, self._settings.port))
            except OSError as error:
                where = f"{self._settings.bind}:{self._settings.port}"
                raise ParamsError(
                    f"MLflow cannot listen on {where} ({error.strerror}): choose another --port or --bind"
                ) from None

    def _make_cluster(self) -> None:
        """PostgreSQL's folder, which is whole or not there."""
        if self._data.exists():
            return
        made, word = self._folder / "postgres.new", self._folder / "postgres.word"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(mode=0o700)
        write_private(word, self._settings.postgres_password)
        if self._user:
            for path in (made, word):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        options: list[str | Path] = [
            "-D",
            made,
            "-U",
            DATABASE,
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            f"--pwfile={word}",
        ]
        try:
            run(
                [self._bin / "initdb", *options, "--locale=C.UTF-8"],
                f"new database in {self._folder}",
                user=self._user.pw_uid if self._user else None,
            )
        finally:
            word.unlink()
        made.replace(self._data)

    def _make_database(self) -> None:
        try:
            self.database("createdb", DATABASE)
        except StorageError as error:
            if "already exists" not in str(error):
                raise

    def _until(self, works: Callable[[], None]) -> None:
        deadline = time.monotonic() + READY_S
        while True:
            try:
                works()
            except StorageError as error:
                if reason := self.ended():
                    raise StorageError(reason) from error
                if time.monotonic() > deadline:
                    raise
                time.sleep(PAUSE_S)
            else:
                return

    def _pid(self) -> int:
        """Of a running supervisord of this folder; 0 if none runs."""
        with suppress(OSError, ValueError):
            pid = int((self._folder / PID).read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            return pid if os.fsencode(self._folder / CONFIGURATION) in command else 0
        return 0

    @property
    def _uri(self) -> str:
        where = f"127.0.0.1:{self._settings.postgres_port}/{DATABASE}"
        return f"postgresql+psycopg2://{DATABASE}:{self._settings.postgres_password}@{where}"

    def _rclone(self) -> dict[str, str]:
        return {
            "RCLONE_CONFIG": os.devnull,
            "RCLONE_S3_PROVIDER": "Rclone",
            "RCLONE_S3_ENDPOINT": f"http://127.0.0.1:{self._settings.store_port}",
            "RCLONE_S3_ACCESS_KEY_ID": ACCESS_KEY,
            "RCLONE_S3_SECRET_ACCESS_KEY": self._settings.store_secret,
        }

    def _environment(self) -> dict[str, str]:
        """Of all programs: supervisord's own `environment=` takes no value with quotes."""
        return {
            leftovers.VARIABLE: str(self._folder),
            "RCLONE_CONFIG": os.devnull,
            "RCLONE_AUTH_KEY": f'"{ACCESS_KEY},{self._settings.store_secret}"',  # one entry of a CSV list
            "MLFLOW_BACKEND_STORE_URI": self._uri,
            "MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{self._settings.store_port}",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": self._settings.store_secret,
            "AWS_EC2_METADATA_DISABLED": "true",
            "MLFLOW_AUTH_CONFIG_PATH": str(self._folder / "auth.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": self._settings.admin_password,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": self._settings.session_key,
            **server.ENVIRONMENT,
        }

    def _configuration(self, *, stores_only: bool) -> str:
        """Of supervisord, as https://supervisord.org/configuration.html has it."""
        here, settings = self._folder, self._settings
        text = _section(
            "supervisord",
            pidfile=here / PID,
            logfile=here / LOGS / "supervisord.log",
            directory=Path.cwd(),
            **({"user": "root"} if self._user else {}),
        )
        postgres = [self._bin / "postgres", "-D", self._data, "-k", "", "-h", "127.0.0.1"]
        text += self._program(
            "postgres",
            [*postgres, "-p", settings.postgres_port],
            user=OWNER if self._user else "",
            stopsignal="INT",
        )
        store = [Path(sys.executable).with_name("rclone"), "serve", "s3", "--vfs-cache-mode=off"]
        text += self._program(
            "object-store",
            [*store, f"--addr=127.0.0.1:{settings.store_port}", here / "objects"],
        )
        if not stores_only:
            options = server.options(
                settings.bind,
                settings.port,
                str(here / "metrics"),
                settings.allowed_hosts,
                settings.allowed_origins,
            )
            command = [sys.executable, "-m", "infra.stack.launch", *options]
            text += self._program("mlflow", command, stopasgroup="true", killasgroup="true")
        return text

    def _program(self, name: str, command: Sequence[object], **options: str) -> str:
        return _section(
            f"program:{name}",
            command=" ".join(_quoted(str(word)) for word in command),
            stdout_logfile=self._folder / LOGS / f"{name}.log",
            redirect_stderr="true",
            autorestart="true",
            startsecs=3,
            startretries=5,
            stopwaitsecs=STOP_S // 3,
            **options,
        )


def _section(name: str, **values: object) -> str:
    lines = [f"{key} = {str(value).replace('%', '%%')}" for key, value in values.items() if value != ""]
    return "\n".join([f"[{name}]", *lines, "", ""])


def _quoted(word: str) -> str:
    """As supervisord's shell-like reader takes one word."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _postgres_programs(data: Path) -> Path:
    """The folder of PostgreSQL's programs: of the version that made the data, else of the newest."""
    found = {path.parent.name: path for path in Path("/").glob(DEBIANS) if (path / "initdb").exists()}
    if data.exists():
        version = (data / "PG_VERSION").read_text().strip()
        if version not in found:
            raise ParamsError(
                f"{data} is of PostgreSQL {version}, found {', '.join(sorted(found)) or 'none'}: install "
                "that one, or restore a backup into a new stack"
            )
        return found[version]
    if not found:
        raise ParamsError("no PostgreSQL: apt-get install postgresql, or install Docker with Compose")
    return found[max(found, key=int)]
