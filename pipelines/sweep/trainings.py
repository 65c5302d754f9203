"""Runs the trainings of a search in this process, and the steps before them."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.dataset.step import run as run_dataset
from components.features.step import run as run_features
from components.frames.step import run as run_frames
from components.training.step import run as run_training
from pipelines.trials.candidate import SweepCandidate
from pipelines.trials.search import FoldScore
from reelflow.artifacts.clips import read_clips
from reelflow.artifacts.predictions import read_predictions
from reelflow.contracts import TrainingReport
from reelflow.measures.loss import log_losses
from reelflow.nets import runtime
from reelflow.nets.video.design import inflation_input
from reelflow.params import Params
from reelflow.settings import Settings
from reelflow.sources.fetch import fetched
from reelflow.steps import perform, where_it_exists
from reelflow.workers.stderr import silenced_stderr

HOLDOUT = "holdout"  # every fold is a folder of its own

Features = dict[tuple[str, tuple[str, ...]], Path]


@dataclass(frozen=True)
class Prepared:
    """Folders of the finished steps.

    Attributes:
        dataset: all clips.
        features: by backbone and views.
    """

    dataset: Path
    features: Features


@dataclass(frozen=True)
class Tested:
    """Clips of an outer fold, scored by a model that was selected and trained without them.

    Attributes:
        right: whether each clip is classified correctly, `(clips,)`.
        groups: group of each clip.
    """

    right: NDArray[np.bool_]
    groups: tuple[str, ...]


def in_folder(settings: Settings, work: Path) -> Settings:
    """Settings of steps that keep their outputs in `work` and are not recorded in MLflow."""
    return settings.model_copy(update={"work": work, "events": work / "events.jsonl", "task": ""})


def prepare(
    params: Params, view_lists: Sequence[tuple[str, ...]], work: Path, settings: Settings
) -> Prepared:
    """Run the steps up to the features, once per list of views; finished outputs are reused.

    Raises:
        ReelflowError: whatever the steps raise.
    """
    links = work / "links"
    data, stills = {"dataset": links / "dataset"}, {"frames": links / "frames"}
    perform_here = partial(perform, settings=settings)

    def clips(settings: Settings) -> AbstractContextManager[Mapping[str, Path]]:
        return fetched(params.dataset.source, settings)

    perform_here(run_dataset, params.dataset, inputs={}, passing=clips, output=data)
    perform_here(run_frames, params.frames, inputs=data, output=stills)
    given = data | stills | where_it_exists(weights=params.features.weights)
    found: Features = {}
    for place, views in enumerate(view_lists):
        section = params.with_values(features={"views": list(views)}).features
        for backbone in params.features.backbones:
            link = links / f"features-{backbone}-{place}"
            options = {"backbone": backbone}
            narrowed = section.narrowed_to(backbone)
            with silenced_stderr():
                perform_here(run_features, narrowed, options=options, inputs=given, output={"features": link})
            found[backbone, views] = link
    return Prepared(data["dataset"], found)


@dataclass(frozen=True)
class Trainer:
    """Trains candidates on folders of folds.

    Attributes:
        params: the fixed values.
        prepared: clips and features.
        work: folder for outputs.
        settings: of the steps.
    """

    params: Params
    prepared: Prepared
    work: Path
    settings: Settings

    def judge(self, candidate: SweepCandidate, dataset: Path) -> FoldScore:
        """Train on an inner fold and score its test clips. Nothing is kept.

        Raises:
            ParamsError: training with these values is impossible.
        """
        runtime.prepare()
        import keras

        logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of many models in one process

        folder = self.work / "trial"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        features = self.prepared.features[candidate.backbone, candidate.views]
        section = candidate.within(self.params).training.narrowed_to(candidate.head)
        try:
            report = run_training(
                section,
                head=candidate.head,
                protocol=HOLDOUT,
                dataset=dataset,
                features=features,
                model=folder,
                inflate=inflation_input(candidate.head, section.video).get("inflate"),
            )
            scores = read_predictions(folder, report.test, len(report.labels))
        finally:
            keras.backend.clear_session(free_memory=False)  # or every model stays in memory
            shutil.rmtree(folder, ignore_errors=True)
        truth = np.array(report.test.truth)
        right = int((scores.argmax(axis=1) == truth).sum())
        return FoldScore(right, len(truth), float(log_losses(scores, truth).sum()))

    def test(self, candidate: SweepCandidate, dataset: Path) -> Tested:
        """Train on an outer fold, or reuse its output; score its test clips.

        Raises:
            ReelflowError: whatever the training raises.
        """
        link = self.work / "links" / "outer"
        section = candidate.within(self.params).training.narrowed_to(candidate.head)
        report = perform(
            run_training,
            section,
            options={"head": candidate.head, "protocol": HOLDOUT},
            inputs={
                "dataset": dataset,
                "features": self.prepared.features[candidate.backbone, candidate.views],
                **inflation_input(candidate.head, section.video),
            },
            output={"model": link},
            settings=self.settings,
        )
        assert isinstance(report, TrainingReport)
        scores = read_predictions(link, report.test, len(report.labels))
        groups = {clip.clip_id: clip.group for clip in read_clips(dataset)}
        right = scores.argmax(axis=1) == np.array(report.test.truth)
        return Tested(right, tuple(groups[clip_id] for clip_id in report.test.clip_ids))
