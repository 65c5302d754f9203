"""Folders of a data set and its features, made up: two classes with the same frames in opposite order.

Each clip is a sequence between two noisy codes; class `down` runs it backwards, so that the middle
frame tells nothing and the order everything.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from reelflow.artifacts.clips import read_clips, write_clips
from reelflow.artifacts.features import FeatureStore
from reelflow.artifacts.predictions import write_predictions
from reelflow.contracts import (
    BackboneSpec,
    Clip,
    DatasetReport,
    FeatureShard,
    FeaturesReport,
    Fold,
    Preprocessing,
    Split,
    TrainingReport,
)
from reelflow.files import sha256_file, sha256_text
from reelflow.nets.heads import build_head
from reelflow.nets.runtime import seed_everything
from reelflow.nets.saved import save_head
from reelflow.params import TrainingParams, load_params

FRAMES, DIM = 5, 8
NO_CHANGES: Mapping[str, object] = {}
COUNTS: dict[Split, int] = {"train": 32, "validation": 12, "test": 16}  # clips a class
THUMBNAIL = BackboneSpec(
    name="thumbnail",
    preprocessing=Preprocessing(height=2, width=4, color="grey", resize="pil-bilinear", value_range=None),
    dim=DIM,
    dtype="uint8",
    scale=1 / 255,
    weights_sha256=None,
)


def training_params(*, video: Mapping[str, object] = NO_CHANGES, **changes) -> TrainingParams:
    """The section of params.large.yaml, some values changed; those of its `video` part by themselves."""
    params = load_params(Path("params.large.yaml"))
    nested = params.training.video.model_dump(mode="json") | dict(video)
    return params.with_values(training=changes | {"video": nested}).training


def clip(label: str, split: Split, number: int) -> Clip:
    digest = sha256_text(f"{label} {split} {number}")
    return Clip(
        clip_id=digest[:16],
        path=f"{label}/{split}{number}.mp4",
        label=label,
        group=f"{split}{number}",
        split=split,
        frame_count=FRAMES,
        duration_s=1.0,
        fps=5.0,
        width=16,
        height=12,
        rotation=0,
        codec="h264",
        has_audio=False,
        size_bytes=100,
        sha256=digest,
    )


def make_clips(labels: tuple[str, ...], counts: dict[Split, int]) -> list[Clip]:
    return [
        clip(label, split, number)
        for label in labels
        for split, count in counts.items()
        for number in range(count)
    ]


def write_dataset(folder: Path, clips: list[Clip], labels: tuple[str, ...]) -> Path:
    folder.mkdir(parents=True)
    write_clips(clips, folder / "clips.parquet")
    DatasetReport(
        source="made up",
        generated=True,
        labels=labels,
        split_counts={split: sum(clip.split == split for clip in clips) for split in COUNTS},
        groups=len(clips),
        dropped_classes=(),
        quarantined=(),
        data_hash=data_hash(clips),
        clips_sha256=sha256_file(folder / "clips.parquet"),
    ).save(folder)
    return folder


def data_hash(clips: list[Clip]) -> str:
    return sha256_text("".join(clip.to_json() for clip in clips))


def codes_of(clip: Clip, labels: tuple[str, ...], dim: int = DIM) -> np.ndarray:
    """Codes (frames, dim) uint8; classes 2i and 2i + 1 are one sequence forwards and backwards."""
    chance = np.random.default_rng(int(hashlib.sha256(clip.clip_id.encode()).hexdigest()[:8], 16))
    place = labels.index(clip.label)
    ends = np.random.default_rng(place // 2).integers(40, 216, (2, dim))
    weight = np.linspace(0, 1, FRAMES)[:, None]  # (frames, 1)
    sequence = ends[0] * (1 - weight) + ends[1] * weight + chance.normal(0, 4, (FRAMES, dim))
    return np.clip(sequence[:: -1 if place % 2 else 1], 0, 255).astype(np.uint8)


def write_features(
    folder: Path,
    clips: list[Clip],
    labels: tuple[str, ...],
    data: str | None = None,
    views: tuple[str, ...] = ("plain",),
    backbone: BackboneSpec = THUMBNAIL,
) -> Path:
    """Codes of every view, the plain ones first; view i is the plain one, i levels darker."""
    folder.mkdir(parents=True)
    shards = []
    for place, view in enumerate(views):
        for number, part in enumerate((clips[::2], clips[1::2])):
            path = folder / f"codes-{number}.{view}.npy"
            plain = np.stack([codes_of(clip, labels, backbone.dim) for clip in part])
            np.save(path, np.maximum(plain, place) - np.uint8(place))
            ids = tuple(clip.clip_id for clip in part)
            shards.append(FeatureShard(file=path.name, view=view, sha256=sha256_file(path), clip_ids=ids))
    FeaturesReport(
        data_hash=data or data_hash(clips),
        backbone=backbone,
        frames=FRAMES,
        views=views,
        shards=tuple(shards),
    ).save(folder)
    return folder


def write_both(
    folder: Path,
    labels: tuple[str, ...] = ("down", "up"),
    counts: dict[Split, int] | None = None,
    backbone: BackboneSpec = THUMBNAIL,
) -> tuple[Path, Path]:
    """Dataset and features folders."""
    clips = make_clips(labels, counts or COUNTS)
    return write_dataset(folder / "dataset", clips, labels), write_features(
        folder / "features", clips, labels, backbone=backbone
    )


def write_model(
    folder: Path,
    features: Path,
    labels: tuple[str, ...],
    head: str,
    seed: int = 1,
    dataset: Path | None = None,
) -> Path:
    """A training folder by holdout with an untrained head and its scores.

    Args:
        dataset: the clips' folder, by default `dataset` beside the features.
    """
    seed_everything(seed)
    params, store = training_params(units=4, dense_units=16, seed=seed), FeatureStore(features)
    found = store.report
    network = build_head(head, frames=FRAMES, dim=DIM, classes=len(labels), params=params)
    folder.mkdir(parents=True)
    clips = read_clips(dataset or features.parent / "dataset")
    classes = sorted({clip.label for clip in clips})
    scored = {}
    for split in COUNTS:
        ids = [clip.clip_id for clip in clips if clip.split == split]
        truth = [classes.index(clip.label) for clip in clips if clip.split == split]
        codes = store.gather(ids).astype(np.float32) * np.float32(store.scale)
        scores = network.predict_on_batch(codes) if ids else np.empty((0, len(labels)))
        scored[split] = write_predictions(folder, split, scores, ids, truth)
    (folder / "train.npy").unlink()
    TrainingReport(
        data_hash=found.data_hash,
        protocol="holdout",
        folds=(
            Fold(
                name="holdout",
                train_clips=len(scored["train"].clip_ids),
                validation_clips=len(scored["validation"].clip_ids),
                test_clips=len(scored["test"].clip_ids),
            ),
        ),
        validation=scored["validation"],
        test=scored["test"],
        deployed=scored["test"],
        head=head,
        backbone=found.backbone,
        frames=found.frames,
        labels=labels,
        best_epoch=1,
        epochs_run=1,
        stopped_early=False,
        seed=seed,
        parameters=1,
        model_sha256=save_head(network, folder / "model.keras"),
        metrics={"validation_accuracy": 0.5, "validation_loss": 0.7, "epochs": 1},
    ).save(folder)
    return folder
