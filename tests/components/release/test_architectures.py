"""No promotion before the bundle gives the same answers on the device's architecture."""

import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from components.release.gates.architectures import architecture_gates
from reelflow.contracts import Gate
from reelflow.edge.proof.attempt import ProofAttempt
from reelflow.edge.proof.document import Proof
from reelflow.edge.proof.measure import prove
from tests.videos import write_video

HERE = platform.machine()
OTHER = "aarch64" if HERE == "x86_64" else "x86_64"
Docker = Callable[[Proof | str], Path]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [write_video(tmp_path_factory.mktemp("clips") / "a.mp4", frames=30)]


@pytest.fixture(scope="module")
def there(edge_bundle: Path, clips: list[Path]) -> Proof:
    """What another machine would say."""
    return prove(edge_bundle, clips).model_copy(update={"architecture": OTHER})


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    """A program `docker` that prints a proof, or fails with a message; it notes its arguments."""

    def make(answer: Proof | str) -> Path:
        program, noted = tmp_path / "bin/docker", tmp_path / "arguments"
        program.parent.mkdir()
        (tmp_path / "answer").write_text(answer if isinstance(answer, str) else answer.to_json())
        end = f"cat {tmp_path}/answer >&2; exit 125" if isinstance(answer, str) else f"cat {tmp_path}/answer"
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{noted}\n{end}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")
        return noted

    return make


def gate(bundle: Path, clips: list[Path], name: str = OTHER) -> Gate:
    (found,) = architecture_gates([name], bundle, clips, {})
    assert found.name == name
    return found


def test_nothing_runs_unless_it_is_asked_for(edge_bundle: Path, clips: list[Path]):
    assert list(architecture_gates([], edge_bundle, clips, {})) == []


def test_this_machine_is_measured_as_it_is(edge_bundle: Path, clips: list[Path]):
    assert gate(edge_bundle, clips, HERE).passed


def test_the_same_answers_pass(edge_bundle: Path, clips: list[Path], there: Proof, docker: Docker):
    noted = docker(there)
    found = gate(edge_bundle, clips)
    assert (found.found, found.passed) == (1.0, True)
    arguments = noted.read_text().splitlines()
    assert {"--network=none", "--read-only", "--pull=never", f"reelflow-edge:{OTHER}"} <= {*arguments}
    assert f"--volume={edge_bundle.resolve()}:/bundle:ro" in arguments
    assert arguments[-2:] == ["/bundle", "/clips/0.mp4"]


def test_another_answer_does_not(edge_bundle: Path, clips: list[Path], there: Proof, docker: Docker):
    (answer,) = there.classified
    scores = {label: score + 0.1 for label, score in answer.scores.items()}
    docker(there.model_copy(update={"classified": (answer.model_copy(update={"scores": scores}),)}))
    found = gate(edge_bundle, clips)
    assert not found.passed
    assert found.found == pytest.approx(1 - 1 / (1 + len(there.watched)))


@pytest.mark.parametrize(
    ("change", "why"),
    [({"architecture": HERE}, "make edge-image"), ({"code": "0" * 64}, "make edge-image")],
)
def test_an_image_of_other_code_measures_nothing(
    edge_bundle: Path, clips: list[Path], there: Proof, docker: Docker, change: dict[str, str], why: str
):
    docker(there.model_copy(update=change))
    found = gate(edge_bundle, clips)
    assert (found.found, found.passed) == (None, False)
    assert why in found.why


def test_an_engine_without_the_image_measures_nothing(edge_bundle: Path, clips: list[Path], docker: Docker):
    docker(f"Unable to find image 'reelflow-edge:{OTHER}' locally")
    found = gate(edge_bundle, clips)
    assert (found.found, found.passed) == (None, False)
    assert "Unable to find image" in found.why


def test_without_an_engine_nothing_is_measured(
    edge_bundle: Path, clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = gate(edge_bundle, clips)
    assert (found.found, found.passed) == (None, False)
    assert "docker cannot be run" in found.why


def test_without_videos_nothing_is_measured(edge_bundle: Path):
    found = gate(edge_bundle, [])
    assert (found.found, found.passed) == (None, False)
    assert "videos" in found.why


@pytest.fixture
def given(
    edge_bundle: Path, clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Gate]:
    """The gate of what a task of a cluster has left; there is no engine to ask."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def measure(text: str) -> Gate:
        (tmp_path / "proof").write_text(text)
        (found,) = architecture_gates([OTHER], edge_bundle, clips, {OTHER: tmp_path / "proof"})
        return found

    return measure


def test_a_proof_of_another_machine_is_compared_as_one_under_emulation(
    given: Callable[[str], Gate], there: Proof
):
    assert given(ProofAttempt(proof=there).to_json()).passed
    (answer,) = there.classified
    other = answer.model_copy(update={"scores": {label: one + 0.1 for label, one in answer.scores.items()}})
    unlike = given(ProofAttempt(proof=there.model_copy(update={"classified": (other,)})).to_json())
    assert not unlike.passed
    assert unlike.found == pytest.approx(1 - 1 / (1 + len(there.watched)))


@pytest.mark.parametrize("change", [{"architecture": HERE}, {"code": "0" * 64}])
def test_a_proof_of_other_code_or_of_a_wrong_node_measures_nothing(
    given: Callable[[str], Gate], there: Proof, change: dict[str, str]
):
    found = given(ProofAttempt(proof=there.model_copy(update=change)).to_json())
    assert (found.found, found.passed) == (None, False)
    assert "make edge-image" in found.why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (ProofAttempt(why="it was ended by SIGILL").to_json(), "it was ended by SIGILL"),
        ("{", "is not a valid ProofAttempt"),
    ],
)
def test_why_there_is_no_proof_is_the_reason_of_the_gate(given: Callable[[str], Gate], text: str, why: str):
    found = given(text)
    assert (found.found, found.passed) == (None, False)
    assert why in found.why
