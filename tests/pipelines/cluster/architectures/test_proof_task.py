"""What the tasks of a proof do: the functions and commands of the components, as pods run them."""

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.release.step import run as release
from infra.edge.image import DIST
from pipelines.cluster.architectures.clips import clips as lay_out
from pipelines.cluster.architectures.proof import proof
from reelflow.edge.proof.attempt import ProofAttempt
from reelflow.errors import DataError
from reelflow.files import files_below
from reelflow.params import load_params
from reelflow.settings import Settings
from tests.engine import docker
from tests.fake_registry import MemoryRegistry
from tests.videos import write_dataset, write_video
from tests.workplace import ROOT, Workplace

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
HERE = platform.machine()
SmallRun = tuple[Workplace, Path, str]
Attempting = Callable[[Path, Path], ProofAttempt]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("laid-out")
    for seed in range(2):
        write_video(folder / f"{seed:04}.mp4", seed=seed, frames=30)
    return folder


def rendered(paths: Mapping[str, Path]) -> list[str]:
    """The command of the component with its placeholders replaced, as KFP's launcher does."""
    container = proof.component_spec.implementation.container
    kinds = {"bundle": "inputs", "clips": "inputs", "proof": "outputs"}
    text = json.dumps([str(part) for part in (*container.command, *container.args)])
    for name, path in paths.items():
        text = text.replace(f"{{{{$.{kinds[name]}.artifacts['{name}'].path}}}}", str(path))
    assert "{{" not in text
    found: list[str] = json.loads(text)
    return found


@pytest.fixture
def attempting(tmp_path: Path) -> Attempting:
    """Runs the command of the task by this Python; it must end well whatever comes of the proof."""

    def run(bundle: Path, clips: Path) -> ProofAttempt:
        made = tmp_path / "made"
        _, *rest = rendered({"bundle": bundle, "clips": clips, "proof": made})
        subprocess.run([sys.executable, *rest], cwd=ROOT, check=True, capture_output=True)
        return ProofAttempt.read(made)

    return run


def test_the_task_writes_a_proof(attempting: Attempting, edge_bundle: Path, videos: Path):
    made = attempting(edge_bundle, videos)
    assert made.proof
    assert (made.why, made.proof.architecture, len(made.proof.classified)) == ("", HERE, 2)


@pytest.mark.slow
def test_the_task_writes_why_there_is_no_proof(
    attempting: Attempting, edge_bundle: Path, videos: Path, tmp_path: Path
):
    shutil.copytree(edge_bundle, tmp_path / "bundle")
    (tmp_path / "bundle/golden/scores.npy").write_bytes(b"none")
    made = attempting(tmp_path / "bundle", videos)
    assert made.proof is None
    assert "scores.npy" in made.why
    (tmp_path / "none").mkdir()
    assert "found no video to classify" in attempting(edge_bundle, tmp_path / "none").why


def test_a_program_that_crashes_is_told(edge_bundle: Path, videos: Path, tmp_path: Path):
    """LiteRT may be killed by the processor: its parent tells so and ends well."""
    crash = "import os, signal; os.kill(os.getpid(), signal.SIGILL)"
    (tmp_path / "ai_edge_litert").mkdir()
    (tmp_path / "ai_edge_litert/__init__.py").write_text(crash)
    _, *rest = rendered({"bundle": edge_bundle, "clips": videos, "proof": tmp_path / "made"})
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    subprocess.run([sys.executable, *rest], cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert ProofAttempt.read(tmp_path / "made").why == "it was ended by SIGILL"


def artifact(path: Path) -> Any:
    return SimpleNamespace(path=str(path))


def laid_out(dataset: Path, ids: list[str], target: Path, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the task leaves of a data set, whose test clips have these ids."""
    monkeypatch.setattr("reelflow.contracts.EvaluationReport.open", lambda _: SimpleNamespace(clip_ids=ids))
    lay_out.python_func(
        most=2, dataset=artifact(dataset), evaluation=artifact(target), clips=artifact(target)
    )
    return [path.read_bytes() for path in files_below(target)]


def test_the_first_test_clips_are_laid_out_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    paths = [write_video(tmp_path / f"clips/a/{seed}.mp4", seed=seed) for seed in range(4)]
    found = {clip.clip_id: clip for clip in write_dataset(tmp_path / "dataset", paths, tmp_path / "clips")}
    tested = sorted(found)[1:]
    contents = laid_out(tmp_path / "dataset", tested[::-1], tmp_path / "laid-out", monkeypatch)
    wanted = [(tmp_path / "clips" / found[clip_id].path).read_bytes() for clip_id in tested[:2]]
    assert sorted(contents) == sorted(wanted)
    shutil.rmtree(tmp_path / "clips")
    with pytest.raises(DataError, match="none of the test clips"):
        laid_out(tmp_path / "dataset", tested, tmp_path / "again", monkeypatch)


def outputs(small_run: SmallRun) -> dict[str, Path]:
    """The outputs of a run's steps."""
    _, out, _ = small_run
    (dataset,) = (out / "work").glob("dataset-*")
    (frames,) = (out / "work").glob("frames-*")
    evaluations = next(out.rglob("evaluations"))  # of conversion, or of release: the same
    return {"dataset": dataset, "frames": frames, "evaluations": evaluations, "bundle": out / "bundle"}


@pytest.mark.slow
def test_release_compares_what_the_tasks_have_left(
    small_run: SmallRun, attempting: Attempting, tmp_path: Path
):
    """From the outputs of a real run to its gate; only the name of the architecture is made up."""
    inputs = outputs(small_run)
    evaluation = next(path for path in inputs["evaluations"].iterdir() if path.is_dir())
    clips = tmp_path / "clips"
    lay_out.python_func(
        most=3,
        dataset=artifact(inputs["dataset"]),
        evaluation=artifact(evaluation),
        clips=artifact(clips),
    )
    made = attempting(inputs["bundle"], clips)
    assert made.proof
    there = made.proof.model_copy(update={"architecture": "aarch64"})
    (tmp_path / "proof").write_text(ProofAttempt(proof=there).to_json())
    place, _, _ = small_run
    params = load_params(place.params).with_values(release={"architectures": ["aarch64"]}).release
    report = release(
        params,
        **inputs,
        release=tmp_path / "release",
        settings=Settings(),
        registry=MemoryRegistry(),
        clips=clips,
        proof_aarch64=tmp_path / "proof",
    )
    (gate,) = [gate for gate in report.gates if gate.name == "aarch64"]
    assert (gate.found, gate.why, gate.passed) == (1.0, "", True)
    assert report.promoted


@pytest.mark.docker
@pytest.mark.timeout(900)
def test_the_command_runs_in_the_image_of_a_device(edge_bundle: Path, videos: Path, tmp_path: Path):
    """As a pod does: the user of the cluster file, one writable folder. `make wheel` fills dist/."""
    assert list(DIST.glob("*.whl")), "run make wheel"
    index = tmp_path / "images.json"
    build = [sys.executable, "-m", "infra.edge.image", HERE, "--index", index]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    image = json.loads(index.read_text())[f"edge-{HERE}"]
    shutil.copytree(edge_bundle, tmp_path / "bundle")
    shutil.copytree(videos, tmp_path / "clips")
    (tmp_path / "out").mkdir()
    for name, mode in (("bundle", 0o755), ("clips", 0o755), ("out", 0o777)):
        (tmp_path / name).chmod(mode)
    paths = {"bundle": Path("/bundle"), "clips": Path("/clips"), "proof": Path("/out/proof")}
    program, *rest = rendered(paths)
    locked = ["--rm", "--network=none", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--user=10001:10001"]
    volumes = [f"--volume={tmp_path / name}:/{name}" for name in ("bundle", "clips", "out")]
    done = docker("run", *locked, *volumes, f"--entrypoint={program}", image, *rest)
    assert done.returncode == 0, done.stdout
    made = ProofAttempt.read(tmp_path / "out/proof")
    assert made.proof, made.why
    assert (made.proof.architecture, len(made.proof.classified)) == (HERE, 2)
