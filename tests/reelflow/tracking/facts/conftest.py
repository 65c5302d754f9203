"""MLflow's database of one test."""

from pathlib import Path

import pytest

from reelflow.settings import Settings


@pytest.fixture
def settings(empty_database: Path, tmp_path: Path) -> Settings:
    file = tmp_path / "mlflow.db"
    file.write_bytes(empty_database.read_bytes())
    return Settings(
        tracking_uri=f"sqlite:///{file}", experiment="shown", run_name="night run", spool=tmp_path / "spool"
    )
