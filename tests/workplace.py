"""A place to run the pipeline on small generated clips."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
SMALL = {
    "dataset": {"validation": 0.2, "test": 0.3},
    "frames": {"count": 6, "shards": 3},
    "training": {"heads": ["gru", "single_frame"], "epochs": 5, "units": 16, "dense_units": 16},
    "release": {"min_accuracy": 0.0, "require_above_chance": False, "min_class_clips": 0},
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
        return os.environ | {
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "REELFLOW_STORE": str(self.folder / "store"),
            "REELFLOW_SPOOL": str(self.folder / "spool"),
        }

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

    def run(
        self, out: Path, *arguments: str | Path, timeout_s: float = 280
    ) -> subprocess.CompletedProcess[str]:
        process = self.start(out, *arguments)
        output, _ = process.communicate(timeout=timeout_s)
        return subprocess.CompletedProcess(process.args, process.returncode, output)
