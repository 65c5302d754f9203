"""What becomes of a challenger where there is a champion."""

import shutil
from pathlib import Path

import pytest

from components.release.champion import HeldOut, Incomparable, compare_with_champion, replaces, trained_on
from components.release.step import run
from reelflow.artifacts.clips import data_hash, read_clips, row_of
from reelflow.artifacts.evaluations import read_candidates
from reelflow.artifacts.frames import FrameStore
from reelflow.artifacts.lineage import LINEAGE, Lineage
from reelflow.contracts import BundleReport, Comparison, DatasetReport, ReleaseReport
from reelflow.edge.bundle import Bundle
from reelflow.edge.seal import seal
from reelflow.files import sha256_file, sha256_text, write_text
from reelflow.params import ReleaseParams, load_params
from reelflow.settings import Settings
from tests.components.release.test_gates import answer
from tests.fake_registry import MemoryRegistry
from tests.fake_run import FakeRun, write_run

pytestmark = pytest.mark.usefixtures("undrawn")
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_champion_whose_evaluation_is_damaged_is_run_instead(release, registry):
    release(0.5)
    (registry._kept("reelflow", 1) / "evaluation" / "scores.npy").write_bytes(b"other")
    assert "sees 5 frames a clip" in release(1.0).explanation  # the made-up bundle cannot be run


CLASSES = ("grow", "shrink", "spin")


def trained(bundle: Path, made: FakeRun, folder: Path, known: int) -> Path:
    """A copy of a bundle that was trained on so many of a run's test clips, and on clips of its own."""
    copy = Path(shutil.copytree(bundle, folder))
    tests = [clip for clip in read_clips(made.dataset) if clip.split == "test"]
    own = tuple(
        (sha256_text(f"own {number}"), f"{label}/{number}.mp4", label, f"own {number}", "train")
        for number, label in enumerate(CLASSES)
    )
    rows = (*own, *((clip.sha256, clip.path, clip.label, clip.group, "train") for clip in tests[:known]))
    found = data_hash(rows)
    BundleReport.open(copy).model_copy(update={"data_hash": found}).save(copy)
    sha256, dataset = sha256_file(copy / BundleReport.file_name), DatasetReport.open(made.dataset)
    named = dataset.model_copy(update={"data_hash": found})
    lineage = lineage_of(made).model_copy(update={"bundle_sha256": sha256, "dataset": named, "clips": rows})
    write_text(copy / LINEAGE, lineage.to_json())
    seal(copy)
    return copy


@pytest.mark.slow
def test_clips_that_the_champion_was_trained_on_are_left_out(real_champion, tmp_path, registry):
    made = write_run(tmp_path / "run", CLASSES, accuracies={"gru": 1.0}, clips_per_class=8)
    champion = trained(real_champion, made, tmp_path / "champion", known=10)
    registry.register(champion, model_name="m", tags={})
    challenger, bundle = read_candidates(made.evaluations)[0], BundleReport.open(made.bundle)
    found = compare_with_champion(challenger, bundle, registry, "m", 1, held_out(made, least=14))
    assert isinstance(found, Comparison), found
    assert (found.clips, found.left_out, found.champion_may_know) == (14, 10, False)
    few = compare_with_champion(challenger, bundle, registry, "m", 1, held_out(made, least=15))
    assert few == Incomparable(
        1,
        "was trained on all but 14 of the 24 test clips, and release.min_compared_clips asks for 15 that "
        "neither was trained on",
    )


@pytest.mark.slow
def test_a_champion_that_knows_none_of_the_clips_is_compared_on_all_however_few(
    real_champion, tmp_path, registry
):
    made = write_run(tmp_path / "run", CLASSES, accuracies={"gru": 1.0}, clips_per_class=2)
    champion = trained(real_champion, made, tmp_path / "champion", known=0)
    registry.register(champion, model_name="m", tags={})
    challenger, bundle = read_candidates(made.evaluations)[0], BundleReport.open(made.bundle)
    found = compare_with_champion(challenger, bundle, registry, "m", 1, held_out(made))
    assert isinstance(found, Comparison), found
    assert (found.clips, found.left_out, found.champion_may_know) == (6, 0, False)


def test_by_holdout_the_champion_s_own_test_clips_are_no_training(tmp_path, monkeypatch):
    made = write_run(tmp_path / "run")
    bundle = trained(made.bundle, made, tmp_path / "champion", known=4)
    kept = read_candidates(made.evaluations)[0]
    champion = Bundle(bundle, BundleReport.open(bundle))
    assert len(trained_on(champion, kept)) == len(trained_on(champion, None)) == 7
    tests = {clip.sha256 for clip in read_clips(made.dataset) if clip.split == "test"}
    monkeypatch.setattr(Lineage, "of_bundle", lambda folder: lineage_of(made))
    assert not tests & trained_on(champion, kept)
    assert tests < trained_on(champion, None), "nobody knows by which protocol"


def lineage_of(made: FakeRun) -> Lineage:
    """The lineage of what was trained on a run's data set."""
    return Lineage(
        bundle_sha256=sha256_file(made.bundle / BundleReport.file_name),
        dataset=DatasetReport.open(made.dataset),
        clips=tuple(row_of(clip) for clip in read_clips(made.dataset)),
        frames={},
        backbone=BundleReport.open(made.bundle).backbone,
        features={},
        steps=(),
    )


@pytest.mark.slow
def test_a_class_that_falls_stops_a_better_challenger_if_asked(tmp_path, registry):
    def released(name: str, right: dict[str, int], **limits: object) -> ReleaseReport:
        made = write_run(
            tmp_path / name, ("fall", "sit", "walk"), clips_per_class=20, size_bytes=2000 + len(name)
        )
        answer(made, right)
        params = ReleaseParams.model_validate(PARAMS.model_dump() | limits)
        folder = tmp_path / f"{name} release"
        return run(params, **made.inputs, settings=Settings(), release=folder, registry=registry)

    released("first", {"fall": 16, "sit": 12, "walk": 8}, min_accuracy=0.1)
    report = released("second", {"fall": 12, "sit": 20, "walk": 20}, min_accuracy=0.1, max_class_fall=0.1)
    assert (report.comparison.verdict, report.comparison.fallen) == ("better", "fall")
    assert {gate.name: gate.passed for gate in report.gates}["max_class_fall"] is False
    assert not report.promoted
    assert (
        "largest loss of recall of a class against the champion is 20 %, and release.max_class_fall asks for "
        "at most 10 %"
    ) in report.explanation
    assert released("the third", {"fall": 12, "sit": 20, "walk": 20}, min_accuracy=0.1).promoted
