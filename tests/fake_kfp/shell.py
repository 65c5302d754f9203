"""`python -m pipelines` in this process: its exit code, and what it prints."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from pipelines.__main__ import app
from pipelines.cluster.api.client import RETRY
from reelflow.commandline import run_command


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Shell = Callable[..., Done]


def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A function that runs a command line."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(RETRY, "backoff_factor", 0)
    monkeypatch.setattr(RETRY, "backoff_jitter", 0)
    for name in ("REELFLOW_KFP_HOST", "REELFLOW_KFP_TOKEN", "REELFLOW_KFP_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["pipelines", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run_command(app)
        printed = capsys.readouterr()
        return Done(int(ended.value.code or 0), printed.out, printed.err)

    return run
