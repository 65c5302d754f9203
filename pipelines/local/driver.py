"""The driver for one machine: tasks as processes or containers, watched, recorded in MLflow, resumable."""

import contextlib
import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psutil
from rich.console import Console

from components.dataset.lists.inputs import list_inputs
from pipelines.local.checks import check_folders, check_params
from pipelines.local.recording import open_tracking, problem_of, whole_but_unregistered
from pipelines.local.replay import REPLAY, replay_before_a_run
from pipelines.local.results import RunState, deliver, events_after
from pipelines.local.run_folder import alone_in
from pipelines.local.runners import Runner, Steps, open_steps
from pipelines.local.tasks.schedule import preload
from pipelines.local.temporary import own_temporary
from pipelines.local.view import View, open_view
from pipelines.training import build, task_names
from reelflow.contracts import Summary
from reelflow.errors import (
    ReelflowError,
    StepError,
    disk_errors,
)
from reelflow.files import check_space, fingerprint, sha256_text
from reelflow.nets.video.design import inflation_input
from reelflow.params import STEPS, Params
from reelflow.progress import Event
from reelflow.provenance.code import code_hash
from reelflow.settings import Settings
from reelflow.sources.fetch import data_version
from reelflow.steps import where_it_exists
from reelflow.tracking.spool.recorder import RunRecorder
from reelflow.tracking.teachers import teacher_version

POLL_S = 0.1
COLORS = re.compile(r"\x1b\[[0-9;]*m")  # of kfp's messages


def run_local(
    params: Params, out: Path, console: Console, settings: Settings, runner: Runner = "subprocess"
) -> Summary:
    """Run the training pipeline in `out`, or resume a killed attempt.

    Writes `summary.json`, `report.html` and `bundle/` to `out`; finished steps stay in `out/work`.

    Raises:
        ReelflowError: a step failed; with that step's message and exit code.
    """
    check_params(params, settings)
    out = out.absolute()
    check_folders(params, out)
    replay_before_a_run(settings, console)
    with alone_in(out, console), own_temporary():
        state = _state(params, out, settings)
        if state.finished and (summary := _finished_summary(out)):
            console.print("nothing has changed since this run: its results are up to date", style="dim")
            return summary
        started = time.perf_counter()
        state.save(out)
        settings = _of_run(settings, state, out)
        if runner == "subprocess":
            preload()
        reached = open_tracking(settings, console)
        with open_steps(runner, params, out, settings) as steps:
            recorder = RunRecorder(steps.settings, settings, reached=reached)
            problem = _run_pipeline(params, out, console, steps, recorder)
        summary = deliver(out, settings.events, started)
        if problem:
            told = f"report and bundle are in {out}; when MLflow answers, run {REPLAY}, or the same command"
            console.print(told, markup=False, highlight=False, soft_wrap=True)
            raise problem
        state.model_copy(update={"finished": True}).save(out)
        return summary


def _state(params: Params, out: Path, settings: Settings) -> RunState:
    """The state of the run in `out` if it has the same params, data and code, else a new one."""
    given = where_it_exists(weights=params.features.weights) | list_inputs(params.dataset.split_lists)
    for head in params.training.heads:
        given |= inflation_input(head, params.training.video)
    files = [fingerprint(path) for path in given.values()]
    files += [teacher_version(teacher, settings) for teacher in params.training.teacher]
    files.append(data_version(params.dataset.source, settings))
    mark = sha256_text("\n".join([params.model_dump_json(), code_hash(*STEPS), *files]))
    state = RunState.of(out, mark, "run")
    if not state.is_in(out):
        with disk_errors(out):
            (out / "work" / "events.jsonl").unlink(missing_ok=True)
    return state


def _finished_summary(out: Path) -> Summary | None:
    with contextlib.suppress(ReelflowError):
        if (out / "report.html").is_file() and (out / "bundle" / "bundle.json").is_file():
            return Summary.read(out / "summary.json")
    return None


def _of_run(settings: Settings, state: RunState, out: Path) -> Settings:
    """The settings of a run's steps."""
    work = out / "work"
    (work / "logs").mkdir(parents=True, exist_ok=True)
    own = {"run_name": state.name, "task": "", "work": work, "events": work / "events.jsonl"}
    return settings.model_copy(update=own)


def _run_pipeline(
    params: Params, out: Path, console: Console, steps: Steps, recorder: RunRecorder
) -> ReelflowError | None:
    """Run all steps; returns a problem of MLflow beside which the results are whole."""
    settings = steps.settings
    log_path = out / "work" / "logs" / f"{settings.run_name}.log"
    with (
        ThreadPoolExecutor(1) as running_steps,
        ThreadPoolExecutor(1) as recording,
        _no_orphans(),
        open_view(task_names(params), console) as view,
    ):
        position = settings.events.stat().st_size if settings.events and settings.events.exists() else 0
        running = running_steps.submit(_run_steps, params, out, steps, log_path)
        failure, records = _watch(running, settings, position, view, recorder, recording)
    for record in records:
        record.result()
    if failure is None and running.exception() is None:
        recorder.end("FINISHED")
        return recorder.problem
    reason = failure or {"task": "a step", "message": COLORS.sub("", str(running.exception()))}
    told = (reason["task"], reason["message"])
    if "folder" in reason:
        return whole_but_unregistered(reason, recorder, params, out, settings)
    recorder.end("FAILED", told)
    if failure is None:
        check_space(out)
        raise StepError(f"a step exited without an error message ({told[1]}); its output is in {log_path}")
    raise problem_of(reason)


def _run_steps(params: Params, out: Path, steps: Steps, log: Path) -> None:
    links = out / "work" / "kfp"
    shutil.rmtree(links, ignore_errors=True)
    links.mkdir(parents=True, exist_ok=True)  # otherwise the Docker engine creates it as root
    steps.run(build(params, steps.configure), links, log)


def _watch(
    running: Future[None],
    settings: Settings,
    position: int,
    view: View,
    recorder: RunRecorder,
    recording: ThreadPoolExecutor,
) -> tuple[Event | None, list[Future[None]]]:
    """Show and record until the pipeline ends; returns the failure, if any, and the records."""
    failure: Event | None = None
    records: list[Future[None]] = []
    ended = False
    while not ended:
        ended = running.done()
        events, position = events_after(settings.events, position)
        for event in events:
            view.show(event)
            recorder.event(event)
            if event["kind"] == "finished":
                records.append(recording.submit(recorder.step, Path(event["folder"])))
            if event["kind"] == "failed":
                failure = failure or event
        if recorder.curves_are_due and (not records or records[-1].done()):
            records.append(recording.submit(recorder.curves))
        time.sleep(POLL_S)
    return failure, records


@contextlib.contextmanager
def _no_orphans() -> Iterator[None]:
    """Kill the steps when the driver is interrupted."""
    try:
        yield
    except BaseException:
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                process.kill()
        raise
