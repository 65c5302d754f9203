"""What the tests of the inbox share."""

from pathlib import Path

import pytest

from tests.pipelines.inbox.labelling import Labelling


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Labelling:
    monkeypatch.setenv("COLUMNS", "200")
    return Labelling(tmp_path)
