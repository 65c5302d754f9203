"""The folders of a whole run up to the release, made up: any classes, any accuracy, no TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelflow.contracts import (
    BundleFile,
    Clip,
    DatasetReport,
    EvaluationReport,
    FramesReport,
    Parity,
    Predictions,
    Rejected,
)
from reelflow.edge.bundle import GOLDEN, HEAD
from reelflow.edge.seal import seal
from reelflow.files import sha256_file, write_bytes
from tests.fake_features import make_clips, write_dataset
from tests.fake_frames import noise, write_shard
from tests.fake_reports import (
    backbone,
    baseline_comparison,
    bundle_report,
    evaluation_report,
    made_up_folds,
    scored,
    training_report,
)

FRAMES = 6
FLOORS = {"metadata": 0.4, "thumbnails": 0.3}
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
    protocol: str = "holdout",
    folds: int = 1,
    baselines: dict[str, float] | None = None,
) -> FakeRun:
    """Write every input of the release step; the first of `accuracies` (by head) is the one converted.

    By any `protocol` but holdout every clip is tested, by one of `folds` models. A classifier is
    clearly above a baseline if it is 0.15 better.
    """
    accuracies = accuracies or {"gru": 0.8, "single_frame": 0.5}
    labels = tuple(sorted(labels))
    clips = make_clips(labels, {"train": 2, "validation": 1, "test": clips_per_class})
    run = FakeRun(folder / "dataset", folder / "frames", folder / "evaluations", folder / "bundle")
    write_dataset(run.dataset, clips, labels)
    report = DatasetReport.open(run.dataset)
    report.model_copy(update={"quarantined": (REJECTED,)}).save(run.dataset)
    (run.dataset / "table.csv").write_text(f"property,value\nclips,{len(clips)}\n")
    tests = [clip for clip in clips if clip.split == "test" or protocol != "holdout"]
    _write_frames(run.frames, tests, report.data_hash)
    tested = Tested(
        tests, labels, report.data_hash, protocol, folds, FLOORS if baselines is None else baselines
    )
    for head, accuracy in accuracies.items():
        _write_candidate(run.evaluations, head, accuracy, tested, backbone_name)
    name = f"{backbone_name}-{next(iter(accuracies))}"
    accuracy = next(iter(accuracies.values()))
    parity = parity or Parity(
        clips=len(tests),
        seen=protocol != "holdout",
        agreement=1.0,
        max_score_difference=0.002,
        keras_accuracy=accuracy,
        litert_accuracy=accuracy,
    )
    _write_bundle(run.bundle, name, labels, report.data_hash, parity, accuracy, size_bytes)
    return run


def _write_frames(folder: Path, clips: Sequence[Clip], data: str) -> None:
    folder.mkdir(parents=True)
    shard = write_shard(
        folder / "shard-00000.tar", {clip.clip_id: noise(clip.clip_id, FRAMES, (40, 30)) for clip in clips}
    )
    FramesReport(data_hash=data, count=FRAMES, jpeg_quality=95, shards=(shard,), quarantined=()).save(folder)


@dataclass(frozen=True)
class Tested:
    """What all candidates share."""

    clips: Sequence[Clip]
    labels: tuple[str, ...]
    data_hash: str
    protocol: str
    folds: int
    baselines: dict[str, float]

    @property
    def truth(self) -> list[int]:
        return [self.labels.index(clip.label) for clip in self.clips]

    @property
    def clip_ids(self) -> tuple[str, ...]:
        return tuple(clip.clip_id for clip in self.clips)

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(clip.group for clip in self.clips)

    def scored(self, name: str) -> Predictions:
        """All clips, dealt to the folds by their groups."""
        places = {group: place % self.folds for place, group in enumerate(sorted(set(self.groups)))}
        return scored(name).model_copy(
            update={
                "clip_ids": self.clip_ids,
                "truth": tuple(self.truth),
                "folds": tuple(places[group] for group in self.groups),
            }
        )


def _write_candidate(folder: Path, head: str, accuracy: float, tested: Tested, backbone_name: str) -> None:
    name = f"{backbone_name}-{head}"
    own = folder / name
    own.mkdir(parents=True)
    scores = _scores(tested, accuracy, seed=len(head))
    np.save(own / "scores.npy", scores)
    truth, size = np.array(tested.truth), len(tested.labels)
    found = float((scores.argmax(axis=1) == truth).mean())
    confusion = np.zeros((size, size), int)
    np.add.at(confusion, (truth, scores.argmax(axis=1)), 1)
    row = evaluation_report().per_class[0]
    training = training_report(
        head,
        backbone=backbone(backbone_name),
        labels=tested.labels,
        data_hash=tested.data_hash,
        protocol=tested.protocol,
        folds=made_up_folds(tested.protocol, tested.folds),
        test=tested.scored("test"),
    )
    evaluation: EvaluationReport = evaluation_report(
        head,
        accuracy=found,
        name=name,
        data_hash=tested.data_hash,
        training=training,
        labels=tested.labels,
        clip_ids=tested.clip_ids,
        truth=tuple(tested.truth),
        groups=tested.groups,
        baselines=tuple(
            baseline_comparison(baseline, value, found, clearly_above=found - value >= 0.15)
            for baseline, value in tested.baselines.items()
        ),
        confusion=tuple(map(tuple, confusion.tolist())),
        per_class=tuple(row.model_copy(update={"label": label}) for label in tested.labels),
        scores_sha256=sha256_file(own / "scores.npy"),
    )
    evaluation.save(own)


def _scores(tested: Tested, accuracy: float, seed: int) -> NDArray[np.float32]:
    """Scores of which a share is right; with the same seed a higher share holds the lower one."""
    chance = np.random.default_rng(seed)
    truth, size = np.array(tested.truth), len(tested.labels)
    scores = chance.uniform(0, 0.4, (len(truth), size)).astype(np.float32)
    wrong = chance.permutation(len(truth)) >= round(accuracy * len(truth))
    scores[np.arange(len(truth)), (truth + wrong) % size] += 1
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


def _write_bundle(
    folder: Path,
    name: str,
    labels: tuple[str, ...],
    data: str,
    parity: Parity,
    accuracy: float,
    size_bytes: int,
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
        accuracy=accuracy,
        parity=parity,
        files=listed,
        size_bytes=sum(map(len, files.values())),
    ).save(folder)
    seal(folder)
