"""Champions must be of use: better than always answering one class, tested on enough clips of each class."""

from pathlib import Path

import numpy as np
import pytest

from components.release.step import run
from reelflow.artifacts.evaluations import SCORES
from reelflow.contracts import ClassScores, EvaluationReport, ReleaseReport, Summary
from reelflow.files import sha256_file
from reelflow.params import ReleaseParams, load_params
from reelflow.settings import Settings
from tests.fake_registry import MemoryRegistry
from tests.fake_run import FakeRun, write_run

pytestmark = pytest.mark.usefixtures("undrawn")
PARAMS = load_params(Path("params.yaml")).release


def released(made: FakeRun, folder: Path, **limits: object) -> ReleaseReport:
    params = ReleaseParams.model_validate(PARAMS.model_dump() | limits)
    return run(params, **made.inputs, settings=Settings(), release=folder, registry=MemoryRegistry())


def answer(made: FakeRun, right: dict[str, int]) -> None:
    """Let the first so many clips of each class be right; others get the first other class."""
    for path in made.evaluations.rglob(EvaluationReport.file_name):
        report = EvaluationReport.open(path.parent)
        truth, size = np.array(report.truth), len(report.labels)
        places = [int((truth[:row] == label).sum()) for row, label in enumerate(truth)]
        hit = np.array([places[row] < right[report.labels[label]] for row, label in enumerate(truth)])
        chosen = np.where(hit, truth, (truth + 1) % size)
        np.save(path.parent / SCORES, np.eye(size, dtype=np.float32)[chosen])
        rows = tuple(
            ClassScores(
                label=label,
                precision=0.5,
                recall=float(hit[truth == place].mean()),
                f1=0.5,
                support=int((truth == place).sum()),
            )
            for place, label in enumerate(report.labels)
        )
        report.model_copy(
            update={
                "per_class": rows,
                "metrics": report.metrics | {"accuracy": float(hit.mean())},
                "scores_sha256": sha256_file(path.parent / SCORES),
            }
        ).save(path.parent)


def gates_of(report: ReleaseReport) -> dict[str, tuple[float, bool]]:
    return {gate.name: (gate.found, gate.passed) for gate in report.gates}


@pytest.mark.parametrize(("clips", "right", "passes"), [(5, 4, False), (20, 12, False), (20, 16, True)])
def test_a_champion_is_above_the_most_frequent_class_beyond_noise(tmp_path, clips, right, passes):
    made = write_run(tmp_path / "run", clips_per_class=clips, accuracies={"gru": right / clips})
    report = released(made, tmp_path / "release")
    assert gates_of(report)["require_above_chance"][1] is passes
    assert report.promoted is passes
    if not passes:
        assert "lead over always answering the most frequent class beyond noise" in report.explanation


def test_a_class_that_is_never_recognised_is_told_and_a_gate_if_asked_for(tmp_path):
    made = write_run(tmp_path / "run", ("fall", "sit", "walk"), clips_per_class=20)
    answer(made, {"fall": 0, "sit": 20, "walk": 20})
    report = released(made, tmp_path / "release")
    assert (report.promoted, gates_of(report)["min_class_recall"]) == (True, (0.0, True))
    told = "hardly recognised, less often than by guessing: fall (0 of 20 test clips)"
    assert any(told in text for text in report.warnings)
    assert told in (tmp_path / "release/report.html").read_text()
    assert Summary.read(tmp_path / "release/summary.json").warnings == report.warnings
    report = released(made, tmp_path / "strict", min_class_recall=0.2)
    assert not report.promoted
    assert "lowest share of a class that is recognised is 0 %" in report.explanation


def test_too_few_test_clips_of_a_class_are_a_gate_and_a_warning(tmp_path):
    made = write_run(tmp_path / "run", clips_per_class=3)
    answer(made, {"falling": 3, "rising": 3})
    report = released(made, tmp_path / "release")
    assert gates_of(report)["min_class_clips"] == (3.0, False)
    assert "release.min_class_clips asks for at least 5 test clips" in report.explanation
    assert any("fewer than 5 test clips" in text and "falling (3)" in text for text in report.warnings)


def test_without_the_gate_guessing_is_a_warning(tmp_path):
    made = write_run(tmp_path / "run", clips_per_class=10, accuracies={"gru": 0.5})
    report = released(made, tmp_path / "release", require_above_chance=False)
    assert report.promoted
    assert any("not clearly better than always answering the most frequent" in one for one in report.warnings)


def test_a_good_champion_has_no_warning(tmp_path):
    made = write_run(tmp_path / "run", clips_per_class=20, accuracies={"gru": 0.9})
    assert released(made, tmp_path / "release").warnings == ()


def test_an_architecture_that_is_not_measured_is_told_and_refuses(tmp_path):
    made = write_run(tmp_path / "run", clips_per_class=20, accuracies={"gru": 0.9})
    report = released(made, tmp_path / "release", architectures=["aarch64"])
    assert not report.promoted
    told = "the videos of the test clips are not on this machine"
    assert f"share of answers that are the same on aarch64 is not measured: {told}" in report.explanation
    assert "release.architectures asks for 100 %" in report.explanation
    assert f"not measured: {told}" in (tmp_path / "release/report.html").read_text()
