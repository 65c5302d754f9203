"""Shortcut baselines: classifiers that see only metadata or thumbnails of a clip."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import Any

import numpy as np

from components.baselines.inputs import BaselineInputs, metadata, thumbnails
from components.baselines.models import Truth, score_held_out
from reelflow.artifacts.clips import read_clips
from reelflow.artifacts.frames import FrameStore
from reelflow.artifacts.predictions import Scores, write_predictions
from reelflow.artifacts.shard_files import ShardAccess
from reelflow.contracts import Baseline, BaselinesReport, Clip, DatasetReport
from reelflow.errors import BundleError, DataError, StepError
from reelflow.params import BaselinesParams
from reelflow.progress import track
from reelflow.splitting.protocols import Protocol, make_folds, read_protocol
from reelflow.workers.cpus import granted_cpus

LONG_S = 15.0  # of fits; processes for them take several seconds to import scikit-learn


@dataclass(frozen=True)
class _Clips:
    """All clips that have frames, by row, and the train and test rows of each fold."""

    clips: tuple[Clip, ...]
    labels: tuple[str, ...]
    truth: Truth
    folds: tuple[tuple[Truth, Truth], ...]


def run(
    params: BaselinesParams,
    *,
    protocol: str,
    dataset: Path,
    frames: Path,
    baselines: Path,
    access: ShardAccess | None = None,
) -> BaselinesReport:
    """Measure both baselines on the same folds as every classifier of the run.

    A baseline trains on the train and validation clips of a fold.

    Args:
        params: the inputs of the baselines.
        protocol: how clips are held out, as in `evaluation.protocol`.
        dataset: folder of the dataset step.
        frames: folder of the frames step; clips without frames are left out.
        access: how frames in a store are reached.
        baselines: the output: one `.npy` of scores per baseline, and `baselines.json`.

    Raises:
        ParamsError: unknown protocol.
        DataError: a class has no training clips, or there are no test clips.
        BundleError: an input is damaged, or the inputs do not belong together.
        StorageError: the disk is full or read-only.
        StepError: a process was ended, as for memory.
    """
    source, store = DatasetReport.open(dataset), FrameStore(frames, access)
    if store.report.data_hash != source.data_hash:
        raise BundleError(f"{frames} holds frames of other clips than {dataset}: run the frames step again")
    known = _folds_of(read_clips(dataset), source.labels, store, read_protocol(protocol))
    inputs: dict[str, BaselineInputs] = {
        "metadata": metadata(known.clips),
        "thumbnails": thumbnails(store, known.clips, params.thumbnail_frames),
    }
    scored = {name: _score(known, inputs, params.seed) for name, inputs in inputs.items()}
    report = BaselinesReport(
        data_hash=source.data_hash,
        protocol=protocol,
        labels=source.labels,
        baselines=tuple(_write(baselines, name, known, scores) for name, scores in scored.items()),
        metrics={f"{name}_accuracy": _accuracy(known, scores) for name, scores in scored.items()},
    )
    report.save(baselines)
    return report


def _folds_of(
    clips: Sequence[Clip], labels: tuple[str, ...], store: FrameStore, protocol: Protocol
) -> _Clips:
    """The folds of all clips, as in training; those without frames are left out of the folds."""
    usable = tuple(clip for clip in clips if clip.clip_id in store)
    rows = {clip.clip_id: row for row, clip in enumerate(usable)}
    places = {label: place for place, label in enumerate(labels)}
    truth = np.array([places[clip.label] for clip in usable], np.int64)

    def rows_of(chosen: Sequence[Clip]) -> Truth:
        return np.array([rows[clip.clip_id] for clip in chosen if clip.clip_id in rows], np.int64)

    folds = []
    for fold in make_folds(clips, protocol):
        train, test = rows_of((*fold.train, *fold.validation)), rows_of(fold.test)
        lacking = [labels[place] for place in sorted(set(range(len(labels))) - set(truth[train].tolist()))]
        if lacking:
            raise DataError(
                f"{fold.name}: no training clips with frames of {', '.join(lacking)}: "
                "add clips of these classes, or drop the classes"
            )
        folds.append((train, test))
    if not any(len(test) for _, test in folds):
        raise DataError("no clips with frames in the test split: add clips or split it otherwise")
    return _Clips(usable, labels, truth, tuple(folds))


def _score(known: _Clips, inputs: BaselineInputs, seed: int) -> Scores:
    """Scores of the tested clips, fold after fold, `(tested clips, classes)`."""
    groups, classes = [clip.group for clip in known.clips], len(known.labels)
    folds = [(inputs, known.truth, groups, *fold, classes, seed) for fold in known.folds]
    return np.concatenate(list(track(_scores_of(folds), len(folds), "folds")))


def _scores_of(folds: Sequence[tuple[Any, ...]]) -> Iterator[Scores]:
    """Scores of each fold. The first tells how long the others take, and whether every CPU shall help."""
    first, *others = folds
    started = time.perf_counter()
    scores = score_held_out(*first)
    left_s = (time.perf_counter() - started) * len(others)
    yield scores
    yield from _in_processes(others) if left_s > LONG_S else starmap(score_held_out, others)


def _in_processes(folds: Sequence[tuple[Any, ...]]) -> Iterator[Scores]:
    """Scores of each fold."""
    from joblib import Parallel, delayed  # type: ignore[import-untyped]
    from joblib.externals.loky import get_reusable_executor  # type: ignore[import-untyped]

    try:
        yield from Parallel(granted_cpus(), return_as="generator")(
            delayed(score_held_out)(*fold) for fold in folds
        )
    except BrokenProcessPool as error:
        raise StepError(
            f"a process that fits baselines was ended: {error}; look at the memory, and run the same command "
            "again"
        ) from error
    finally:
        get_reusable_executor().shutdown()  # its processes would wait for more work for minutes


def _write(folder: Path, name: str, known: _Clips, scores: Scores) -> Baseline:
    rows = _tested(known)
    folds = [number for number, (_, test) in enumerate(known.folds) for _ in test]
    ids = [known.clips[row].clip_id for row in rows]
    scored = write_predictions(folder, name, scores, ids, known.truth[rows].tolist(), folds)
    return Baseline.model_validate({"name": name, "scored": scored})


def _accuracy(known: _Clips, scores: Scores) -> float:
    return float((scores.argmax(axis=1) == known.truth[_tested(known)]).mean())


def _tested(known: _Clips) -> Truth:
    """Rows of the tested clips, fold after fold."""
    return np.concatenate([test for _, test in known.folds])
