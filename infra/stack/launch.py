"""Starts MLflow as a process of a stack: waits for the database, upgrades it, becomes the server."""

import os
import sys
import time
from pathlib import Path

import sqlalchemy
from mlflow.db import upgrade
from sqlalchemy.exc import SQLAlchemyError

from infra.stack.leftovers import VARIABLE, end, processes_of

URI = "MLFLOW_BACKEND_STORE_URI"
PATIENCE_S, PAUSE_S = 120, 0.5


def main() -> None:
    """Never returns: the process becomes `mlflow server` with the arguments of this one.

    Workers of an MLflow that was killed still listen on its port: they end first.
    """
    mine = os.getpgid(0)  # supervisord gives each program a group of its own
    others = (one for one in processes_of(Path(os.environ[VARIABLE])) if "mlflow" in " ".join(one.cmdline()))
    end([one for one in others if os.getpgid(one.pid) != mine])
    _wait()
    # `mlflow db upgrade`; as a command it would show the password in the list of processes
    upgrade.main([os.environ[URI]], standalone_mode=False)
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "server", *sys.argv[1:]])  # noqa: S606


def _wait() -> None:
    engine = sqlalchemy.create_engine(os.environ[URI], poolclass=sqlalchemy.NullPool)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with engine.connect():
                return
        except SQLAlchemyError as error:
            if time.monotonic() > deadline:
                sys.exit(f"the database does not answer ({type(error).__name__})")
            time.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
