"""What becomes of a challenger where there is a champion."""

from pathlib import Path

import pytest

from components.release.champion import HeldOut, Incomparable, compare_with_champion, replaces
from components.release.step import run
from reelflow.artifacts.clips import read_clips
from reelflow.artifacts.evaluations import read_candidates
from reelflow.artifacts.frames import FrameStore
from reelflow.contracts import BundleReport, Comparison, ReleaseReport
from reelflow.params import ReleaseParams, load_params
from reelflow.settings import Settings
from tests.fake_registry import MemoryRegistry
from tests.fake_run import FakeRun, write_run

PARAMS = load_params(Path("params.yaml")).release.model_copy(update={"require_above_chance": False})
LOW = {"min_accuracy": 0.1}


@pytest.fixture
def registry() -> MemoryRegistry:
    return MemoryRegistry()


@pytest.fixture
def release(tmp_path, registry):
    """Releases a made-up run of one head, `release(0.8, clips_per_class=20)`, into the same registry."""
    count = iter(range(100))

    def released(accuracy: float, *labels: str, limits: dict | None = None, **options) -> ReleaseReport:
        folder = tmp_path / str(next(count))
        made = write_run(
            folder / "run", labels or ("falling", "rising"), accuracies={"gru": accuracy}, **options
        )
        params = ReleaseParams.model_validate(PARAMS.model_dump() | (limits or LOW))
        return run(params, **made.inputs, settings=Settings(), release=folder / "release", registry=registry)

    return released


def test_the_first_bundle_has_nobody_to_beat(release):
    assert release(0.6).comparison is None


def test_a_better_challenger_becomes_champion(release, registry):
    release(0.5, clips_per_class=20)
    report = release(0.9, clips_per_class=20)
    found = report.comparison
    assert report.promoted
    assert registry.alias("reelflow", "champion") == 2
    assert (found.verdict, found.champion_version, found.champion) == ("better", 1, "thumbnail-gru")
    assert (found.only_challenger, found.only_champion) == (16, 0)
    assert (found.clips, found.groups) == (40, 20)
    assert found.difference == pytest.approx(0.4)
    assert found.difference_interval.low > 0
    assert found.p_value == pytest.approx(2 * 0.5**16)
    assert not found.champion_may_know
    assert (
        "is better than version 1 (thumbnail-gru) beyond noise: 90.0 % against 50.0 %" in report.explanation
    )


def test_a_little_better_is_noise_and_the_champion_stays(release, registry):
    release(0.7, clips_per_class=10, size_bytes=5000)
    report = release(0.75, clips_per_class=10, size_bytes=5000)
    assert report.comparison.difference > 0
    assert report.comparison.verdict == "equal"
    assert not report.promoted
    assert [gate.name for gate in report.gates if not gate.passed] == ["better_than_champion"]
    assert registry.alias("reelflow", "champion") == 1
    assert "neither better beyond noise than version 1" in report.explanation
    assert report.explanation.endswith("Version 1 stays champion.")


def test_equal_and_smaller_wins(release):
    release(0.7, size_bytes=9000)
    report = release(0.7, size_bytes=4000)
    assert report.promoted
    assert report.comparison.size_ratio < 0.5
    assert "is no worse than version 1 (thumbnail-gru) and smaller" in report.explanation


def test_a_few_bytes_less_are_not_smaller(release):
    release(0.7, size_bytes=90_000)
    assert not release(0.7, size_bytes=89_900).promoted


def test_smaller_but_worse_loses(release):
    release(0.8, size_bytes=9000)
    report = release(0.7, size_bytes=4000)
    assert not report.promoted
    assert report.comparison.verdict == "worse"
    assert "it is less accurate than version 1" in report.explanation


def test_better_but_through_a_gate_it_does_not_pass(release, registry):
    release(0.3, clips_per_class=20)
    report = release(0.9, clips_per_class=20, limits={"min_accuracy": 0.95})
    assert report.comparison.verdict == "better"
    assert not report.promoted
    assert registry.alias("reelflow", "champion") == 1
    assert "release.min_accuracy asks for at least 95 %" in report.explanation


def test_three_clips_more_are_no_proof(release):
    release(0.2, clips_per_class=5)
    report = release(0.5, clips_per_class=5)
    assert report.comparison.only_challenger == 3
    assert report.comparison.p_value == 0.25
    assert report.comparison.verdict == "equal"


def test_the_same_bundle_again_is_not_compared_with_itself(release, registry):
    release(0.7)
    report = release(0.7)
    assert (report.version, report.promoted, report.comparison) == (1, True, None)


def test_a_champion_of_other_classes_stays_and_is_not_compared(release, registry):
    release(0.5)
    report = release(1.0, "hug", "kick", "push", limits=PARAMS.model_dump())
    assert not report.promoted
    assert report.comparison is None
    assert registry.alias("reelflow", "champion") == 1
    assert (
        "version 1, the champion, knows other classes (falling, rising), so the two cannot be compared: name "
        "another release.model_name, or decide yourself: python -m pipelines promote challenger --force"
    ) in report.explanation


def test_a_champion_by_another_protocol_that_cannot_be_run_stays(release):
    release(0.5)
    report = release(1.0, protocol="group_kfold(3)", folds=3)
    assert not report.promoted
    assert "version 1, the champion, sees 5 frames a clip, and this run kept 6" in report.explanation


def test_a_damaged_champion_stays_and_no_path_is_told(release, registry, tmp_path):
    release(0.5)
    (registry._kept("reelflow", 1) / "bundle" / "head.tflite").write_bytes(b"other")
    report = release(1.0)
    assert not report.promoted
    assert "is damaged or of another version of reelflow" in report.explanation
    assert "/tmp" not in report.to_json()


def test_the_gate_on_baselines_is_there_when_asked_for(release):
    below = {"metadata": 0.7, "thumbnails": 0.2}
    assert release(0.8, baselines=below).promoted
    report = release(0.9, baselines={"metadata": 0.85}, limits={"require_above_baselines": True})
    (gate,) = [gate for gate in report.gates if gate.name == "require_above_baselines"]
    assert (gate.passed, gate.found) == (False, -0.05)
    assert "release.require_above_baselines asks for more than 0 %" in report.explanation


def test_the_deployed_models_own_clips_are_no_evidence(release):
    """By cross-validation the held-out accuracy counts, not that of clips that were trained on."""
    report = release(0.6, protocol="leave_one_group_out", folds=5, limits={"min_accuracy": 0.55})
    assert report.promoted
    assert {gate.name: gate.found for gate in report.gates}["min_accuracy"] == pytest.approx(0.6, abs=0.05)


@pytest.fixture(scope="module")
def real_champion(tmp_path_factory) -> Path:
    """A bundle that runs, of the classes grow, shrink and spin."""
    from tests.bundles import write_small_bundle

    folder = tmp_path_factory.mktemp("champion") / "bundle"
    write_small_bundle(folder)
    return folder


def held_out(made: FakeRun, least: int = 20) -> HeldOut:
    contents = {clip.clip_id: clip.sha256 for clip in read_clips(made.dataset)}
    return HeldOut(FrameStore(made.frames), contents, least)


@pytest.mark.slow
def test_a_champion_of_other_clips_is_run_on_these(real_champion, tmp_path, registry):
    """A version from before evaluations were kept: only its bundle can tell what it is worth."""
    registry.register(real_champion, model_name="m", tags={})
    made = write_run(tmp_path / "run", ("grow", "shrink", "spin"), accuracies={"gru": 1.0}, clips_per_class=8)
    challenger = read_candidates(made.evaluations)[0]
    bundle = BundleReport.open(made.bundle)
    found = compare_with_champion(challenger, bundle, registry, "m", 1, held_out(made))
    assert isinstance(found, Comparison), found
    assert found.champion_may_know
    assert found.accuracy == 1
    assert found.champion_accuracy < 1  # its head is random
    assert found.only_challenger == round((1 - found.champion_accuracy) * 24)
    assert replaces(found)
    again = compare_with_champion(challenger, bundle, registry, "m", 1, held_out(made))
    assert again == found


@pytest.mark.slow
def test_a_champion_that_sees_other_frames_is_not_run(real_champion, tmp_path, registry, monkeypatch):
    monkeypatch.setattr("tests.fake_run.FRAMES", 4)
    registry.register(real_champion, model_name="m", tags={})
    made = write_run(tmp_path / "run", ("grow", "shrink", "spin"))
    challenger = read_candidates(made.evaluations)[0]
    found = compare_with_champion(
        challenger, BundleReport.open(made.bundle), registry, "m", 1, held_out(made)
    )
    assert found == Incomparable(1, "sees 6 frames a clip, and this run kept 4")


def test_a_champion_whose_evaluation_is_damaged_is_run_instead(release, registry):
    release(0.5)
    (registry._kept("reelflow", 1) / "evaluation" / "scores.npy").write_bytes(b"other")
    assert "sees 5 frames a clip" in release(1.0).explanation  # the made-up bundle cannot be run
