"""The conversion step on a made-up data set: frames, a random head, and the scores that Keras gives."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.conversion import reference, step
from components.frames.extract import Extracted, _encode
from components.frames.shards import assign_shards
from components.frames.write import write_shard
from reelflow.artifacts.evaluations import BACKBONE_WEIGHTS, read_candidates
from reelflow.artifacts.frames import FrameStore
from reelflow.artifacts.lineage import LINEAGE
from reelflow.artifacts.predictions import write_predictions
from reelflow.backbones.interface import Backbone
from reelflow.backbones.registry import load_backbone
from reelflow.backbones.thumbnail import SPEC, Thumbnail
from reelflow.contracts import BundleReport, Clip, EvaluationReport, FramesReport, Split
from reelflow.edge.bundle import open_bundle
from reelflow.edge.classifier import Classifier
from reelflow.edge.selftest import self_test
from reelflow.errors import BundleError, ReelflowError, WeightsError
from reelflow.files import sha256_file
from reelflow.nets.saved import save_head
from reelflow.params import load_params
from reelflow.progress import watched_by
from reelflow.settings import Settings
from reelflow.video.preprocess import preprocess
from reelflow.video.views import VIEWS
from tests import fake_features, fake_reports
from tests.bundles import FRAMES, RandomFrames, random_head
from tests.environment import in_environment

run = in_environment(step.run)
PARAMS = load_params(Path("params.yaml")).conversion
LABELS = ("down", "up")
COUNTS: dict[Split, int] = {"train": 3, "validation": 1, "test": 5}


def write_frames(folder: Path, clips: list[Clip]) -> Path:
    """A frames folder as the frames step leaves it."""
    folder.mkdir()
    shards = []
    for name, part in assign_shards(clips, 2).items():
        outcomes = []
        for clip in part:
            frames = RandomFrames().read(clip.clip_id)
            jpegs = [_encode(frame, quality=95)[0] for frame in frames]
            outcomes.append(Extracted.of(clip.clip_id, jpegs, (40, 30), ""))
        shards.append(write_shard(folder / name, part, outcomes).shard)
    report = FramesReport(
        data_hash=fake_features.data_hash(clips),
        count=FRAMES,
        jpeg_quality=95,
        shards=tuple(shards),
        quarantined=(),
    )
    report.save(folder)
    return folder


def write_evaluation(
    folder: Path,
    head: str,
    clips: list[Clip],
    frames: Path,
    backbone: Backbone,
    validation_accuracy: float,
    protocol: str = "holdout",
    views: tuple[str, ...] = ("plain",),
) -> None:
    """A candidate as the evaluation step leaves it: a random head, and what Keras makes of the clips."""
    spec = backbone.spec
    target = folder / f"{spec.name}-{head}"
    (target / "training").mkdir(parents=True)
    model = random_head(head, frames=FRAMES, dim=spec.dim, classes=len(LABELS))
    model_sha256 = save_head(model, target / "training" / "model.keras")
    test = sorted((clip for clip in clips if clip.split == "test"), key=lambda clip: clip.path)
    store = FrameStore(frames)

    def scores(scored: list[Clip]) -> np.ndarray:
        by_view = []
        for view in views:
            stills = (VIEWS[view](store.read(clip.clip_id)) for clip in scored)
            codes = np.stack([backbone.embed(preprocess(still, spec.preprocessing)) for still in stills])
            by_view.append(model(codes.astype(np.float32) * np.float32(spec.scale), training=False).numpy())
        return np.mean(by_view, axis=0, dtype=np.float32)

    np.save(target / "scores.npy", scores(test))
    truth = [LABELS.index(clip.label) for clip in clips]
    ids = [clip.clip_id for clip in clips]
    deployed = write_predictions(target / "training", "deployed", scores(clips), ids, truth)
    training = fake_reports.training_report(
        head,
        backbone=spec,
        frames=FRAMES,
        labels=LABELS,
        model_sha256=model_sha256,
        protocol=protocol,
        views=views,
        deployed=deployed,
    )
    fake_reports.evaluation_report(
        head,
        name=target.name,
        data_hash=fake_features.data_hash(clips),
        training=training,
        labels=LABELS,
        metrics={"accuracy": 0.7, "validation_accuracy": validation_accuracy, "validation_loss": 1.0},
        clip_ids=tuple(clip.clip_id for clip in test),
        truth=tuple(LABELS.index(clip.label) for clip in test),
        scores_sha256=sha256_file(target / "scores.npy"),
        model_sha256=model_sha256,
    ).save(target)


def write_inputs(
    folder: Path, backbone: Backbone, counts: dict[Split, int] = COUNTS, **evaluation: Any
) -> dict[str, Path]:
    """Folders of the dataset, frames and evaluation steps; the GRU is the best on validation."""
    clips = [
        clip.model_copy(update={"duration_s": {"train": 4.0, "validation": 5.0, "test": 6.0}[clip.split]})
        for clip in fake_features.make_clips(LABELS, counts)
    ]
    dataset = fake_features.write_dataset(folder / "dataset", clips, LABELS)
    frames = write_frames(folder / "frames", clips)
    evaluations = folder / "evaluations"
    write_evaluation(evaluations, "gru", clips, frames, backbone, 0.9, **evaluation)
    write_evaluation(evaluations, "single_frame", clips, frames, backbone, 0.8, **evaluation)
    return {"dataset": dataset, "frames": frames, "evaluations": evaluations}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_inputs(tmp_path_factory.mktemp("inputs"), Thumbnail())


@pytest.fixture(scope="module")
def bundle(inputs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("output") / "bundle"
    run(PARAMS, weights="imagenet", seed="1", bundle=folder, **inputs)
    return folder


def test_the_best_on_validation_becomes_the_bundle(bundle: Path):
    report = open_bundle(bundle).report
    assert (report.name, report.head, report.head_quantization) == ("thumbnail-gru", "gru", "dynamic")
    assert (report.backbone, report.backbone_quantization) == (SPEC, "none")
    assert (report.labels, report.sampling.frames) == (LABELS, FRAMES)


def test_the_bundle_says_what_its_scores_mean(bundle: Path):
    report, evaluated = open_bundle(bundle).report, fake_reports.calibration()
    assert (report.temperature, report.reject_below) == (evaluated.temperature, evaluated.reject_below)
    assert report.accuracy == 0.7, "the evaluation's, whatever parity's clips say"
    assert report.sampling.clip_s == 4.0, "of the training clips alone"
    assert not report.parity.seen


def test_the_bundle_is_whole_and_tests_itself(bundle: Path):
    opened = open_bundle(bundle)
    self_test(opened)
    listed = {*opened.report.files, BundleReport.file_name, LINEAGE}
    assert {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()} == listed
    assert opened.report.size_bytes == sum((bundle / name).stat().st_size for name in opened.report.files)


def test_parity_is_that_of_every_test_clip(bundle: Path, inputs: dict[str, Path]):
    opened, store = open_bundle(bundle), FrameStore(inputs["frames"])
    evaluation = EvaluationReport.open(inputs["evaluations"] / "thumbnail-gru")
    keras = np.load(inputs["evaluations"] / "thumbnail-gru" / "scores.npy")
    classifier = Classifier(opened)
    litert = np.stack([classifier.scores_from_frames(store.read(clip)) for clip in evaluation.clip_ids])
    parity = opened.report.parity
    assert (parity.clips, parity.videos) == (len(evaluation.truth), 0) == (10, 0)
    assert parity.max_score_difference == pytest.approx(np.abs(keras - litert).max())
    assert 0 < parity.max_score_difference < 0.02
    assert parity.agreement == (keras.argmax(1) == litert.argmax(1)).mean()
    assert parity.litert_accuracy == (litert.argmax(1) == evaluation.truth).mean()
    assert opened.report.metrics["agreement"] == parity.agreement


def test_of_many_test_clips_parity_takes_those_of_the_first_shards(
    inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reference, "MAX_CLIPS", 4)
    (candidate,) = read_candidates(inputs["evaluations"], "thumbnail-gru")
    order = FrameStore(inputs["frames"]).clip_ids
    report, found = candidate.report, reference.read_reference(candidate, order)
    assert found.clip_ids == tuple(clip_id for clip_id in order if clip_id in report.clip_ids)[:4]
    rows = [report.clip_ids.index(clip_id) for clip_id in found.clip_ids]
    np.testing.assert_array_equal(found.scores, candidate.scores()[rows])
    assert found.truth == tuple(report.truth[row] for row in rows)


def test_parity_is_of_raw_scores_averaged_over_views(tmp_path: Path):
    inputs = write_inputs(tmp_path, Thumbnail(), views=("plain", "flip"))
    report = run(PARAMS, weights="imagenet", seed="1", bundle=tmp_path / "bundle", **inputs)
    assert report.sampling.views == ("plain", "flip")
    assert report.temperature != 1
    assert 0 < report.parity.max_score_difference < 0.02
    classifier, frames = Classifier(open_bundle(tmp_path / "bundle")), RandomFrames().read("any")
    both = [
        classifier.scores_from_features(classifier.codes_from_frames(view))
        for view in (frames, frames[:, :, ::-1])
    ]
    assert np.abs(both[0] - both[1]).max() > 0.001, "the views must tell different things"
    np.testing.assert_allclose(classifier.scores_from_frames(frames), np.mean(both, axis=0), atol=1e-6)


def test_without_clips_held_out_parity_is_that_of_seen_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    inputs = write_inputs(tmp_path, Thumbnail(), protocol="group_kfold(2)")
    monkeypatch.setattr(reference, "MAX_SEEN_CLIPS", 12)
    report = run(PARAMS, weights="imagenet", seed="1", bundle=tmp_path / "bundle", **inputs)
    assert (report.parity.seen, report.parity.clips) == (True, 12)
    assert 0 < report.parity.max_score_difference < 0.02
    assert report.parity.agreement == 1
    assert report.parity.keras_accuracy == report.parity.litert_accuracy
    assert report.accuracy == 0.7
    assert report.sampling.clip_s == 6.0, "the median of all clips: 6 of 4 s, 2 of 5 s, 10 of 6 s"


def test_golden_clips_are_the_first_by_id(bundle: Path, inputs: dict[str, Path]):
    opened, store = open_bundle(bundle), FrameStore(inputs["frames"])
    evaluation = EvaluationReport.open(inputs["evaluations"] / "thumbnail-gru")
    first = sorted(evaluation.clip_ids)[: PARAMS.golden_clips]
    features = opened.array("golden/features.npy")
    assert features.shape == (PARAMS.golden_clips, FRAMES, SPEC.dim)
    expected = preprocess(store.read(first[1]), SPEC.preprocessing).reshape(FRAMES, -1)
    np.testing.assert_array_equal(features[1], expected)
    assert opened.array("golden/frames.npy").shape == (2, 12, 16, 1)


def test_a_second_run_gives_the_same_bundle_whatever_lay_there(
    bundle: Path, inputs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    left, events = tmp_path / "bundle", []
    left.mkdir()
    for name in ("head.tflite", ".head.tflite.77.tmp", "backbone.tflite"):
        (left / name).write_bytes(b"half-written")
    with watched_by(events.append):
        again = run(PARAMS, weights="imagenet", seed="1", bundle=left, **inputs)
    assert again == open_bundle(bundle).report
    assert sorted(path.name for path in left.iterdir()) == ["bundle.json", "golden", "head.tflite", LINEAGE]

    progress = [event for event in events if event["kind"] == "progress"]
    assert [event["done"] for event in progress] == list(range(11))
    assert {event["unit"] for event in progress} == {"clips"}
    assert [event["message"] for event in events if event["kind"] == "notice"] == [
        "converting thumbnail-gru, the best on the validation clips",
        "parity is measured on stored frames: the videos are not on this machine",
    ]
    assert capsys.readouterr().out == ""


def test_a_quantised_network_gives_the_very_codes_that_trained(shared_data: Path, tmp_path: Path):
    weights = str(shared_data / "weights")
    backbone = load_backbone("mobilenet_v2_quant", weights, seed=1, settings=Settings())
    inputs = write_inputs(tmp_path, backbone, {"train": 1, "validation": 1, "test": 2})
    report = run(PARAMS, weights=weights, seed="1", bundle=tmp_path / "bundle", **inputs)
    assert report.backbone_quantization == "uint8"
    assert report.parity.max_score_difference < 0.05
    frames = RandomFrames().read("any")
    codes = Classifier(open_bundle(tmp_path / "bundle")).codes_from_frames(frames)
    np.testing.assert_array_equal(codes, backbone.embed(preprocess(frames, backbone.spec.preprocessing)))


@pytest.mark.slow
@pytest.mark.parametrize("quantization", ["float16", "int8"])
def test_a_float_network_is_quantised(tmp_path: Path, quantization: str):
    backbone = load_backbone("mobilenet_v2", "random", seed=7, settings=Settings())
    inputs = write_inputs(tmp_path, backbone, {"train": 2, "validation": 1, "test": 2})
    params = PARAMS.model_copy(update={"backbone": quantization})
    report = run(params, weights="random", seed="7", bundle=tmp_path / "bundle", **inputs)
    assert report.backbone_quantization == quantization
    assert report.files["backbone.tflite"].size_bytes < 5_000_000
    classifier, frames = Classifier(open_bundle(tmp_path / "bundle")), RandomFrames().read("any")
    found = classifier.codes_from_frames(frames)
    expected = backbone.embed(preprocess(frames, backbone.spec.preprocessing))
    assert found.dtype == expected.dtype == np.float16
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.98
    with pytest.raises(BundleError, match="name the same weights"):
        run(params, weights="random", seed="8", bundle=tmp_path / "other", **inputs)


@pytest.mark.parametrize("changed", ["dataset", "frames"])
def test_other_clips_are_refused(inputs: dict[str, Path], tmp_path: Path, changed: str):
    other = Path(shutil.copytree(inputs[changed], tmp_path / changed))
    document = other / f"{changed}.json"
    document.write_text(document.read_text().replace(data_hash_of(inputs), "ab" * 32))
    with pytest.raises(BundleError, match="holds other clips"):
        run(PARAMS, weights="random", seed="1", bundle=tmp_path / "bundle", **inputs | {changed: other})


def data_hash_of(inputs: dict[str, Path]) -> str:
    return EvaluationReport.open(inputs["evaluations"] / "thumbnail-gru").data_hash


@pytest.mark.parametrize("file", ["training/model.keras", "scores.npy"])
def test_an_altered_candidate_is_refused(inputs: dict[str, Path], tmp_path: Path, file: str):
    evaluations = Path(shutil.copytree(inputs["evaluations"], tmp_path / "evaluations"))
    path = evaluations / "thumbnail-gru" / file
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=Path(file).name):
        run(
            PARAMS, weights="random", seed="1", bundle=tmp_path / "b", **inputs | {"evaluations": evaluations}
        )
    assert not (tmp_path / "b" / "bundle.json").exists()


def test_no_candidate_is_an_error(inputs: dict[str, Path], tmp_path: Path):
    (tmp_path / "evaluations").mkdir()
    with pytest.raises(BundleError, match="no evaluated classifier"):
        run(
            PARAMS,
            weights="random",
            seed="1",
            bundle=tmp_path / "b",
            **inputs | {"evaluations": tmp_path / "evaluations"},
        )


def test_a_bundle_that_fails_its_own_test_is_not_delivered(
    inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        Classifier, "scores_from_features", lambda self, codes: np.random.default_rng().random(2, np.float32)
    )
    with pytest.raises(ReelflowError, match="differ from the golden ones"):
        run(PARAMS, weights="random", seed="1", bundle=tmp_path / "bundle", **inputs)


@pytest.mark.slow
def test_a_candidate_brings_the_weights_of_a_backbone_that_was_trained_too(tmp_path: Path):
    published = load_backbone("mobilenet_v2", "random", seed=7, settings=Settings())
    own = tmp_path / BACKBONE_WEIGHTS
    published._network.save_weights(own)  # type: ignore[attr-defined]
    expected = published.spec.model_copy(update={"weights_sha256": sha256_file(own)})
    found = step._load_backbone(expected, "/nowhere", 1, own, Settings())
    frame = np.random.default_rng(1).integers(0, 256, (1, 224, 224, 3), np.uint8)
    np.testing.assert_array_equal(found.embed(frame), published.embed(frame))


def test_weights_must_be_those_of_the_features(shared_data: Path, tmp_path: Path):
    spec = load_backbone("mobilenet_v2_quant", str(shared_data / "weights"), seed=1, settings=Settings()).spec
    other = spec.model_copy(update={"weights_sha256": "ab" * 32})
    step._load_backbone(spec, str(shared_data / "weights"), 1, tmp_path / "none", Settings())
    with pytest.raises(BundleError, match="name the same weights"):
        step._load_backbone(other, str(shared_data / "weights"), 1, tmp_path / "none", Settings())
    with pytest.raises(WeightsError):
        step._load_backbone(spec, "/nowhere", 1, tmp_path / "none", Settings())
