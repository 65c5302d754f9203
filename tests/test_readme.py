"""Every command of the README works as it stands there."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.cluster_files import cluster_with_images
from tests.fake_kfp import FakeKfp
from tests.slowly import slow_but
from tests.workplace import ROOT

BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
TESTS = {"make test", "make test-all"}
CACHES = (
    "python -m pipelines data status",
    "python -m pipelines data push --remote caches",
    "python -m pipelines data pull --remote caches",
)
COMPILE = "python -m pipelines compile --cluster infra/cluster.yaml --output build/training.yaml"
ON_A_CLUSTER = {
    COMPILE,
    "python -m pipelines submit",
    "python -m pipelines schedule apply",
}
IN_IMAGES = ("make wheel", "make images", "python -m pipelines run --runner docker --out out/docker")
SEARCH = "python -m pipelines sweep --data clips --trials 20"
REPRODUCTION = (
    "python -m pipelines reproduce study-a --data UCF-101 --weights weights --backbones mobilenet_v2_quant"
)
SECOND = "python -m pipelines reproduce study-b --data UCF-101"
IN_A_CLONE = {
    SEARCH,
    REPRODUCTION,
    SECOND,
    "make run",
    "make run DATA=clips PROTOCOL=leave_one_group_out HEADS=segment_linear OUT=out/folds",
    "make run DATA=clips OUT=out/mine",
    "make run DATA=clips PARAMS=params.large.yaml OUT=out/recurrent",
    "make run DATA=clips WEIGHTS=weights OUT=out/mobilenet",
    "make repro",
    "make ui",
}


def commands() -> set[str]:
    blocks = BLOCK.findall((ROOT / "README.md").read_text())
    return {line for block in blocks for line in block.splitlines() if line}


QUICK = commands() - TESTS - {*CACHES, *IN_IMAGES} - ON_A_CLUSTER - IN_A_CLONE  # which no other test runs


@pytest.fixture
def place(checkout, small_run) -> Path:
    """A checkout in which a run has finished."""
    _, out, _ = small_run
    shutil.copytree(out / "bundle", checkout / "out" / "bundle")
    clips = next((out / "work").glob("dataset-*")) / "clips"
    shutil.copy(next(clips.rglob("*.mp4")), checkout / "clip.mp4")
    for name, precision in (("inception", 0.9), ("mobilenet", 0.8)):
        table = f"label,precision,recall,f1,support\nPunch,{precision},0.7,0.8,39\nYoYo,0.6,0.6,0.6,36\n"
        (checkout / f"{name}.csv").write_text(table)
    return checkout


def shell(command: str, folder: Path, timeout_s: float = 120) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        command.split(), cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout_s
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("command", slow_but(sorted(QUICK), *QUICK - {"reelflow benchmark out/bundle"}))
def test_a_quick_command(place, command):
    printed = shell(command, place)
    assert printed
    if command.endswith("--json"):
        first = json.loads(printed.splitlines()[0])
        assert set(first) == {"clip", "label", "rejected", "scores", "seconds"} or first["kind"] == "source"


@pytest.mark.slow
def test_caches_are_pushed_and_pulled(checkout, small_run, monkeypatch, tmp_path):
    here, _, _ = small_run
    status, push, pull = CACHES
    monkeypatch.setenv("REELFLOW_STORE", str(here.folder / "store"))
    assert "frames" in shell(status, checkout)
    shards = re.findall(r"pushed (\d+) shards", shell(push, checkout))
    assert int(shards[0]) > 0
    monkeypatch.setenv("REELFLOW_STORE", str(tmp_path / "empty"))
    assert f"pulled {shards[0]} shards" in shell(pull, checkout)


@pytest.mark.parametrize("command", slow_but(sorted(ON_A_CLUSTER), COMPILE))
def test_a_command_on_a_cluster(checkout, monkeypatch, command):
    (checkout / "build").mkdir()
    cluster_with_images(checkout / "build")
    with FakeKfp("reelflow") as kfp:
        monkeypatch.setenv("REELFLOW_KFP_HOST", kfp.host)
        assert shell(command, checkout)


@pytest.mark.docker
@pytest.mark.timeout(3600)
def test_the_commands_with_images(checkout):
    (checkout / ".venv").symlink_to(ROOT / ".venv")
    for stamp in ("run", "dev"):
        (ROOT / ".venv" / stamp).touch()  # the checkout's files are newer
    for command in IN_IMAGES:
        shell(command, checkout, timeout_s=3000)


in_the_clone = pytest.mark.xdist_group("clone")  # one worker has the clone
LEFT_OUT = re.compile(r"set1_seq09|set2")
"""So that 48 clips of eight groups stay: what is tested is the commands, not how well they learn."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory, shared_data) -> Path:
    """A clean clone of what is committed, with clips and weights as the README names them."""
    folder = tmp_path_factory.mktemp("clone") / "reelflow"
    subprocess.run(["git", "clone", "-q", ROOT, folder], check=True)
    clips, own = shared_data / "clips" / "ut_interaction", folder / "clips"
    shutil.copytree(clips, own, ignore=lambda _, names: {one for one in names if LEFT_OUT.match(one)})
    header, *rows = (clips / "groups.csv").read_text().splitlines()
    kept = [row for row in rows if (own / row.partition(",")[0]).is_file()]
    (own / "groups.csv").write_text("\n".join([header, *kept]) + "\n")
    (folder / "UCF-101").symlink_to(shared_data / "clips" / "ucf101")
    (folder / "ucfTrainTestlist").symlink_to(shared_data / "ucf101_splits")
    (folder / "weights").symlink_to(shared_data / "weights")
    return folder


@in_the_clone
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_two_minute_promise_of_make_run(clone):
    make("make run", clone)  # sets everything up, which may take as long as it takes
    summary = json.loads((clone / "out" / "summary.json").read_text())
    accuracy = {row["head"]: row["accuracy"] for row in summary["rows"]}
    assert accuracy["gru"] >= 0.9
    assert accuracy["gru"] >= max(accuracy["single_frame"], *summary["baselines"].values()) + 0.30
    parity = summary["parity"]
    assert abs(parity["keras_accuracy"] - parity["litert_accuracy"]) * parity["clips"] <= 1.001
    assert (clone / "out" / "report.html").is_file()


@in_the_clone
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("command", "out", "backbones"),
    [
        ("make run DATA=clips OUT=out/mine", "out/mine", {"thumbnail"}),
        ("make run DATA=clips PARAMS=params.large.yaml OUT=out/recurrent", "out/recurrent", {"thumbnail"}),
        (
            "make run DATA=clips WEIGHTS=weights OUT=out/mobilenet",
            "out/mobilenet",
            {"mobilenet_v2_quant", "mobilenet_v2_640x352"},
        ),
    ],
)
def test_own_clips(clone, command, out, backbones):
    make(command, clone)
    summary = json.loads((clone / out / "summary.json").read_text())
    assert {row["backbone"] for row in summary["rows"]} == backbones
    assert len(summary["labels"]) == 6
    parity = summary["parity"]
    assert abs(parity["keras_accuracy"] - parity["litert_accuracy"]) * parity["clips"] <= 1.001


@in_the_clone
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_folds_of_own_clips(clone):
    make("make run DATA=clips PROTOCOL=leave_one_group_out HEADS=segment_linear OUT=out/folds", clone)
    summary = json.loads((clone / "out" / "folds" / "summary.json").read_text())
    (row,) = summary["rows"]
    assert (summary["protocol"], row["test_clips"]) == ("leave_one_group_out", 48)
    assert row["accuracy_interval"]["low"] < row["accuracy"] < row["accuracy_interval"]["high"]


@in_the_clone
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("command", "shorter", "result"),
    [
        (SEARCH, "--trials 3", "out/sweep/best.yaml"),
        (REPRODUCTION, "--epochs 2 --heads single_frame", "out/reproduction/study-a/study-a.md"),
        (
            SECOND,
            "--epochs 2 --backbones thumbnail --heads gru --no-random-cut",
            "out/reproduction-b/study-b/study-b.md",
        ),
    ],
)
def test_long_commands_made_shorter(clone, command, shorter, result):
    make("make .venv/run", clone)
    printed = make(f".venv/bin/{command} {shorter}", clone)
    assert (clone / result).is_file(), printed


@in_the_clone
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_repro_twice(clone):
    make("make repro", clone)
    again = make("make repro", clone)
    assert again.count("Running stage") == 2  # check and code, which look at what DVC cannot watch
    assert again.count("didn't change, skipping") > 8


@in_the_clone
@pytest.mark.slow
def test_the_ui_opens(clone):
    process = subprocess.Popen(["make", "ui"], cwd=clone, env=clean_environment(), start_new_session=True)
    try:
        assert b"MLflow" in fetch("http://127.0.0.1:5000/")
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=60)


def fetch(url: str) -> bytes:
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.read()
        except OSError:
            assert time.monotonic() < deadline, "make ui does not answer"
            time.sleep(0.5)


def make(command: str, folder: Path) -> str:
    done = subprocess.run(
        command.split(),
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=1700,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def clean_environment() -> dict[str, str]:
    """The environment without what a test runner or an MLflow user has set."""
    unwanted = ("MLFLOW_", "REELFLOW_", "MAKE", "MFLAGS", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
