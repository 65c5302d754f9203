"""A camera watched for an hour over a bad line: memory, dropped frames, reconnects, and what is answered.

A real RTSP server plays ten minutes of 640x480 at 25 frames a second, again and again. Between it and
`reelflow watch` stands a TCP proxy, which spoils the line once in `EVERY_S`, each time in another way.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import IO, Annotated
from urllib.parse import urlsplit

import numpy as np
import typer

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.edge import memory_mb, write_bundle, write_video
from reelflow.commandline import run_command, tell
from tests.faults.edge.line import Line, line_to
from tests.reelflow.edge.camera.rtsp_server import rtsp_server

EVERY_S, FOR_S = 180.0, 20.0
SAMPLED_S = 5.0
VIDEO_MINUTES = 10.0
FAULTS: dict[str, Callable[[Line], None]] = {
    "stalls": Line.stall,
    "is cut": Line.cut,
    "drips": Line.drip,
    "flips a byte in 20,000": lambda line: line.corrupt(20_000),
}


def main(
    data: Annotated[Path, typer.Option(help="Folder with weights/.")] = ROOT.parent / "shared" / "data",
    minutes: Annotated[float, typer.Option(help="How long.")] = 60.0,
) -> None:
    """Watch, spoil the line in turns, and print what was found."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = write_bundle(folder / "bundle", data / "weights")
        video = write_video(folder / "camera.mp4", VIDEO_MINUTES)
        with rtsp_server(video) as (address, _), line_to(urlsplit(address).port or 0) as line:
            through = address.replace(f":{urlsplit(address).port}", f":{line.port}")
            command = [sys.executable, "-c", "from reelflow.cli import main; main()", "watch", str(bundle)]
            options = ["--json", "--answers", "--on", "0.01", "--hop", "1", "--timeout", "5"]
            with subprocess.Popen(
                [*command, through, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            ) as process:
                assert process.stdout
                messages: list[dict[str, object]] = []
                reading = Thread(target=_read, args=(process.stdout, messages))
                reading.start()
                memory = _spoil(line, process.pid, minutes * 60)
                process.terminate()
                code = process.wait(30)
                reading.join()
    _tell(messages, memory, code, line.connections)


def _read(lines: IO[str], messages: list[dict[str, object]]) -> None:
    messages.extend(map(json.loads, lines))


def _spoil(line: Line, pid: int, seconds: float) -> list[float]:
    """Spoil the line once in a while; returns the memory, in MB, every few seconds."""
    began, memory, turn, spoiled = time.monotonic(), list[float](), 0, False
    while (passed_s := time.monotonic() - began) < seconds:
        in_turn_s = passed_s - turn * EVERY_S
        if not spoiled and in_turn_s > EVERY_S - FOR_S:
            name = list(FAULTS)[turn % len(FAULTS)]
            tell(f"{passed_s:.0f} s: the line {name}")
            FAULTS[name](line)
            spoiled = True
        if in_turn_s > EVERY_S:
            line.mend()
            turn, spoiled = turn + 1, False
        memory.append(memory_mb(pid))
        time.sleep(SAMPLED_S)
    line.mend()
    return [mb for mb in memory if mb]


def _tell(messages: list[dict[str, object]], memory: list[float], code: int, connections: int) -> None:
    kinds = Counter(str(message["kind"]) for message in messages)
    answers = [message for message in messages if message["kind"] == "answer"]
    states = [message for message in messages if message["kind"] == "source"]
    ages = [float(str(answer["age_s"])) for answer in answers]
    tenth = max(1, len(memory) // 10)
    first, last = np.median(memory[tenth : 2 * tenth]), np.median(memory[-2 * tenth : -tenth])
    lost = Counter(str(state["reason"]).split(":")[0] for state in states if state["state"] == "lost")
    print("| figure | found |\n|---|---|")
    for what, found in {
        "connections that the line saw": connections,
        "reconnects, as told": max(int(str(state["reconnects"])) for state in states),
        "lost": "; ".join(f"{reason} ({count})" for reason, count in lost.items()),
        "dropped frames, as the last answer tells": answers[-1]["dropped"],
        "answers, messages of events": f"{len(answers)}, {kinds['event']}",
        "age of the newest frame of an answer, median and most": (
            f"{np.median(ages):.2f} s, {max(ages):.2f} s"
        ),
        "memory: most, and growth from the second tenth to the ninth": (
            f"{max(memory):.0f} MB, {last - first:.1f} MB"
        ),
        "exit code after SIGTERM": code,
    }.items():
        print(f"| {what} | {found} |")


if __name__ == "__main__":
    run_command(main)
