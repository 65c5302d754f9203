import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.release.step import run
from reelflow.artifacts.evaluations import read_candidates
from reelflow.contracts import BundleReport, Parity, ReleaseReport, Summary
from reelflow.edge.seal import seal
from reelflow.errors import BundleError, RegistryError, TrackingError
from reelflow.params import ReleaseParams, load_params
from reelflow.settings import Settings
from tests.fake_registry import MemoryRegistry
from tests.fake_run import FakeRun, write_run

PARAMS = load_params(Path("params.yaml")).release.model_copy(update={"require_above_chance": False})


@pytest.fixture
def made(tmp_path) -> FakeRun:
    return write_run(tmp_path / "run")


def released(made: FakeRun, folder: Path, registry: MemoryRegistry | None = None, **limits) -> ReleaseReport:
    params = ReleaseParams.model_validate(PARAMS.model_dump() | limits)
    return run(
        params, **made.inputs, settings=Settings(), release=folder, registry=registry or MemoryRegistry()
    )


def test_a_bundle_that_passes_every_gate_becomes_champion(made, tmp_path):
    registry = MemoryRegistry()
    report = released(made, tmp_path / "release", registry)
    assert report.promoted
    assert report.aliases == ("challenger", "champion")
    assert registry.alias("reelflow", "champion") == registry.alias("reelflow", "challenger") == 1
    assert report.explanation == (
        "thumbnail-gru is the champion of reelflow (version 1): it passes every gate."
    )
    tags = registry.tags("reelflow", 1)
    assert (tags["classifier"], tags["accuracy"], tags["litert_accuracy"]) == ("thumbnail-gru", "0.8", "0.8")
    assert ReleaseReport.open(tmp_path / "release") == report


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (
            {"min_accuracy": 0.9},
            "accuracy on clips that were held out is 80 %, and release.min_accuracy asks for at least 90 %",
        ),
        (
            {"max_size_mb": 0.0005},
            "size of the bundle is 0.00103 MB, and release.max_size_mb asks for at most 0.0005 MB",
        ),
    ],
)
def test_a_refusal_is_a_result_that_says_why(made, tmp_path, limits, reason):
    registry = MemoryRegistry()
    report = released(made, tmp_path / "release", registry, **limits)
    assert not report.promoted
    assert report.explanation == (
        f"thumbnail-gru (version 1 of reelflow) is not promoted: {reason}. There is no champion yet."
    )
    assert (registry.alias("reelflow", "challenger"), registry.alias("reelflow", "champion")) == (1, None)
    failed = {gate.name for gate in report.gates if not gate.passed}
    assert failed == set(limits)
    assert Summary.read(tmp_path / "release" / "summary.json").promoted is False


class RefusingRegistry(MemoryRegistry):
    """Refuses at one of the calls of a release."""

    def __init__(self, call: str) -> None:
        super().__init__()

        def refuse(*_: object, **__: object) -> None:
            raise TrackingError("MLflow at http://x: 503")

        setattr(self, call, refuse)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("call", ["register", "set_alias", "alias"])
def test_what_is_finished_is_kept_where_the_registry_refuses(made, tmp_path, call):
    with pytest.raises(RegistryError, match="503; the report and the bundle are finished") as caught:
        released(made, tmp_path / "release", RefusingRegistry(call))
    assert caught.value.exit_code == TrackingError.exit_code
    report = ReleaseReport.open(tmp_path / "release")
    assert (report.version, report.promoted, report.aliases) == (0, False, ())
    assert "is not registered: MLflow at http://x: 503" in report.explanation
    report = (tmp_path / "release" / "report.html").read_text()
    assert "is not registered" in report
    assert "Registered as version" not in report
    assert Summary.read(tmp_path / "release" / "summary.json").promoted is False


def test_a_bundle_whose_lineage_nothing_covers_is_not_released(made, tmp_path):
    (made.bundle / "SHA256SUMS").unlink()
    with pytest.raises(BundleError, match="has no SHA256SUMS, so that nothing covers its lineage"):
        released(made, tmp_path / "release")


@pytest.mark.usefixtures("undrawn")
def test_conversion_losses_are_gates_too(tmp_path):
    parity = Parity(
        clips=10, agreement=0.9, max_score_difference=0.1, keras_accuracy=0.8, litert_accuracy=0.7
    )
    report = released(write_run(tmp_path / "run", parity=parity), tmp_path / "release")
    assert {gate.name: gate.passed for gate in report.gates} == {
        "min_accuracy": True,
        "min_agreement": False,
        "max_accuracy_drop": False,
        "min_class_recall": True,
        "min_class_clips": True,
        "max_size_mb": True,
        "max_calibration_error": True,
        "min_video_parity": True,
    }


@pytest.mark.usefixtures("undrawn")
def test_a_figure_right_at_its_limit_passes(tmp_path):
    parity = Parity(
        clips=50, agreement=0.98, max_score_difference=0, keras_accuracy=0.8, litert_accuracy=0.78
    )
    report = released(write_run(tmp_path / "run", parity=parity), tmp_path / "release", min_accuracy=0.78)
    assert report.promoted  # though 0.8 - 0.78 is a little above 0.02 in binary


@pytest.mark.usefixtures("undrawn")
def test_on_a_sample_only_the_loss_is_measured(tmp_path):
    parity = Parity(clips=5, agreement=0.98, max_score_difference=0, keras_accuracy=0.6, litert_accuracy=0.59)
    report = released(write_run(tmp_path / "run", parity=parity), tmp_path / "release")
    (gate,) = [gate for gate in report.gates if gate.name == "min_accuracy"]
    assert gate.found == pytest.approx(0.8 - 0.01), "of all test clips, less what conversion lost"


@pytest.mark.usefixtures("undrawn")
def test_a_worse_bundle_leaves_the_champion_where_it_is(tmp_path):
    registry = MemoryRegistry()
    released(write_run(tmp_path / "good"), tmp_path / "r1", registry)
    bad = write_run(tmp_path / "bad", accuracies={"gru": 0.2})
    report = released(bad, tmp_path / "r2", registry)
    assert (report.version, report.aliases) == (2, ("challenger",))
    assert registry.alias("reelflow", "champion") == 1
    assert report.explanation.endswith("Version 1 stays champion.")


@pytest.mark.usefixtures("undrawn")
def test_the_same_bundle_again_is_the_same_version(made, tmp_path):
    registry = MemoryRegistry()
    first = released(made, tmp_path / "r1", registry)
    again = released(made, tmp_path / "r2", registry, min_accuracy=0.99)
    assert (first.version, again.version) == (1, 1)
    assert not again.promoted
    assert again.explanation.endswith("It stays champion from an earlier release.")


@pytest.mark.usefixtures("undrawn")
def test_the_summary_has_a_row_for_each_candidate_the_chosen_one_first(tmp_path):
    made = write_run(tmp_path / "run", accuracies={"lstm": 0.7, "gru": 0.9, "single_frame": 0.8})
    released(made, tmp_path / "release")
    summary = Summary.read(tmp_path / "release" / "summary.json")
    assert [row.head for row in summary.rows] == ["lstm", "gru", "single_frame"]
    assert summary.chosen == "thumbnail-lstm"
    assert (summary.rows[0].accuracy, summary.rows[0].test_clips) == (0.7, 10)
    assert summary.data_hash == BundleReport.open(made.bundle).data_hash
    assert summary.seconds == {}


def test_dvc_finds_metrics_curves_and_confusion(made, tmp_path):
    released(made, tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert set(metrics) == {"bundle", *(candidate.name for candidate in read_candidates(made.evaluations))}
    assert metrics["bundle"]["accuracy"] == 0.8
    with (tmp_path / "curves.csv").open() as file:
        curves = list(csv.DictReader(file))
    assert [row["epoch"] for row in curves] == ["1", "2", "3"]
    assert [row["validation_loss"] for row in curves] == ["0.8", "0.6", "0.4"]
    with (tmp_path / "confusion.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10
    assert sum(row["actual"] == row["predicted"] for row in rows) == 8


def test_the_same_inputs_give_the_same_bytes(made, tmp_path):
    for name in ("a", "b"):
        released(made, tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


def test_a_bundle_of_other_data_is_refused_before_it_is_registered(made, tmp_path):
    registry = MemoryRegistry()
    BundleReport.open(made.bundle).model_copy(update={"data_hash": "ab" * 32}).save(made.bundle)
    seal(made.bundle)
    with pytest.raises(BundleError, match="has other clips"):
        released(made, tmp_path / "release", registry)
    assert registry.alias("reelflow", "challenger") is None
    assert not (tmp_path / "release" / "release.json").exists()


def test_a_damaged_bundle_is_refused(made, tmp_path):
    (made.bundle / "head.tflite").write_bytes(b"other" * 200)
    with pytest.raises(BundleError, match="altered"):
        released(made, tmp_path / "release")


def test_a_bundle_of_no_candidate_is_refused(made, tmp_path):
    BundleReport.open(made.bundle).model_copy(update={"name": "thumbnail-lstm"}).save(made.bundle)
    seal(made.bundle)
    with pytest.raises(BundleError, match="not one of the evaluated thumbnail-gru, thumbnail-single_frame"):
        released(made, tmp_path / "release")


def command(made: FakeRun, out: Path, **environment: str) -> subprocess.CompletedProcess:
    options = [word for name, path in made.inputs.items() for word in (f"--{name}", str(path))]
    return subprocess.run(
        [sys.executable, "-m", "components.release", *options, "--release", str(out)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_command_registers_in_mlflow_and_says_what_became_of_it(tmp_path):
    made = write_run(tmp_path / "run", accuracies={"gru": 0.95, "single_frame": 0.5}, clips_per_class=20)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    ended = command(made, tmp_path / "release", MLFLOW_TRACKING_URI=uri, REELFLOW_RUN="by hand")
    assert ended.returncode == 0, ended.stderr
    assert "thumbnail-gru is the champion of reelflow (version 1)" in ended.stderr
    assert ReleaseReport.open(tmp_path / "release").promoted


def test_the_command_without_a_server_is_one_line_and_no_traceback(made, tmp_path):
    ended = command(made, tmp_path / "release", MLFLOW_TRACKING_URI="http://me:secret@127.0.0.1:9")
    assert ended.returncode == 7
    assert ended.stderr.startswith("error: no MLflow server answers at http://***@127.0.0.1:9")
    assert "secret" not in ended.stderr
    assert "Traceback" not in ended.stderr
    report = (tmp_path / "release" / "report.html").read_text()
    assert "is not registered" in report
    assert "Registered as version" not in report
