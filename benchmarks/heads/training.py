"""One trained head a fold, kept on disk: a run that is killed goes on with the next fold."""

import hashlib
import json
import shutil
from pathlib import Path

from benchmarks.heads.sets import PROTOCOL, ClipSet
from components.training.learners.epochs import EpochLearner
from components.training.learners.fold_results import EpochProgress
from components.training.learners.graph import memory_errors
from reelflow.nets.heads import build_head
from reelflow.nets.runtime import seed_everything
from reelflow.nets.saved import save_head
from reelflow.params import TrainingParams

PLAIN = (0,)  # the views that are scored
CHECKPOINTS = "checkpoints"


def trained(clips: ClipSet, params: TrainingParams, out: Path) -> list[Path]:
    """A `.keras` file a fold: a head that has not seen its test clips, as the training step trains it."""
    folder = out / "heads" / f"{clips.name}-{params.units}-{_key(clips, params)}"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{fold.number}.keras" for fold in clips.folds]
    missing = [(fold, path) for fold, path in zip(clips.folds, paths, strict=True) if not path.exists()]
    if missing:
        learner = _learner(clips, params, folder / CHECKPOINTS)
        for fold, path in missing:
            learner.train_fold(fold)
            save_head(learner.network, path)
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    return paths


def _learner(clips: ClipSet, params: TrainingParams, checkpoints: Path) -> EpochLearner:
    examples = clips.examples
    with memory_errors("gru", params):
        seed_everything(params.seed)
        network = build_head(
            "gru",
            frames=examples.store.report.frames,
            dim=examples.store.report.backbone.dim,
            classes=len(examples.labels),
            params=params,
        )
        progress = EpochProgress(len(clips.folds), params.epochs)
        return EpochLearner(network, examples, params, PLAIN, None, checkpoints, progress)


def _key(clips: ClipSet, params: TrainingParams) -> str:
    """Of all that a trained head depends on, but the code."""
    report = clips.examples.store.report
    parts = [
        report.data_hash,
        report.backbone.model_dump(mode="json"),
        PROTOCOL,
        params.model_dump(mode="json"),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
