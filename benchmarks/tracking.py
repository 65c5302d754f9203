"""What a team's MLflow costs runs that train at once, and whether it has everything afterwards.

Every run is a process: a training whose epochs take `PACE_S` (on a machine of its own it would compute; here
it waits, because all runs and the server share this one), then the release step: gates, comparison, report.
The same runs go first without tracking, with a registry in memory and no server, then recorded as the driver
of a local run does it, in a thread of its own: curves while it trains, then steps, then a registered model.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

RUNS, EPOCHS, PACE_S = 20, 2000, 0.12
CURVES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
TRIALS, FOLDS = 200, 5


def train(place: Path, number: int, *, tracked: bool) -> float:
    """Seconds that one run takes from its first epoch to the end of its release, and of its last record."""
    from components.release.step import run as release
    from reelflow.progress import emit, watched_by
    from reelflow.settings import Settings
    from reelflow.tracking.spool.recorder import RunRecorder
    from tests.fake_registry import MemoryRegistry
    from tests.fake_reports import PARAMS, save_step, training_report
    from tests.faults.tracking.sessions import LocalRun

    asked = Settings(experiment="load", spool=place / f"spool-{number}")
    run = LocalRun.written(place / f"run-{number}", asked, f"load-{number}")
    curves = {name: tuple(_figures(epoch)[name] for epoch in range(1, EPOCHS + 1)) for name in CURVES}
    save_step(run.out / "t", training_report(curves=curves), "training", PARAMS.training, {"head": "gru"})
    recorder = RunRecorder(run.settings, run.asked_of_run) if tracked else None
    began = time.monotonic()
    with ThreadPoolExecutor(1) as recording:
        records: list[Future[None]] = []
        if recorder:
            records.append(recording.submit(recorder.step, run.out / "dataset"))
        with watched_by(recorder.event) if recorder else nullcontext():
            emit("started", task="training thumbnail-gru")
            for epoch in range(1, EPOCHS + 1):
                time.sleep(PACE_S)
                emit("epoch", fold="holdout", epoch=epoch, **_figures(epoch))
                if recorder and recorder.curves_are_due and (not records or records[-1].done()):
                    records.append(recording.submit(recorder.curves))
        if recorder:
            records += [recording.submit(recorder.step, run.out / folder) for folder in ("t", "e")]
        for record in records:
            record.result()
    if recorder:
        assert run.released(recorder) is None
        recorder.end("FINISHED")
        assert recorder.problem is None, recorder.problem
    else:
        (run.out / "release").mkdir()
        release(
            run.params.release,
            **run.made.inputs,
            release=run.out / "release",
            settings=run.settings,
            registry=MemoryRegistry(),
        )
    return time.monotonic() - began


def _figures(epoch: int) -> dict[str, float]:
    return {name: 1 / (epoch + place) for place, name in enumerate((*CURVES, "learning_rate"))}


def search(place: Path) -> float:
    """Seconds to record the trials of a search, one after another."""
    from pipelines.trials.candidate import SweepCandidate
    from pipelines.trials.record import SearchRecord
    from pipelines.trials.search import Attempt, FoldScore
    from reelflow.settings import Settings

    settings = Settings(experiment="search", spool=place / "spool", run_name="search")
    record = SearchRecord(settings, {"trials": str(TRIALS)})
    began = time.monotonic()
    for number in range(1, TRIALS + 1):
        candidate = SweepCandidate(
            family="a", backbone="thumbnail", head="gru", views=("plain",), training={"units": number}
        )
        scores = tuple(FoldScore(number % 9, 10, 1.0) for _ in range(FOLDS))
        record.trial("outer 1", Attempt(number, candidate, scores, "COMPLETE"))
    return time.monotonic() - began


def missing() -> list[str]:
    """What MLflow has not got of all runs and trials, or has twice."""
    from mlflow import MlflowClient

    client, told = MlflowClient(), []
    for number in range(RUNS):
        (version,) = client.search_model_versions(f"name = 'load-{number}'")
        run = client.get_run(version.run_id)
        for name in _figures(1):
            points = [
                one.step for one in client.get_metric_history(run.info.run_id, f"training.curve.{name}")
            ]
            if sorted(points) != list(range(1, EPOCHS + 1)):
                told.append(
                    f"run {number}: {len(set(points))} of {EPOCHS} points of {name}, {len(points)} in all"
                )
    experiment = client.get_experiment_by_name("search")
    trials = client.search_runs([experiment.experiment_id], "metrics.accuracy >= 0", max_results=1000)
    if sorted(int(one.data.params["units"]) for one in trials) != list(range(1, TRIALS + 1)):
        told.append(f"{len(trials)} of {TRIALS} trials")
    return told


def _at_once(place: Path, how: str) -> list[float]:
    """Seconds of all runs together, the shortest first."""
    place.mkdir()
    running = [
        subprocess.Popen(
            [sys.executable, __file__, "--one", str(number), "--how", how, "--place", str(place)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(RUNS)
    ]
    told = [process.communicate()[0] for process in running]
    assert not any(process.returncode for process in running)
    return sorted(float(json.loads(text.splitlines()[-1])["seconds"]) for text in told)


def main() -> None:
    """Start a stack, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", type=int)
    parser.add_argument("--how", default="tracked")
    parser.add_argument("--place", type=Path)
    asked = parser.parse_args()
    if asked.one is not None:
        seconds = train(asked.place, asked.one, tracked=asked.how == "tracked")
        print(json.dumps({"how": asked.how, "seconds": seconds}))
        return
    place = Path(tempfile.mkdtemp(dir="/tmp"))
    place.chmod(0o755)
    without = _at_once(place / "without", "alone")
    stack = [sys.executable, "-m", "infra.stack"]
    folder = ["--folder", str(place / "stack")]
    subprocess.run([*stack, "up", *folder, "--kind", "processes", "--port", "5098"], check=True)
    try:
        lines = (place / "stack" / "client.env").read_text().splitlines()
        os.environ.update(line.split("=", 1) for line in lines)
        tracked = _at_once(place / "tracked", "tracked")
        seconds = search(place)
        lost = missing()
    finally:
        subprocess.run([*stack, "down", *folder], check=True)
    median, most = without[RUNS // 2], without[-1]
    points = EPOCHS * len(_figures(1))
    print(f"{RUNS} runs at once, {points} points each, and their server on {os.cpu_count()} CPUs")
    print(f"without tracking: {median:.0f} s in the median, {most:.0f} s at most")
    print(f"with it: {tracked[RUNS // 2]:.0f} s in the median, {tracked[-1]:.0f} s at most")
    ratios = tracked[RUNS // 2] / median, tracked[-1] / most
    print("ratio: {:.3f} in the median, {:.3f} of the slowest (limit 1.1)".format(*ratios))
    print(f"{TRIALS} trials: {seconds:.1f} s, {1000 * seconds / TRIALS:.0f} ms each")
    print("\n".join(lost) or "nothing lost, nothing twice")


if __name__ == "__main__":
    main()
