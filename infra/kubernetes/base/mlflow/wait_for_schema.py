"""Wait until the migration job has given the database the schema of this MLflow."""

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
    """The reason to wait; empty if the schema is right. Never has the address, which holds a password."""
    try:
        _verify_schema(engine)
    except MlflowException:
        return "the schema is not that of this MLflow; the job mlflow-migration upgrades it"
    except SQLAlchemyError as error:
        return f"the database does not answer ({type(error).__name__})"
    return ""


def main() -> int:
    """Wait; 0 if the schema is right, 1 after the timeout."""
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
