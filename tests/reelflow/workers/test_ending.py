"""How a process ends."""

import subprocess
import sys

CYCLE = """
import sys
from reelflow.workers.ending import end_quickly

class Cyclic:
    def __init__(self):
        self.itself = self
    def __del__(self):
        print("collected")

if sys.argv[1] == "quickly":
    end_quickly()
Cyclic()
print("done")
"""


def run(how: str) -> list[str]:
    command = [sys.executable, "-c", CYCLE, how]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def test_cycles_are_not_looked_for_at_the_end() -> None:
    assert run("as ever") == ["done", "collected"]
    assert run("quickly") == ["done"]
