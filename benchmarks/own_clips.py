"""The default for few own clips against params.large.yaml: accuracy, wall time and CPU time of whole runs.

Each run starts with an empty folder, an empty store and an empty database. The runs of a set follow each
other on the same machine, so that their ratio holds while other work slows both.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from reelflow.artifacts.clips import read_clips
from reelflow.commandline import run_command
from reelflow.contracts import Clip, Summary
from reelflow.errors import ParamsError

SHARED = ROOT.parent / "shared" / "data"
SETS = ("surveillance_fight", "ut_interaction")


@dataclass(frozen=True)
class Measured:
    """A whole run.

    Attributes:
        wall_s: from start to end.
        cpu_s: of all its processes.
        summary: what it found.
        clips: of the data set.
    """

    wall_s: float
    cpu_s: float
    summary: Summary
    clips: tuple[Clip, ...]

    def __str__(self) -> str:
        row = self.summary.rows[0]
        interval = f"{row.accuracy_interval.low:.2f} to {row.accuracy_interval.high:.2f}"
        return (
            f"{row.head} | {self.summary.protocol} | {row.test_clips} | {row.accuracy:.3f} | {interval} "
            f"| {self.wall_s:.0f} | {self.cpu_s:.0f}"
        )


def main(
    data: Annotated[Path, typer.Option(help="Folder with clips/ and weights/.")] = SHARED,
    only: Annotated[str, typer.Option("--set", help="One set of clips alone.")] = "",
) -> None:
    """Run both recipes on each set and print a table."""
    check_data(data)
    print("| set | params | head | protocol | clips | accuracy | 95 % | wall s | CPU s |\n|" + "---|" * 9)
    for name in [only] if only else SETS:
        default = measure(data.absolute(), name)
        print(f"| {name} | default | {default} |", flush=True)
        large = measure(data.absolute(), name, "--params", "params.large.yaml")
        print(f"| {name} | params.large.yaml | {large} |", flush=True)
        wall, cpu = default.wall_s / large.wall_s, default.cpu_s / large.cpu_s
        print(
            f"{name}: the default takes {wall:.2f} of the wall time and {cpu:.2f} of the CPU time", flush=True
        )


def check_data(data: Path) -> None:
    """Raise ParamsError unless the folder has clips."""
    if not (data / "clips").is_dir():
        raise ParamsError(f"{data} has no clips/: name the folder with clips/ and weights/ (--data)")


def measure(data: Path, name: str, *options: str) -> Measured:
    """One run on a set."""
    with tempfile.TemporaryDirectory() as folder:
        place, out = Path(folder), Path(folder) / "out"
        environment = os.environ | {
            "REELFLOW_STORE": str(place / "store"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{place / 'mlflow.db'}",
        }
        command = [sys.executable, "-m", "pipelines", "run", "--out", out, *options]
        command += ["--data", data / "clips" / name, "--weights", data / "weights"]
        before, started = _cpu_s(), time.perf_counter()
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=sys.stderr)
        wall_s = time.perf_counter() - started
        cpu_s, clips = _cpu_s() - before, tuple(read_clips(next(out.glob("work/dataset-*"))))
        return Measured(wall_s, cpu_s, Summary.read(out / "summary.json"), clips)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    run_command(main)
