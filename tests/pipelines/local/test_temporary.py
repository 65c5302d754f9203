"""A run's own temporary folder: used by all that it starts, and gone after it."""

import os
import subprocess
import tempfile
from multiprocessing.util import get_temp_dir
from pathlib import Path

import pytest

from pipelines.local.temporary import own_temporary


@pytest.fixture
def place(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    get_temp_dir()  # multiprocessing's, which stays for the whole process
    monkeypatch.setattr(tempfile, "tempdir", None)
    return temporary


def test_it_is_for_every_process_and_goes_with_the_block(place):
    with own_temporary() as folder:
        assert folder.parent == place
        assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(folder)
        made = subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip()
        assert Path(made).parent == folder
    assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(place)
    assert not list(place.iterdir())


def test_it_goes_though_the_run_fails(place):
    with pytest.raises(RuntimeError, match="a step failed"), own_temporary():
        raise RuntimeError("a step failed")
    assert not list(place.iterdir())


def test_no_place_for_temporary_files_is_a_plain_error(place, monkeypatch):
    from reelflow.errors import StorageError

    def full() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", full)
    with pytest.raises(StorageError, match="set TMPDIR to another"), own_temporary():
        pass
