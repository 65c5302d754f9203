"""Fixtures of the tests that attack the device's commands."""

from pathlib import Path

import pytest

from reelflow.contracts import Sampling
from tests.bundles import FRAMES, write_small_bundle

WINDOW_S = 1.8


@pytest.fixture(scope="session")
def edge_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole bundle that answers on windows of 1.8 s; copy it before you change it."""
    folder: Path = tmp_path_factory.mktemp("bundle") / "bundle"
    write_small_bundle(folder, sampling=Sampling(frames=FRAMES, clip_s=WINDOW_S))
    return folder
