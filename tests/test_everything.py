"""`make test-all`: every kind of test is run, and one table shows the result of each."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.everything import TARGETS
from tests.workplace import ROOT

PASS = '<testcase classname="tests.a" name="good"/>'
FAIL = '<testcase classname="tests.a" name="bad"><failure message="no"/></testcase>'
ERROR = '<testcase classname="tests.a" name="worse"><error message="no"/></testcase>'
SKIP = "<testcase name='off'><skipped type='pytest.skip' message='no real data'/></testcase>"
MAKE = """#!{python}
import os, re, sys
from pathlib import Path

target = sys.argv[1]
answers = Path("answers", target)
print("output of", target)
results = re.search(r"--junitxml=(\\S+)", os.environ["PYTEST_ADDOPTS"]).group(1)
if answers.with_suffix(".xml").exists():
    Path(results).write_text(answers.with_suffix(".xml").read_text())
code = int(answers.read_text()) if answers.exists() else 0
if code:
    print(f"make: *** [Makefile:1: {{target}}] Error {{code}}")
    sys.exit(2)
"""


class Checkout:
    """A folder in which `make` answers as a test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "answers").mkdir()
        program = folder / "bin" / "make"
        program.parent.mkdir()
        program.write_text(MAKE.format(python=sys.executable))
        program.chmod(0o755)

    def answer(self, target: str, *cases: str, code: int = 0) -> None:
        """What pytest writes for a target, and how it exits."""
        (self.folder / "answers" / f"{target}.xml").write_text(f"<testsuite>{''.join(cases)}</testsuite>")
        (self.folder / "answers" / target).write_text(str(code))

    def run(self, *kinds: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        own = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
        return subprocess.run(
            [sys.executable, "-m", "tests.everything", *kinds],
            cwd=self.folder,
            env=own | {"PYTHONPATH": str(ROOT), "PATH": path, "COLUMNS": "160"} | environment,
            capture_output=True,
            text=True,
        )


@pytest.fixture
def everything(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def rows(printed: str) -> dict[str, list[str]]:
    """The table's rows by their first cell."""
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if "│" in line]
    return {cells[0]: cells[1:] for cells in lines if cells[0]}


def test_a_failure_does_not_stop_the_next_kind(everything: Checkout) -> None:
    everything.answer("check", code=1)
    everything.answer("test", PASS, PASS, FAIL, ERROR, SKIP, SKIP, code=1)
    everything.answer("test-slow", PASS)
    done = everything.run("check", "test", "slow")
    assert done.returncode == 1
    found = rows(done.stdout)
    assert found["check"][:3] == ["0", "1", "0"]
    assert "make exited with 2" in found["check"][4]
    assert found["test"][:3] == ["2", "2", "2"]
    assert found["test"][4] == "2 skipped: no real data"
    assert found["slow"][:3] == ["1", "0", "0"]
    assert "failed: test: tests.a::bad" in done.stdout
    assert "failed: test: tests.a::worse" in done.stdout
    assert (everything.folder / "build/tests/slow.log").read_text() == "output of test-slow\n"


def test_all_kinds_are_run_in_a_row(everything: Checkout) -> None:
    for kind, target in TARGETS.items():
        everything.answer(target, *([] if kind in ("check", "arm64") else [PASS]), code=5 * (kind == "arm64"))
    done = everything.run()
    assert done.returncode == 0
    found = rows(done.stdout)
    assert list(found) == [*TARGETS, "all"]
    assert found["check"][:3] == ["1", "0", "0"]
    assert found["arm64"][:3] == ["0", "0", "0"]
    assert found["arm64"][4] == "no tests yet"


@pytest.mark.parametrize("code", [2, 4])
def test_only_an_empty_selection_is_no_failure(everything: Checkout, code: int) -> None:
    everything.answer("test-arm64", code=code)
    done = everything.run("arm64")
    assert done.returncode == 1
    assert rows(done.stdout)["arm64"][:2] == ["0", "1"]


def test_results_of_an_earlier_run_are_not_read(everything: Checkout) -> None:
    everything.answer("test", PASS)
    assert everything.run("test").returncode == 0
    (everything.folder / "answers" / "test.xml").unlink()
    (everything.folder / "answers" / "test").write_text("2")
    done = everything.run("test")
    assert done.returncode == 1
    assert rows(done.stdout)["test"][:2] == ["0", "1"]


def test_what_cannot_run_says_why(everything: Checkout) -> None:
    done = everything.run("browser", PATH=str(everything.folder / "bin"))
    assert done.returncode == 0
    assert re.search("not run: no chromium", done.stdout)


def test_unknown_kinds_are_refused(everything: Checkout) -> None:
    done = everything.run("fast")
    assert done.returncode == 2
    assert "no kind is called fast; there are check, test" in done.stdout
    assert not (everything.folder / "build").exists()


def test_every_marker_and_target_is_a_kind() -> None:
    makefile, project = (ROOT / "Makefile").read_text(), (ROOT / "pyproject.toml").read_text()
    (targets,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    tests = {name for name in targets.split() if name.startswith("test")} - {"test-all"}
    assert tests | {"check"} == set(TARGETS.values())
    markers = re.findall(r'^    "(\w+): .*\(make test-\1\)",$', project, re.MULTILINE)
    assert {f"test-{marker}" for marker in markers} == set(TARGETS.values()) - {"check", "test"}
