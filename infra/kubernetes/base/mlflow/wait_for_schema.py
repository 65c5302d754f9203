"""Wait until the database has the schema of this MLflow: the migration job brings it there, alone."""

import logging
import os
import sys
import time

import sqlalchemy
from mlflow.exceptions import MlflowException
from mlflow.store.db.utils import _verify_schema
from sqlalchemy.exc import SQLAlchemyError

TIMEOUT_S = float(os.environ.get("TIMEOUT_S", "900"))
PAUSE_S = 2.0


def missing(engine: sqlalchemy.Engine) -> str:
    """What is still missing; empty when nothing is. Never tells the address: it holds a password."""
    try:
        _verify_schema(engine)
    except MlflowException:
        return "the schema is not that of this MLflow; job mlflow-migration brings it there"
    except SQLAlchemyError as error:
        return f"the database does not answer ({type(error).__name__})"
    return ""


def main() -> int:
    """Wait; 0 when the schema is right, 1 when it never was."""
    logging.basicConfig(format="%(message)s", level=logging.ERROR)
    engine = sqlalchemy.create_engine(os.environ["MLFLOW_BACKEND_STORE_URI"], poolclass=sqlalchemy.NullPool)
    deadline, told = time.monotonic() + TIMEOUT_S, ""
    while reason := missing(engine):
        if reason != told:
            sys.stderr.write(f"waiting: {reason}\n")
        told = reason
        if time.monotonic() >= deadline:
            sys.stderr.write(f"gave up after {TIMEOUT_S:g} s\n")
            return 1
        time.sleep(PAUSE_S)
    return 0


if __name__ == "__main__":
    sys.exit(main())
