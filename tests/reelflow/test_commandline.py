"""Command lines end with one message and an exit code."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest
import typer

from reelflow.commandline import _prepare_environment, run_command
from reelflow.errors import ReelflowError, StorageError
from reelflow.settings import Settings


def errors() -> list[type[ReelflowError]]:
    found = [ReelflowError]
    for error in found:
        found += [child for child in error.__subclasses__() if child.__module__ == error.__module__]
    return found


@pytest.mark.parametrize("error", errors())
@pytest.mark.parametrize("as_app", [False, True])
def test_an_error_becomes_a_message_and_its_exit_code(
    error: type[ReelflowError],
    as_app: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    def main() -> None:
        raise error("what was found")

    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    monkeypatch.setattr(sys, "argv", ["step"])
    with pytest.raises(SystemExit) as ended:
        run_command(app if as_app else main)
    assert ended.value.code == error.exit_code
    assert capsys.readouterr() == ("", "error: what was found\n")


@pytest.mark.parametrize("path", ["n" * 300, f"{__file__}/below"])
def test_a_path_that_the_system_refuses_is_named(path: str, capsys: pytest.CaptureFixture[str], monkeypatch):
    def main() -> None:
        Path(path).stat()

    monkeypatch.setattr(sys, "argv", ["step"])
    with pytest.raises(SystemExit) as ended:
        run_command(main)
    assert ended.value.code == StorageError.exit_code
    assert capsys.readouterr().err.startswith(f"error: {path} cannot be used")


def test_a_message_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str], monkeypatch):
    def main() -> None:
        raise ReelflowError("clips:\n  \x1b[31mred")

    monkeypatch.setattr(sys, "argv", ["step"])
    with pytest.raises(SystemExit):
        run_command(main)
    assert capsys.readouterr().err == "error: clips:\n  \\x1b[31mred\n"


def test_success_and_wrong_options(monkeypatch: pytest.MonkeyPatch):
    def main(folder: str) -> None:
        assert folder == "x"

    for arguments, code in ((["x"], 0), ([], 2), (["x", "--none"], 2)):
        monkeypatch.setattr(sys, "argv", ["step", *arguments])
        with pytest.raises(SystemExit) as ended:
            run_command(main)
        assert ended.value.code == code


def test_an_interruption_leaves_no_traceback():
    code = (
        "import time\n"
        "from reelflow.commandline import run_command\n"
        "def main() -> None:\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
        "run_command(main)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell's background job, and what it starts, ignores SIGINT
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, problems = process.communicate(timeout=30)
    assert process.returncode == 130
    assert problems == "stopped; run the same command again to resume\n"


def test_a_step_without_its_inputs_says_so(tmp_path):
    options = [f"--{name}={tmp_path / name}" for name in ("dataset", "frames", "evaluations", "bundle")]
    done = subprocess.run(
        [sys.executable, "-m", "components.conversion", *options],
        capture_output=True,
        text=True,
        env=os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}"},
    )
    assert done.returncode == 5
    assert f"{tmp_path / 'dataset'} does not exist" in done.stderr
    assert "Traceback" not in done.stderr


def environment_of(**variables: str) -> list[str]:
    """The home and temporary folder of a command, and whether a worker of its own could start."""
    code = """
        import os, tempfile
        from pathlib import Path
        from multiprocessing import get_context
        from reelflow.commandline import run_command

        def main():
            with get_context("forkserver").Pool(1) as pool:
                print(Path.home(), tempfile.gettempdir(), pool.apply(abs, (-1,)))

        if __name__ == "__main__":
            run_command(main)
    """
    place = Path(variables["TMPDIR"], "main.py")
    place.write_text(textwrap.dedent(code))
    kept = {name: value for name, value in os.environ.items() if name != "HOME"}
    done = subprocess.run(
        [sys.executable, str(place)],
        env=kept | {"PYTHONPATH": str(Path.cwd())} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_long_temporary_folder_leaves_room_for_sockets(tmp_path):
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    home, short, is_there = environment_of(HOME=str(tmp_path), TMPDIR=str(folder))
    assert (home, is_there) == (str(tmp_path), "1")
    assert len(short) < 30
    assert not Path(short).is_symlink()


def test_an_unknown_user_without_a_home_gets_one(monkeypatch):
    monkeypatch.setattr(Path, "home", classmethod(refuse_home))
    monkeypatch.setenv("HOME", "")
    _prepare_environment()
    assert os.environ["HOME"] == tempfile.gettempdir()
    assert Settings().weights_cache.is_relative_to(Path.cwd())


def refuse_home(cls: type[Path]) -> Path:
    raise RuntimeError("Could not determine home directory.")
