"""The folders of a whole run up to the release, made up: any classes, any accuracy, no TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reelflow.contracts import (
    BundleFile,
    Clip,
    DatasetReport,
    EvaluationReport,
    FramesReport,
    Parity,
    Rejected,
)
from reelflow.edge.bundle import GOLDEN, HEAD
from reelflow.files import sha256_file, write_bytes
from tests.fake_features import make_clips, write_dataset
from tests.fake_frames import _write_shard
from tests.fake_reports import backbone, bundle_report, evaluation_report, training_report

FRAMES = 6
REJECTED = Rejected(path="a/<b>broken</b>.mp4", reason="no frame can be decoded")


@dataclass(frozen=True)
class FakeRun:
    dataset: Path
    frames: Path
    evaluations: Path
    bundle: Path

    @property
    def inputs(self) -> dict[str, Path]:
        return dict(vars(self))


def write_run(
    folder: Path,
    labels: Sequence[str] = ("falling", "rising"),
    *,
    accuracies: dict[str, float] | None = None,
    clips_per_class: int = 5,
    parity: Parity | None = None,
    size_bytes: int = 0,
    backbone_name: str = "thumbnail",
) -> FakeRun:
    """Write every input of the release step; the first of `accuracies` (by head) is the one converted."""
    accuracies = accuracies or {"gru": 0.8, "single_frame": 0.5}
    labels = tuple(sorted(labels))
    clips = make_clips(labels, {"train": 2, "validation": 1, "test": clips_per_class})
    run = FakeRun(folder / "dataset", folder / "frames", folder / "evaluations", folder / "bundle")
    write_dataset(run.dataset, clips, labels)
    report = DatasetReport.open(run.dataset)
    report.model_copy(update={"quarantined": (REJECTED,)}).save(run.dataset)
    (run.dataset / "table.csv").write_text(f"property,value\nclips,{len(clips)}\n")
    tests = [clip for clip in clips if clip.split == "test"]
    _write_frames(run.frames, tests, report.data_hash)
    for head, accuracy in accuracies.items():
        _write_candidate(run.evaluations, head, accuracy, tests, labels, report.data_hash, backbone_name)
    name = f"{backbone_name}-{next(iter(accuracies))}"
    accuracy = next(iter(accuracies.values()))
    parity = parity or Parity(
        clips=len(tests),
        agreement=1.0,
        max_score_difference=0.002,
        keras_accuracy=accuracy,
        litert_accuracy=accuracy,
    )
    _write_bundle(run.bundle, name, labels, report.data_hash, parity, size_bytes)
    return run


def _write_frames(folder: Path, clips: Sequence[Clip], data: str) -> None:
    folder.mkdir(parents=True)
    shard = _write_shard(folder, "shard-00000", [clip.clip_id for clip in clips], FRAMES, (40, 30))
    FramesReport(data_hash=data, count=FRAMES, jpeg_quality=95, shards=(shard,), quarantined=()).save(folder)


def _write_candidate(
    folder: Path,
    head: str,
    accuracy: float,
    clips: Sequence[Clip],
    labels: tuple[str, ...],
    data: str,
    backbone_name: str,
) -> None:
    chance = np.random.default_rng(len(head))
    truth = np.array([labels.index(clip.label) for clip in clips])
    scores = chance.uniform(0, 0.4, (len(clips), len(labels))).astype(np.float32)
    wrong = chance.permutation(len(clips)) >= round(accuracy * len(clips))
    scores[np.arange(len(clips)), (truth + wrong) % len(labels)] += 1
    scores /= scores.sum(axis=1, keepdims=True)
    confusion = np.zeros((len(labels), len(labels)), int)
    np.add.at(confusion, (truth, scores.argmax(axis=1)), 1)
    name = f"{backbone_name}-{head}"
    own = folder / head / "candidates" / name
    own.mkdir(parents=True)
    np.save(own / "scores.npy", scores)
    row = evaluation_report().per_class[0]
    training = training_report(head, backbone=backbone(backbone_name), labels=labels, data_hash=data)
    evaluation: EvaluationReport = evaluation_report(
        head,
        accuracy=float((~wrong).mean()),
        name=name,
        data_hash=data,
        training=training,
        labels=labels,
        clip_ids=tuple(clip.clip_id for clip in clips),
        truth=tuple(truth.tolist()),
        confusion=tuple(map(tuple, confusion.tolist())),
        per_class=tuple(row.model_copy(update={"label": label}) for label in labels),
        scores_sha256=sha256_file(own / "scores.npy"),
    )
    evaluation.save(own)


def _write_bundle(
    folder: Path, name: str, labels: tuple[str, ...], data: str, parity: Parity, size_bytes: int
) -> None:
    files = {HEAD: bytes(max(1000, size_bytes)), **dict.fromkeys(GOLDEN, b"vectors")}
    for file, content in files.items():
        write_bytes(folder / file, content)
    listed = {
        file: BundleFile(sha256=sha256_file(folder / file), size_bytes=len(files[file])) for file in files
    }
    bundle_report(
        name=name,
        labels=labels,
        data_hash=data,
        parity=parity,
        files=listed,
        size_bytes=sum(map(len, files.values())),
    ).save(folder)
