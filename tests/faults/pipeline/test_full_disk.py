"""A full disk under every writer: one clear line, a code of its own, and a good end once there is room."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reelflow.backbones.mobilenet_v2_quant import FILE
from reelflow.edge.seal import SUMS
from reelflow.errors import StorageError
from reelflow.provenance.step import PROVENANCE, Provenance
from tests.faults.pipeline.disks import Disk, small_disk
from tests.faults.pipeline.runs import results
from tests.workplace import ROOT, Workplace

PLENTY = 400_000_000
SHARES = (0.02, 0.6, 0.8, 0.9)  # of what a whole run leaves
FULL = ("the disk is full", "MB are left on the disk of")
Arguments = Sequence[str | Path]


@dataclass(frozen=True)
class Writer:
    """A command, and where it writes: `OUT`, or a variable's value, which lies on the small disk.

    Attributes:
        step: whose command it is.
        sizes: of the disk, in bytes, with each of which the command must fail.
        variables: of the environment, by a template of the disk's folder; else the output lies there.
        backbone: whose features are made.
        code: with which the command ends: 0 where only the record in MLflow waits.
    """

    step: str
    sizes: tuple[int, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    backbone: str = "thumbnail"
    code: int = StorageError.exit_code


SQLITE = {"MLFLOW_TRACKING_URI": "sqlite:///{}/mlflow.db"}
WRITERS = {
    "dataset": Writer("dataset", (60_000, 500_000)),
    "frames": Writer("frames", (30_000, 550_000)),
    "features": Writer("features", (8_192, 26_000)),
    "baselines": Writer("baselines", (4_096, 8_192)),
    "training": Writer("training", (8_192, 100_000)),
    "evaluation": Writer("evaluation", (8_192, 200_000)),
    "conversion": Writer("conversion", (8_192, 28_000)),
    "release and its report": Writer("release", (8_192, 180_000)),
    "store, frames": Writer("frames", (500_000,), {"REELFLOW_STORE": "{}/store"}),
    "store, features": Writer("features", (26_000,), {"REELFLOW_STORE": "{}/store"}),
    "MLflow": Writer("baselines", (8_192, 700_000), {**SQLITE, "REELFLOW_EVENTS": ""}, code=0),
    "MLflow's registry": Writer("release", (8_192, 1_000_000), SQLITE),
    "temporary files of conversion": Writer("conversion", (16_384, 100_000), {"TMPDIR": "{}"}),
    "temporary files of release": Writer("release", (16_384, 100_000), {"TMPDIR": "{}"}),
    "download of weights": Writer(
        "features", (8_192, 3_000_000), {"REELFLOW_WEIGHTS_CACHE": "{}/cache"}, "mobilenet_v2_quant"
    ),
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk") as made:
        yield made


@pytest.fixture
def mirror(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], str]:
    """Starts a server of the published weights; returns its address."""

    def start() -> str:
        path = tmp_path / "mirror" / FILE.url.split("/", 3)[3]
        path.parent.mkdir(parents=True)
        path.symlink_to(request.getfixturevalue("shared_data") / "weights" / FILE.name)
        handler = partial(Quiet, directory=str(tmp_path / "mirror"))
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        request.addfinalizer(server.server_close)
        request.addfinalizer(server.shutdown)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    return start


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def command_of(writer: Writer, place: Workplace, out: Path, target: Path) -> list[str]:
    """The step's own command, on what a whole run has left, into `target`."""
    made = {path.name.rsplit("-", 1)[0]: path for path in (out / "work").glob("[!.]*-*") if path.is_dir()}
    models = {json.loads(path.read_text())["head"]: path.parent for path in out.glob("work/*/training.json")}
    whole = out / "work" / "kfp" / "conversion" / "evaluations"
    data, frames = ("--dataset", made["dataset"]), ("--frames", made["frames"])
    inputs: Mapping[str, Arguments] = {
        "dataset": ("--source", place.folder / "recipe.yaml", "--dataset"),
        "frames": (*data, "--frames"),
        "features": (*data, *frames, "--backbone", writer.backbone, "--features"),
        "baselines": (*data, *frames, "--baselines"),
        "training": (*data, "--features", made["features"], "--head", "gru", "--model"),
        "evaluation": (
            *(*data, "--features", made["features"], "--baselines", made["baselines"]),
            *("--model", models["gru"], "--evaluation"),
        ),
        "conversion": (*data, *frames, "--evaluations", whole, "--bundle"),
        "release": (*data, *frames, "--evaluations", whole, "--bundle", made["conversion"], "--release"),
    }
    line = (f"components.{writer.step}", *inputs[writer.step], target, "--params", place.params)
    return [sys.executable, "-m", *map(str, line)]


def attempt(line: list[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a command; returns its code and the last line it said, which must be no part of a traceback."""
    done = subprocess.run(line, cwd=ROOT, env=environment, text=True, capture_output=True, check=False)
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    return done.returncode, said.strip().splitlines()[-1] if said.strip() else ""


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_a_writer_says_that_the_disk_is_full_and_goes_on_when_there_is_room(
    small_run: tuple[Workplace, Path, str], disk: Disk, tmp_path: Path, mirror: Callable[[], str], name: str
) -> None:
    place, out, _ = small_run
    writer = WRITERS[name]
    target = (tmp_path if writer.variables else disk.folder) / "made"
    environment = os.environ | {
        "REELFLOW_STORE": "none",
        "REELFLOW_EVENTS": str(tmp_path / "events.jsonl"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "no_proxy": "*",
    }
    environment |= {name: value.format(disk.folder) for name, value in writer.variables.items()}
    if writer.backbone != "thumbnail":
        environment["REELFLOW_WEIGHTS_MIRROR"] = mirror()
    line = command_of(writer, place, out, target)
    for size_bytes in writer.sizes:
        disk.resize(size_bytes)
        code, said = attempt(line, environment)
        assert code == writer.code, said
        assert said.startswith("error: ") or "track replay records it" in said
        assert any(words in said for words in FULL), said
        # what MLflow refuses is finished, and so is what the registry has no room for on the way
        is_whole = "MLFLOW_TRACKING_URI" in writer.variables or name == "temporary files of release"
        assert (target / PROVENANCE).exists() <= is_whole
    disk.resize(PLENTY)
    code, said = attempt(line, environment)
    assert code == 0, said
    assert Provenance.read(target / PROVENANCE).step == writer.step
    if writer.step in ("dataset", "frames", "baselines", "conversion") and writer.backbone == "thumbnail":
        assert same_files(target, next(out.glob(f"work/{writer.step}-*")))


def same_files(one: Path, other: Path) -> bool:
    """Whether two outputs hold the same files, byte by byte; pictures apart, and what tells of the run."""
    found = [
        {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and path.suffix != ".png" and path.name not in (PROVENANCE, SUMS)
        }
        for folder in (one, other)
    ]
    return found[0] == found[1]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_whole_run_goes_on_wherever_its_disk_was_full(
    small_run: tuple[Workplace, Path, str], workplace: Workplace, disk: Disk
) -> None:
    _, untouched, _ = small_run
    line = workplace.command("run", "--params", workplace.params, "--out", disk.folder / "out")
    files = {stat.st_ino: stat for stat in (path.stat() for path in untouched.rglob("*") if path.is_file())}
    whole = sum(stat.st_size for stat in files.values())
    failed = []
    for share in SHARES:
        disk.resize(int(share * whole))
        code, said = attempt(line, workplace.environment)
        assert code == StorageError.exit_code, said
        assert any(words in said for words in FULL), said
        failed.append(said)
    disk.resize(PLENTY)
    assert attempt(line, workplace.environment)[0] == 0
    assert results(disk.folder / "out") == results(untouched)
    assert len(set(failed)) > len(SHARES) // 2
