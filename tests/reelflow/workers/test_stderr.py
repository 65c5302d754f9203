"""Native code is silenced for a block, and no longer."""

import os

import pytest

from reelflow.workers.stderr import silenced_stderr


def test_native_lines_are_dropped_and_later_ones_are_not(capfd: pytest.CaptureFixture[str]):
    with silenced_stderr():
        os.write(2, b"INFO: native\n")
    os.write(2, b"later\n")
    assert capfd.readouterr().err == "later\n"
