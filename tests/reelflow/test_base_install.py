"""The device needs the base install alone, with the locked versions and with the lowest permitted."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bundles import write_clip

FOREIGN = ("tensorflow", "keras", "yaml", "mlflow", "kfp", "dvc", "boto3", "pyarrow", "matplotlib", "scipy")


@pytest.fixture(scope="module", params=["locked", "lowest"])
def environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs' folder of a virtual environment that holds the base requirements and the wheel."""
    folder = tmp_path_factory.mktemp("device")
    source = folder / "source"
    shutil.copytree("reelflow", source / "reelflow", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(name, source)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    programs = folder / "venv" / "bin"
    install = [Path(sys.executable).parent / "uv", "pip", "install", "-q", "--python", programs / "python"]
    if request.param == "locked":
        subprocess.run([*install, "--require-hashes", "-r", "requirements/base.txt"], check=True)
        subprocess.run([*install, "--no-deps", source], check=True)
    else:
        subprocess.run([*install, "--resolution", "lowest-direct", source], check=True)
    return programs


def run(*command: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, command)], capture_output=True, text=True, cwd=folder, env={"PATH": "/usr/bin:/bin"}
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_base_install_classifies(environment: Path, small_bundle: Path, tmp_path: Path):
    probe = f"import importlib.util as u; print([n for n in {FOREIGN} if u.find_spec(n)])"
    assert run(environment / "python", "-c", probe, folder=tmp_path).stdout.strip() == "[]"

    clip = write_clip(tmp_path / "clip.mp4")
    for command in ("--help", "verify --help", "classify --help", "timeline --help"):
        assert run(environment / "reelflow", *command.split(), folder=tmp_path).returncode == 0
    verified = run(environment / "reelflow", "verify", small_bundle, folder=tmp_path)
    assert (verified.returncode, verified.stderr) == (0, "")
    long = run(environment / "reelflow", "timeline", small_bundle, clip, "--window", "0.2", folder=tmp_path)
    assert (long.returncode, long.stderr) == (0, "")
    found = run(environment / "reelflow", "classify", small_bundle, clip, "--json", folder=tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    here = run(
        Path(sys.executable).parent / "reelflow", "classify", small_bundle, clip, "--json", folder=tmp_path
    )
    expected = json.loads(here.stdout)["scores"]
    assert json.loads(found.stdout)["scores"] == pytest.approx(expected, abs=1e-3)
