"""The folder of a run's results: one run at a time, and the next one says that it waits."""

import subprocess
import sys
from pathlib import Path

from reelflow.files import locked

RUN = """
import sys
from pathlib import Path
from rich.console import Console
from pipelines.local.run_folder import alone_in

with alone_in(Path(sys.argv[1]), Console(file=sys.stdout)):
    print("begun", flush=True)
"""


def test_a_run_says_that_it_waits_for_another_one(tmp_path: Path):
    command = [sys.executable, "-c", RUN, str(tmp_path)]
    with locked(tmp_path / ".lock"):
        second = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert second.stdout
        assert second.stdout.readline() == f"waiting for another run in {tmp_path} to end\n"
    assert second.communicate(timeout=60)[0] == "begun\n"


def test_a_run_that_waits_for_nobody_says_nothing(tmp_path: Path):
    command = [sys.executable, "-c", RUN, str(tmp_path / "new")]
    assert subprocess.check_output(command, text=True, timeout=60) == "begun\n"
