"""Runs a step under every driver: resumes a killed attempt, reuses a finished output.

The output of a step depends on its parameters, inputs, code and libraries. Together they are its
provenance; the hash of the provenance is the key of the step. `reelflow.provenance.output` keeps what the
step writes.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

from reelflow.artifacts.shard_files import shard_access
from reelflow.documents import Report
from reelflow.errors import ReelflowError, StorageError, TrackingError
from reelflow.files import exists
from reelflow.objectstore.meter import MeteredStore, TransferMeter
from reelflow.objectstore.open import open_store
from reelflow.params import Section
from reelflow.progress import EventFile, Line, about, emit, watched_by
from reelflow.provenance.output import StepOutput
from reelflow.provenance.step import GIVEN, describe_step
from reelflow.settings import Settings
from reelflow.tracking.facts.spans import Span
from reelflow.tracking.records import forget_failure, is_part, record_failure, record_folder, record_inputs
from reelflow.tracking.registry import MlflowRegistry
from reelflow.tracking.spool.curves import TASK
from reelflow.tracking.spool.live import live_curves
from reelflow.tracking.spool.owed import TrackingSpool
from reelflow.tracking.transfers import Transfer, record_transfer
from reelflow.workers.cpus import bound_thread_pools
from reelflow.workers.ending import end_quickly
from reelflow.workers.machine import machine
from reelflow.workers.patience import patiently
from reelflow.workers.usage.sampling import sampled

ReportT = TypeVar("ReportT", bound=Report)


def perform(
    run: Callable[..., ReportT],
    params: Section,
    *,
    inputs: Mapping[str, Path],
    output: Mapping[str, Path],
    options: Mapping[str, str] | None = None,
    passing: Callable[[Settings], AbstractContextManager[Mapping[str, Path]]] = lambda _: nullcontext({}),
    reuse: bool = True,
    seal: Callable[[Path], None] = lambda _: None,
    settings: Settings | None = None,
) -> ReportT:
    """Run a step, resume or reuse an earlier attempt, and emit its events.

    Args:
        run: the step, `run(params, **options, **inputs, **output) -> Report`; further arguments
            are `settings`, and the `store` and `registry` of these settings.
        params: the step's section of params.yaml.
        inputs: folders of earlier steps, or the clips' source, by argument name.
        output: the step's one output folder, by argument name.
        options: further string arguments, such as the head's name.
        passing: provides further inputs that exist only while the step runs.
        reuse: reuse a finished output; false for a step with side effects.
        seal: called with the finished output, after its provenance is written.
        settings: by default those of the environment.

    Raises:
        ReelflowError: whatever the step raises.
    """
    settings = settings or Settings()
    bound_thread_pools()
    end_quickly()
    step = run.__module__.split(".")[1]
    task = settings.task or " ".join(filter(None, [step, *(options or {}).values()]))
    meter = TransferMeter()

    def attempt() -> tuple[Path, bool]:
        with passing(settings) as further, _usage_of(task):
            given = {name: _followed(path) for name, path in {**inputs, **further}.items()}
            provenance = describe_step(step, params, given, options or {})
            ((name, target),) = output.items()

            def write(partial: Path) -> None:
                asked = asked_for(run, settings, meter)
                run(params, **provenance.options, **given, **{name: partial}, **asked)

            return StepOutput(target, settings.work, provenance).finish(write, seal, reuse=reuse)

    sink = EventFile(settings.events) if settings.events else Line()
    with about(task=task), watched_by(sink), _curves_of(settings, task):
        emit("started")
        started = time.perf_counter()
        with _failures_told(settings, task):
            folder, reused = patiently(attempt, settings.patience_s)
            report = _report_type(run).open(folder)
            if settings.events is None:
                span = Span.until(time.time(), time.perf_counter() - started, machine())
                _record(settings, task, folder, inputs, None if reused else span, is_last=not reuse)
        _tell_finished(settings, task, folder, meter, reused=reused, seconds=time.perf_counter() - started)
        return report


@contextmanager
def _failures_told(settings: Settings, task: str) -> Iterator[None]:
    """Emit a failure, and record it if no driver does."""
    try:
        yield
    except ReelflowError as error:
        kept = getattr(error, "output", None)
        whole = {"folder": str(kept)} if kept else {}
        emit("failed", message=str(error), exit_code=error.exit_code, **whole)
        if settings.events is None:
            record_failure(settings, task, str(error))
        raise
    except Exception as error:
        if settings.events is None:
            record_failure(settings, task, f"{type(error).__name__}: {error}")
        raise


def _tell_finished(
    settings: Settings, task: str, folder: Path, meter: TransferMeter, *, reused: bool, seconds: float
) -> None:
    moved = Transfer(read_bytes=dict(meter.read), written_bytes=dict(meter.written))
    if settings.events is None:
        record_transfer(settings, task, moved)
    store = {"read": moved.read_bytes, "written": moved.written_bytes}
    done = {"folder": str(folder), "reused": reused, "seconds": seconds}
    emit("finished", **done, store=store, machine=machine())


def asked_for(run: Callable[..., Report], settings: Settings, meter: TransferMeter) -> dict[str, Any]:
    """Arguments of a step that come from the settings, by name; the meter counts what their store moves."""

    def store() -> MeteredStore | None:
        found = open_store(settings)
        return MeteredStore(found, meter) if found else None

    known: dict[str, Callable[[], Any]] = {
        "settings": lambda: settings,
        "store": store,
        "access": lambda: shard_access(settings, store()),
        "registry": lambda: MlflowRegistry(settings),
    }
    return {name: known[name]() for name in signature(run).parameters if name in known}


def _followed(path: Path) -> Path:
    """Where links lead, which KFP's folders hold; `Path.resolve` raises where they lead in a circle."""
    return Path(os.path.realpath(path))


def _record(
    settings: Settings,
    task: str,
    folder: Path,
    inputs: Mapping[str, Path],
    span: Span | None,
    *,
    is_last: bool,
) -> None:
    """Record a step; in a named run also its input steps, which a cache may have answered.

    Finished work does not fail because MLflow is away: in a named run the steps that read it record it, and
    their outputs are where they look for it; a step by itself is recorded by a replay.
    """
    made = [_followed(path) for name, path in inputs.items() if name not in GIVEN]
    before = made if settings.run_name else []
    if any(map(is_part, (*before, folder))):
        return

    def write() -> None:
        record_inputs(settings, before)
        record_folder(settings, folder, span)
        forget_failure(settings, task)

    try:
        patiently(write, settings.patience_s)
    except (TrackingError, StorageError) as error:
        if settings.run_name and is_last:
            raise
        how = "the tasks that read it record it"
        if not settings.run_name:
            how = "python -m pipelines track replay records it when MLflow answers"
            spool = TrackingSpool(settings.spool)
            spool.keep(spool.of(settings).with_folder(folder.absolute(), span))
        emit("notice", message=f"{error}; {task} is finished, and {how}")


def _curves_of(settings: Settings, task: str) -> AbstractContextManager[None]:
    """Send the curves of a training of a named run, if no other process does."""
    if settings.events or not settings.run_name or not task.startswith(TASK):
        return nullcontext()
    return live_curves(settings, task)


def _usage_of(task: str) -> AbstractContextManager[None]:
    """Tell what a training takes of the machine."""
    return sampled() if task.startswith(TASK) else nullcontext()


def _report_type(run: Callable[..., ReportT]) -> type[ReportT]:
    found: type[ReportT] = run.__annotations__["return"]
    return found


def paths(**artifacts: Any) -> dict[str, Path]:
    """Local paths of KFP artifacts, by argument name; absent optional ones are left out."""
    return {name: Path(artifact.path) for name, artifact in artifacts.items() if artifact}


def where_it_exists(**values: str | None) -> dict[str, Path]:
    """The values that are existing paths, by argument name: `imagenet` is not a path."""
    return {name: Path(value) for name, value in values.items() if value and exists(Path(value))}
