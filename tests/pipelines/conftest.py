"""A small but whole run of the pipeline, once a session, and ways to start others."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
SMALL = {
    "dataset": {"validation": 0.2, "test": 0.3},
    "frames": {"count": 6, "shards": 3},
    "training": {"heads": ["gru", "single_frame"], "epochs": 5, "units": 16, "dense_units": 16},
    "release": {"min_accuracy": 0.0},
}
RECIPE = {"groups": 5, "clips_per_group": 1}


class Workplace:
    """A folder with params, an MLflow of its own, and outputs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tracking_uri = f"sqlite:///{folder / 'mlflow.db'}"
        self.params = folder / "params.yaml"
        self.write_params()

    def write_params(self, **changes: dict[str, object]) -> None:
        """The small params, with further values changed."""
        recipe = yaml.safe_load((ROOT / "components" / "dataset" / "embedded.yaml").read_text()) | RECIPE
        (self.folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        document = yaml.safe_load((ROOT / "params.yaml").read_text())
        for section, values in (*SMALL.items(), *changes.items()):
            document[section].update(values)
        document["dataset"].setdefault("source", "")
        if "source" not in changes.get("dataset", {}):
            document["dataset"]["source"] = str(self.folder / "recipe.yaml")
        self.params.write_text(yaml.safe_dump(document, sort_keys=False))

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"MLFLOW_TRACKING_URI": self.tracking_uri, "TF_CPP_MIN_LOG_LEVEL": "2"}

    def command(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "pipelines", *map(str, arguments)]

    def start(self, out: Path, *arguments: str | Path) -> subprocess.Popen[str]:
        command = self.command("run", "--params", self.params, "--out", out, *arguments)
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, out: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        process = self.start(out, *arguments)
        output, _ = process.communicate(timeout=280)
        return subprocess.CompletedProcess(process.args, process.returncode, output)


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workplace, Path, str]:
    """A finished run: its workplace, its folder, and what it printed."""
    place = Workplace(tmp_path_factory.mktemp("small-run"))
    done = place.run(place.folder / "out")
    assert done.returncode == 0, done.stdout
    return place, place.folder / "out", done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project's own files, under git, as a user has it."""
    target = tmp_path / "checkout"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    subprocess.run(["git", "init", "-q"], cwd=target, check=True)
    return target
