"""Commands through the proxy, and what they must print and leave when it spoils their requests.

They run in this process, because their imports take longer than their work.
"""

import io
import runpy
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from reelflow.errors import StorageError
from reelflow.objectstore.client import POLICY
from tests.faults.store import proxy as faults
from tests.faults.store.conftest import CALM
from tests.faults.store.proxy import FaultyProxy
from tests.faults.store.test_requests import MUTE
from tests.s3_server import SECRET_KEY

TIMEOUT_S, MUTE_TIMEOUT_S = 60, 0.5
PAGE_SIZE = 4


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


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
    module, *arguments = map(str, command)
    places = {
        "REELFLOW_S3_ENDPOINT": proxy.endpoint,
        "REELFLOW_CLIPS": str(cwd / "fetched"),
        "REELFLOW_EVENTS": str(cwd / "events.jsonl"),
    }
    stdout, stderr, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(stdout), redirect_stderr(stderr):
        patch.chdir(cwd)
        patch.setattr(sys, "argv", [module, *arguments])
        patch.delitem(sys.modules, f"{module}.__main__", raising=False)  # runpy warns of it
        for name, value in {**places, **environment}.items():
            patch.setenv(name, value)
        for name, value in {**vars(CALM), "page_size": PAGE_SIZE, "timeout_s": timeout_s}.items():
            patch.setitem(vars(POLICY), name, value)
        try:
            runpy.run_module(module, run_name="__main__")
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Done(code, stdout.getvalue(), stderr.getvalue())


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
