"""`python -m tests.everything [KIND ...]`: runs every kind of test whole and ends with one table.

A kind is a target of the Makefile, which installs what it needs. A failure does not stop the next kind.
build/tests/KIND.log has the output of a kind, KIND.xml its results. Exits with 1 if anything failed.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.table import Table

from tests.engine import engine_answers

FOLDER = Path("build/tests")
MARKERS = ("browser", "cluster", "s3", "tuf", "docker", "slow", "arm64")
TARGETS = {"check": "check", "test": "test"} | {marker: f"test-{marker}" for marker in MARKERS}
NO_TESTS = re.compile(r"^make.* Error 5$", re.MULTILINE)  # pytest's exit code if it selects no test


NEEDS: dict[str, tuple[str, Callable[[], bool]]] = {
    "arm64": ("Docker engine", engine_answers),
    "browser": ("chromium", lambda: bool(shutil.which("chromium"))),
    "cluster": ("PostgreSQL", lambda: any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))),
    "docker": ("Docker engine", engine_answers),
    "s3": ("radosgw", lambda: bool(shutil.which("radosgw"))),
    "slow": ("radosgw", lambda: bool(shutil.which("radosgw"))),
}
"""What root can install by apt-get and others must have."""


@dataclass
class Outcome:
    """The result of a kind of tests."""

    kind: str
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    note: str = ""
    duration_s: float = 0

    @property
    def cells(self) -> tuple[str, ...]:
        """A row of the table."""
        notes = [self.note] if self.note else []
        notes += [f"{count} skipped: {reason}" for reason, count in self.skipped.most_common()]
        counts = (self.passed, len(self.failed), self.skipped.total())
        return (self.kind, *map(str, counts), clock(self.duration_s), "\n".join(notes))

    def __str__(self) -> str:
        _, passed, failed, skipped, duration, _ = self.cells
        counts = f"{passed} passed, {failed} failed, {skipped} skipped"
        return f"{self.kind}: {self.note or counts} in {duration}"


def main(kinds: Sequence[str]) -> int:
    """Run these kinds, or all; 1 if anything failed."""
    console = Console(soft_wrap=True, markup=False, highlight=False)
    if unknown := sorted(set(kinds) - TARGETS.keys()):
        console.print(f"no kind is called {', '.join(unknown)}; there are {', '.join(TARGETS)}")
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    outcomes = []
    for kind in kinds or TARGETS:
        console.print(f"{kind}: make {TARGETS[kind]} > {FOLDER / kind}.log")
        outcomes.append(run(kind))
        console.print(str(outcomes[-1]))
    console.print(table(outcomes), soft_wrap=False)
    for outcome in outcomes:
        for name in outcome.failed:
            console.print(f"failed: {outcome.kind}: {name}")
    return int(any(outcome.failed for outcome in outcomes))


def run(kind: str) -> Outcome:
    """Run a kind, unless this machine cannot."""
    need, is_there = NEEDS.get(kind, ("", bool))
    if need and not is_there() and not (os.geteuid() == 0 and shutil.which("apt-get")):
        return Outcome(kind, note=f"not run: no {need} here, and only root can install it, by apt-get")
    log, results = FOLDER / f"{kind}.log", FOLDER / f"{kind}.xml"
    results.unlink(missing_ok=True)
    options = f"{os.environ.get('PYTEST_ADDOPTS', '')} --junitxml={results.absolute()}".strip()
    start = time.monotonic()
    with log.open("w", encoding="utf-8") as output:
        code = subprocess.run(
            ["make", TARGETS[kind]],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTEST_ADDOPTS": options},
            check=False,
        ).returncode
    outcome = read(kind, code, log.read_text(encoding="utf-8", errors="replace"), results)
    outcome.duration_s = time.monotonic() - start
    return outcome


def read(kind: str, code: int, log: str, results: Path) -> Outcome:
    """The result of a kind, from make's exit code and output and from pytest's file."""
    outcome = Outcome(kind)
    cases = list(ET.parse(results).iter("testcase")) if results.exists() else []
    for case in cases:
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            outcome.failed.append(f"{case.get('classname')}::{case.get('name')}")
        elif skip is not None:
            outcome.skipped[skip.get("message", "")] += 1
        else:
            outcome.passed += 1
    if results.exists() and not cases and NO_TESTS.search(log):
        outcome.note = "no tests yet"
    elif code and not outcome.failed:
        outcome.failed.append(f"make {TARGETS[kind]}")
        outcome.note = f"make exited with {code}; its last lines: {' / '.join(log.splitlines()[-3:])}"
    elif not cases:
        outcome.passed = 1
    return outcome


def table(outcomes: Sequence[Outcome]) -> Table:
    """A row for each kind, and the time of all."""
    table = Table("kind", "passed", "failed", "skipped", "time", "notes")
    for column in table.columns[1:5]:
        column.justify = "right"
    for outcome in outcomes:
        table.add_row(*outcome.cells)
    table.add_section()
    table.add_row("all", "", "", "", clock(sum(outcome.duration_s for outcome in outcomes)))
    return table


def clock(duration_s: float) -> str:
    """Minutes and seconds."""
    return f"{int(duration_s) // 60}:{int(duration_s) % 60:02}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
