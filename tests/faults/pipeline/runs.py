"""Runs of the pipeline that can be killed, and what they leave."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from reelflow.contracts import Summary
from tests.workplace import ROOT, Workplace

Shards = dict[tuple[str, str], tuple[int, int]]
Process = subprocess.Popen[bytes]


def start(place: Workplace, out: Path | None = None) -> Process:
    """A run in a session of its own; what it says goes to `printed.txt`."""
    command = place.command("run", "--params", place.params, "--out", out or place.folder / "out")
    with (place.folder / "printed.txt").open("ab") as file:
        return subprocess.Popen(
            command, cwd=ROOT, env=place.environment, stdout=file, stderr=file, start_new_session=True
        )


def printed(place: Workplace) -> str:
    return (place.folder / "printed.txt").read_text()


def ended_within(process: Process, seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def kill_session(process: Process) -> None:
    """Kill every process of a run at once, as when a machine dies."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 10
    while left := [one for one in psutil.process_iter() if _is_of(one, process.pid)]:
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.01)


def _is_of(one: psutil.Process, session: int) -> bool:
    try:
        return os.getsid(one.pid) == session and one.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ProcessLookupError):
        return False


def finished_shards(out: Path) -> Shards:
    """Which file of the disk every whole shard is, and when it was written."""
    found: Shards = {}
    for note in (out / "work").glob("*/shard-*.json"):
        step = note.parent.name.removeprefix(".").removesuffix(".partial")
        for path in note.parent.glob(f"{note.stem}.*"):
            found[step, path.name] = (path.stat().st_ino, path.stat().st_mtime_ns)
    return found


def events(out: Path) -> list[dict[str, Any]]:
    """What the steps of all attempts have told so far."""
    path = out / "work/events.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def running_task(told: Sequence[dict[str, Any]]) -> str:
    """What a run was at when it had told this much."""
    last = [event for event in told if event["kind"] in ("started", "finished")][-1:]
    if not last:
        return "before the first task"
    return str(last[0]["task"]) if last[0]["kind"] == "started" else f"after {last[0]['task']}"


def results(out: Path) -> dict[str, Any]:
    """What a run found, without how long it took."""
    kept = {"rows", "chosen", "data_hash", "parity", "labels", "baselines"}
    return Summary.read(out / "summary.json").model_dump(include=kept)


def tell(capsys: pytest.CaptureFixture[str], lines: Sequence[str]) -> None:
    """Show counts, whatever pytest captures."""
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
