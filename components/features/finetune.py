"""Fine-tuning: the last blocks of a float network learn the labels, frame by frame.

It uses labels, so it learns only from the training clips; the validation clips select the epoch, and the
test clips are not used. The output of the frozen blocks is computed once.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from components.features.maps import Maps, write_maps
from components.features.tail import Tail, TuningFrames
from reelflow.artifacts.clips import read_clips
from reelflow.artifacts.evaluations import BACKBONE_WEIGHTS
from reelflow.artifacts.frames import FrameStore
from reelflow.backbones.interface import Backbone
from reelflow.backbones.keras_application import KerasBackbone
from reelflow.contracts import BackboneSpec, Clip, DatasetReport, Sha256
from reelflow.documents import Document
from reelflow.errors import BundleError, DataError, ParamsError
from reelflow.files import sha256_file, sha256_text, write_text
from reelflow.nets.runtime import seed_everything
from reelflow.params import FeaturesParams, FinetuneParams
from reelflow.progress import emit
from reelflow.progress import report as report_progress
from reelflow.provenance.code import code_hash
from reelflow.provenance.libraries import library_versions

NOTE = "backbone.weights.json"
CURVES = ("train_loss", "validation_loss", "validation_accuracy")


class TuningOrigin(Document):
    """The inputs of fine-tuned weights."""

    frames: Sha256  # of frames.json, which also identifies the clips, their labels and splits
    backbone: BackboneSpec
    finetune: FinetuneParams
    seed: int
    code: Sha256
    libraries: dict[str, str]


class Tuning(Document):
    """`backbone.weights.json`: finished weights, their inputs and their metrics.

    The metrics are on single frames of the validation clips: `before`, by a linear probe on the original
    features; `after`, by the network of the best epoch. Epoch 0 is the original network.
    """

    origin: TuningOrigin
    sha256: Sha256
    metrics: dict[str, float]
    curves: dict[str, tuple[float, ...]]


def finetune(
    params: FeaturesParams, network: Backbone, *, dataset: Path | None, store: FrameStore, features: Path
) -> Tuning:
    """Train the last blocks and write `backbone.weights.h5`, or keep the weights of an earlier attempt.

    Args:
        params: number of blocks, optimiser and schedule.
        network: with the initial weights; it is changed.
        dataset: output of the dataset step.
        store: the frames.
        features: where the weights are written, then their note.

    Raises:
        ParamsError: there is no data set, this network cannot learn or has fewer blocks, or its loss is
            NaN or infinite.
        DataError: no training or no validation clip has frames.
        BundleError: the inputs are damaged, or do not belong together.
        StorageError: the disk is full or read-only.
    """
    if not isinstance(network, KerasBackbone):
        raise ParamsError(
            f"features.finetune.blocks is {params.finetune.blocks}, but {network.spec.name} is not a float "
            "network and cannot learn: set it to 0, or use mobilenet_v2 or inception_v3"
        )
    if dataset is None:
        raise ParamsError("fine-tuning learns labels: name the folder of the dataset step (--dataset)")
    origin = TuningOrigin(
        frames=sha256_text(store.report.to_json()),
        backbone=network.spec,
        finetune=params.finetune,
        seed=params.seed,
        code=code_hash("features"),
        libraries=library_versions(),
    )
    if finished := _finished(features, origin):
        return finished
    first, blocks = network.split(params.finetune.blocks)
    seed_everything(params.seed)
    with _maps_of_clips(first, dataset, store, features) as stills:
        tail = Tail(blocks, stills, params.finetune, params.seed)
        metrics, curves = _train(tail, params.finetune.epochs)
    network.save_weights(features / BACKBONE_WEIGHTS)
    sha256 = sha256_file(features / BACKBONE_WEIGHTS)
    tuning = Tuning(origin=origin, sha256=sha256, metrics=metrics, curves=curves)
    write_text(features / NOTE, tuning.to_json())
    return tuning


def _finished(features: Path, origin: TuningOrigin) -> Tuning | None:
    """The weights of an earlier attempt, if they are complete."""
    try:
        tuning = Tuning.read(features / NOTE)
    except BundleError:
        return None
    weights = features / BACKBONE_WEIGHTS
    is_whole = tuning.origin == origin and weights.is_file() and sha256_file(weights) == tuning.sha256
    return tuning if is_whole else None


@contextlib.contextmanager
def _maps_of_clips(
    first: KerasBackbone, dataset: Path, store: FrameStore, features: Path
) -> Iterator[TuningFrames]:
    """Feature maps of training and validation clips, in a temporary file."""
    report = DatasetReport.open(dataset)
    if report.data_hash != store.report.data_hash:
        raise BundleError(f"the frames are of other clips than {dataset}: run the frames step again")
    clips = [clip for clip in read_clips(dataset) if clip.split != "test" and clip.clip_id in store]
    _check_splits(clips)
    for shard in store.shards:
        store.check(shard)
    path = features / ".maps.tmp"
    try:
        maps = write_maps(first, store, [clip.clip_id for clip in clips], path)
        yield _frames(maps.reshape(-1, *maps.shape[2:]), clips, report.labels, maps.shape[1])
    finally:
        path.unlink(missing_ok=True)


def _check_splits(clips: list[Clip]) -> None:
    found = {clip.split for clip in clips}
    if missing := {"train", "validation"} - found:
        raise DataError(f"no {' and no '.join(sorted(missing))} clip has frames; fine-tuning needs both")
    if len({clip.label for clip in clips if clip.split == "train"}) < 2:
        raise DataError("the training clips with frames are of one class; fine-tuning needs two or more")


def _frames(maps: Maps, clips: list[Clip], labels: tuple[str, ...], count: int) -> TuningFrames:
    """Single frames, `count` per clip, with the label and split of their clip."""
    truth = np.array([labels.index(clip.label) for clip in clips], np.int64)
    is_train = np.repeat([clip.split == "train" for clip in clips], count)
    train, validation = np.flatnonzero(is_train), np.flatnonzero(~is_train)
    return TuningFrames(maps, np.repeat(truth, count), train, validation, len(labels))


def _train(tail: Tail, epochs: int) -> tuple[dict[str, float], dict[str, tuple[float, ...]]]:
    """Probe, then train; afterwards the tail has the weights with the lowest validation loss."""
    tail.probe()
    before = best = tail.measure()
    kept, best_epoch = tail.weights(), 0
    rows: list[tuple[float, float, float]] = []
    for number in range(1, epochs + 1):
        report_progress(number - 1, epochs, "epochs of fine-tuning")
        rows.append((tail.epoch(number), *(found := tail.measure())))
        if found[0] < best[0]:
            kept, best, best_epoch = tail.weights(), found, number
    tail.restore(kept)
    emit("notice", message=_explain(before, best, best_epoch, epochs))
    metrics = {
        "finetune_best_epoch": float(best_epoch),
        "finetune_loss_before": before[0],
        "finetune_loss_after": best[0],
        "finetune_accuracy_before": before[1],
        "finetune_accuracy_after": best[1],
    }
    return metrics, {
        f"finetune_{name}": curve for name, curve in zip(CURVES, zip(*rows, strict=True), strict=True)
    }


def _explain(before: tuple[float, float], after: tuple[float, float], epoch: int, epochs: int) -> str:
    if epoch == 0:
        return f"fine-tuning: no epoch of {epochs} had a lower validation loss; the network stays as it was"
    return (
        f"fine-tuning: epoch {epoch} of {epochs} is kept; right validation frames "
        f"{before[1]:.1%} before, {after[1]:.1%} after"
    )
