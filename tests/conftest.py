"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real clips and weights that lie beside the checkout; never part of it."""
    folder = Path(os.environ.get("REELFLOW_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set REELFLOW_SHARED_DATA)")
    return folder
