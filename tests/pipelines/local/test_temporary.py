"""A run's own temporary folder: used by all that it starts, and gone after it, whoever kills it."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pipelines.local.temporary import own_temporary

DRIVER = """
import subprocess, sys
from pipelines.local.temporary import own_temporary

with own_temporary() as folder:
    (folder / "left").write_text("by kfp")
    step = subprocess.Popen(["sh", "-c", "mktemp -d; cat"], stdin=subprocess.PIPE)
    print(step.pid, folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", None)
    return temporary


def driver() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


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


def test_what_a_killed_run_left_goes_once_its_steps_have_ended_too(place):
    with driver() as killed:
        said = [killed.stdout.readline() for _ in range(2)]
        step, folder = next(line.split() for line in said if " " in line)
        with own_temporary():
            assert Path(folder, "left").exists(), "its run is at it"
        os.kill(int(step), signal.SIGSTOP)
        killed.kill()
        killed.wait()
        with own_temporary():
            assert Path(folder, "left").exists(), "a step has outlived its driver"
        os.kill(int(step), signal.SIGKILL)
        killed.stdout.read()  # ends when the step has
    with own_temporary():
        pass
    assert not list(place.iterdir())


def test_folders_that_are_like_it_by_name_alone_stay(place):
    (place / "reelflow-checkout").mkdir()
    with own_temporary():
        pass
    assert [path.name for path in place.iterdir()] == ["reelflow-checkout"]


def test_no_place_for_temporary_files_is_a_plain_error(place, monkeypatch):
    from reelflow.errors import StorageError

    def full() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", full)
    with pytest.raises(StorageError, match="set TMPDIR to another"), own_temporary():
        pass
