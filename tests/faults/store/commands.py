"""Real commands through the proxy, and what they must have said and left when it spoils their requests."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from reelflow.errors import StorageError
from tests.faults.store import proxy as faults
from tests.faults.store.proxy import FaultyProxy
from tests.faults.store.test_requests import MUTE
from tests.s3_server import SECRET_KEY
from tests.workplace import ROOT

Done = subprocess.CompletedProcess[str]
TIMEOUT_S, MUTE_TIMEOUT_S = 60, 1


def spoiled(
    proxy: FaultyProxy, fault: faults.Fault, cwd: Path, *command: str | Path, **environment: str
) -> Done:
    """Run `MODULE ARGUMENTS...` where a fault is waiting."""
    timeout_s = MUTE_TIMEOUT_S if fault in MUTE else TIMEOUT_S
    return run(proxy, cwd, *command, timeout_s=timeout_s, **environment)


def run(
    proxy: FaultyProxy, cwd: Path, *command: str | Path, timeout_s: float = TIMEOUT_S, **environment: str
) -> Done:
    """Run `MODULE ARGUMENTS...` in a folder, where all that it keeps lies."""
    return subprocess.run(
        [sys.executable, "-m", "tests.faults.store.hasty", str(timeout_s), *map(str, command)],
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "REELFLOW_S3_ENDPOINT": proxy.endpoint,
            "REELFLOW_CLIPS": str(cwd / "fetched"),
            "REELFLOW_EVENTS": str(cwd / "events.jsonl"),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


Case = tuple[str | bool | faults.Fault, ...]


def cases(table: Sequence[Case], *quick: Case) -> list[object]:
    """Faults on kinds of requests, all but the quick ones for the slow tests only."""
    return [
        pytest.param(
            *case,
            id="-".join(getattr(one, "__name__", str(one)) for one in case),
            marks=[] if case in quick else pytest.mark.slow,
        )
        for case in table
    ]


def check_done(done: Done, proxy: FaultyProxy) -> None:
    """It has succeeded."""
    assert done.returncode == 0, account(done, proxy)


def check_told(done: Done, proxy: FaultyProxy) -> None:
    """It has failed as documented, with one line that names the place."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert (done.returncode, len(lines)) == (StorageError.exit_code, 1), account(done, proxy)
    assert "s3://bucket/" in lines[0], account(done, proxy)
    assert "run the same command again" in lines[0], account(done, proxy)
    assert "Traceback" not in done.stderr, account(done, proxy)
    assert SECRET_KEY not in done.stderr + done.stdout
    assert sum(proxy.injected.values()) > 0, account(done, proxy)


def account(done: Done, proxy: FaultyProxy) -> str:
    """What was injected, and what came of it."""
    injected = {kind: count for kind, count in proxy.injected.items() if count}
    counts = f"injected {injected} into {dict(proxy.seen)}"
    return f"{counts}; exit code {done.returncode}\n{done.stdout}{done.stderr}"


def served(proxy: FaultyProxy, *kinds: str, part: str = "") -> Counter[str]:
    """How often each path with this part was served, in requests of these kinds."""
    found: Counter[str] = Counter()
    for (kind, path), count in proxy.served.items():
        if kind in kinds and part in path:
            found[path] += count
    return found
