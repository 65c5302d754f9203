"""Convert the best classifier to a TFLite bundle and measure its parity with Keras."""

import shutil
from pathlib import Path
from statistics import median

from components.conversion.manifest import finish_bundle
from components.conversion.networks import BackboneQuantization, write_backbone, write_head
from components.conversion.parity import measure_parity
from components.conversion.reference import read_reference
from components.conversion.videos import DeviceFrames
from reelflow.artifacts.clips import read_clips
from reelflow.artifacts.evaluations import Candidate, best_candidate, read_candidates
from reelflow.artifacts.frames import FrameStore
from reelflow.artifacts.lineage import write_lineage
from reelflow.artifacts.shard_files import ShardAccess
from reelflow.artifacts.videos import find_videos
from reelflow.backbones.interface import Backbone
from reelflow.backbones.registry import load_backbone
from reelflow.backbones.tflite.network import described_by
from reelflow.contracts import BackboneSpec, BundleReport, DatasetReport, Parity, Sampling
from reelflow.edge.bundle import Bundle
from reelflow.edge.classifier import Classifier
from reelflow.errors import BundleError
from reelflow.nets.runtime import prepare
from reelflow.params import ConversionParams
from reelflow.progress import emit
from reelflow.scoring import litert_scores
from reelflow.settings import Settings
from reelflow.splitting.protocols import Protocol

MAX_VIDEOS = 100
NOT_MEASURED = Parity(clips=0, agreement=0, max_score_difference=0, keras_accuracy=0, litert_accuracy=0)


def run(
    params: ConversionParams,
    *,
    weights: str,
    seed: str,
    candidates: str = "",
    dataset: Path,
    frames: Path,
    evaluations: Path,
    bundle: Path,
    settings: Settings,
    access: ShardAccess | None = None,
) -> BundleReport:
    """Build a bundle of the best classifier that devices can run.

    Args:
        params: quantisation, and numbers of calibration and golden clips.
        weights: the weights of the backbone, as in the features step.
        seed: of random weights, as in the features step.
        candidates: names of those to choose from, comma-separated; empty for all that were evaluated.
        dataset: output of the dataset step.
        frames: output of the frames step.
        evaluations: folder of every candidate's evaluation.
        bundle: the output; `bundle.json` is written last, except for the lineage, which refers to it.
        settings: cache and mirror of downloaded weights, cache of clips.
        access: how frames in a store are reached.

    Raises:
        BundleError: the inputs do not belong together, or the bundle fails its self-test.
        WeightsError: the backbone's weights are missing or altered.
    """
    candidate = best_candidate(read_candidates(evaluations, candidates))
    store = FrameStore(frames, access)
    _check_same_clips(
        candidate, {dataset: DatasetReport.open(dataset).data_hash, frames: store.report.data_hash}
    )
    prepare()
    backbone = _load_backbone(
        candidate.report.training.backbone, weights, int(seed), candidate.backbone_weights, settings
    )
    emit("notice", message=f"converting {candidate.report.name}, the best on the validation clips")
    shutil.rmtree(bundle, ignore_errors=True)
    write_head(params, candidate, dataset, store, bundle)
    quantization = write_backbone(params, backbone, dataset, store, bundle)
    draft = _draft(params, candidate, quantization, _clip_s(candidate, dataset))
    reference = read_reference(candidate, store.clip_ids)
    videos = find_videos(dataset, reference.clip_ids, MAX_VIDEOS, settings)
    if not videos:
        emit("notice", message="parity is measured on stored frames: the videos are not on this machine")
    seen = DeviceFrames(videos, store)
    parity = measure_parity(
        reference,
        lambda clip_ids: litert_scores(lambda: Classifier(Bundle(bundle, draft)), clip_ids, seen),
        videos,
    )
    measured = draft.model_copy(update={"parity": parity})
    report = finish_bundle(measured, bundle, params.golden_clips, candidate.report.clip_ids, store)
    write_lineage(bundle, dataset=dataset, frames=frames, candidate=candidate)
    return report


def _check_same_clips(candidate: Candidate, found: dict[Path, str]) -> None:
    expected = candidate.report.data_hash
    for folder, data_hash in found.items():
        if data_hash != expected:
            raise BundleError(
                f"{folder} holds other clips ({data_hash[:12]}) than those that {candidate.report.name} "
                f"was evaluated on ({expected[:12]}): run the steps again from the first that differs"
            )


def _load_backbone(
    expected: BackboneSpec, weights: str, seed: int, own: Path, settings: Settings
) -> Backbone:
    """The backbone of the features, by its own fine-tuned weights if there are any."""
    source = str(own) if own.is_file() else weights
    described = described_by(expected)
    networks = {expected.name: described} if described else {}
    backbone = load_backbone(expected.name, source, seed=seed, settings=settings, networks=networks)
    if backbone.spec != expected:
        raise BundleError(
            f"the features come from {expected.name} with weights {expected.weights_sha256}, but "
            f"{source} holds {backbone.spec.weights_sha256}: name the same weights, or run features again"
        )
    return backbone


def _clip_s(candidate: Candidate, dataset: Path) -> float:
    """Median duration of the training clips: all clips, except by `holdout`."""
    is_holdout = Protocol.parse(candidate.report.training.protocol).kind == "holdout"
    clips = [clip for clip in read_clips(dataset) if clip.split == "train" or not is_holdout]
    return round(median(clip.duration_s for clip in clips), 3)


def _draft(
    params: ConversionParams, candidate: Candidate, quantization: BackboneQuantization, clip_s: float
) -> BundleReport:
    """The manifest without the fields that are known only when all other files are written."""
    training, calibration = candidate.report.training, candidate.report.calibration
    return BundleReport(
        name=candidate.report.name,
        data_hash=candidate.report.data_hash,
        labels=training.labels,
        sampling=Sampling(
            frames=training.frames, views=training.views, beside=training.beside, clip_s=clip_s
        ),
        backbone=training.backbone,
        backbone_quantization=quantization,
        head=training.head,
        head_quantization=params.head,
        accuracy=candidate.report.metrics["accuracy"],
        temperature=calibration.temperature,
        reject_below=calibration.reject_below,
        parity=NOT_MEASURED,
        files={},
        size_bytes=0,
    )
