"""Stand-ins for the programs that a build runs."""

from pathlib import Path

import pytest

from tests.infra.images.programs import Programs


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """An engine without images."""
    found = Programs(tmp_path, monkeypatch)
    found.add("docker", "engine")
    return found
