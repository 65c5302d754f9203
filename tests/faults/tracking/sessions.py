"""What a local run does with MLflow, without the steps' work: real recorder, real release step."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from components.release.step import run as run_release
from pipelines.local.recording import open_tracking, whole_but_unregistered
from pipelines.local.replay import replay
from reelflow.errors import ReelflowError, TrackingError
from reelflow.params import Params
from reelflow.progress import EventFile, emit, watched_by
from reelflow.settings import Settings
from reelflow.steps import perform
from reelflow.tracking import client as mlflow_client
from reelflow.tracking.spool.owed import TrackingSpool
from reelflow.tracking.spool.recorder import RunRecorder
from tests.fake_reports import (
    PARAMS,
    dataset_report,
    evaluation_report,
    save_step,
    training_report,
)
from tests.fake_run import FakeRun, write_run

EASY = {"require_above_chance": False, "min_accuracy": 0.0, "min_class_clips": 0}
SHOWN = Console()
LOSSES = (0.9, 0.5, 0.3)  # as in the report of a training
SAMPLE_S = 10


@dataclass(frozen=True)
class LocalRun:
    """The folders of a finished local run; only MLflow is to be told.

    Attributes:
        out: folder of the run.
        made: what the release step reads.
        params: of the run.
        asked: settings of the user.
    """

    out: Path
    made: FakeRun
    params: Params
    asked: Settings

    @classmethod
    def written(
        cls, out: Path, settings: Settings, model: str, accuracies: dict[str, float] | None = None
    ) -> "LocalRun":
        """Write the folders of all steps but the release; `accuracies` by head, of the first's bundle."""
        made = write_run(out / "made", accuracies=accuracies)
        save_step(out / "dataset", dataset_report(), "dataset", PARAMS.dataset)
        training = save_step(out / "t", training_report(), "training", PARAMS.training, {"head": "gru"})
        (training / "model.keras").write_bytes(b"model" * 20_000)
        (out / "work").mkdir()
        (out / ".lock").touch()
        save_step(out / "e", evaluation_report(), "evaluation", PARAMS.evaluation)
        return cls(out, made, PARAMS.with_values(release={"model_name": model, **EASY}), settings)

    @property
    def settings(self) -> Settings:
        work = self.out / "work"
        own = {"run_name": f"run of {self.out.name}", "work": work, "events": work / "events.jsonl"}
        return self.asked.model_copy(update=own)

    def session(self) -> int:
        """Tell MLflow everything, as a driver does; returns its exit code."""
        mlflow_client._connect.cache_clear()
        settings = self.settings
        try:
            reached = open_tracking(settings, SHOWN)
        except ReelflowError as error:
            SHOWN.print(error)
            return error.exit_code
        recorder = RunRecorder(settings, self.asked_of_run, reached=reached)
        recorder.step(self.out / "dataset")
        with watched_by(self._events), watched_by(recorder.event):
            emit("started", task="training thumbnail-gru")
            for epoch, loss in enumerate(LOSSES, start=1):
                pace = {"learning_rate": 0.1, "seconds": epoch / 7}
                emit("epoch", fold="holdout", epoch=epoch, train_loss=loss, **pace)
                sampled = time.time() + SAMPLE_S * epoch
                taken = {"cpu_utilization_percentage": 50.0, "system_memory_usage_megabytes": 1000.0}
                figures = {name: value + epoch for name, value in taken.items()}
                emit("usage", time=sampled, figures=figures)
                recorder.curves()
        recorder.step(self.out / "t")
        recorder.step(self.out / "e")
        problem = self.released(recorder)
        if problem is None:
            recorder.end("FINISHED")
            problem = recorder.problem
        SHOWN.print(problem or "all is told")
        return problem.exit_code if problem else 0

    def replayed(self) -> int:
        """What `track replay` does; returns its exit code."""
        mlflow_client._connect.cache_clear()
        try:
            found = replay(self.asked, SHOWN)
        except ReelflowError as error:
            SHOWN.print(error)
            return error.exit_code
        return TrackingError.exit_code if found.refused else 0

    @property
    def _events(self) -> EventFile:
        return EventFile(self.out / "work" / "events.jsonl")

    @property
    def is_owed(self) -> bool:
        return any(self.spool.all())

    @property
    def spool(self) -> TrackingSpool:
        return TrackingSpool(self.asked.spool)

    @property
    def asked_of_run(self) -> Settings:
        return self.asked.model_copy(update={"run_name": self.settings.run_name})

    def released(self, recorder: RunRecorder) -> ReelflowError | None:
        """Register the bundle, and record that; why not, if something fails."""
        made, told = self.made, list[dict[str, Any]]()
        done = {"dataset": made.dataset, "frames": made.frames, "conversion": made.bundle}
        done |= {f"evaluation {one.name}": one for one in made.evaluations.iterdir()}
        with watched_by(self._events):
            for task, folder in done.items():
                emit("finished", task=task, folder=str(folder), reused=False, seconds=1.0)
        try:
            with watched_by(told.append):
                perform(
                    run_release,
                    self.params.release,
                    inputs=made.inputs,
                    output={"release": self.out / "release"},
                    reuse=False,
                    settings=self.settings.model_copy(update={"task": "release"}),
                )
        except ReelflowError:
            (failure,) = (event for event in told if event["kind"] == "failed")
            return whole_but_unregistered(failure, recorder, self.params, self.out, self.settings)
        recorder.step((self.out / "release").resolve())
        return None
