"""Fixtures of the device's tests."""

from pathlib import Path

import pytest

from tests.bundles import write_small_bundle
from tests.sharing import made_once


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole bundle, the thumbnail backbone with a random GRU; copy it before you change it."""
    return made_once(tmp_path_factory, "small-bundle", write_small_bundle)
