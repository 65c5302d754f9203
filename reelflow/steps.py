"""Runs a step under every driver: resumes a killed attempt, reuses a finished output.

The output of a step depends on its parameters, inputs, code and libraries. Together they are its
provenance; the hash of the provenance is the key of the step. The step works in a partial folder named
after the key, under a lock; one rename turns that folder into the output. A second attempt with the
same key resumes in the partial folder; a finished output with the same provenance is reused.
"""

import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

from reelflow.artifacts.shard_files import shard_access
from reelflow.documents import Report
from reelflow.durable.replace import remove, replace_folder, replace_link
from reelflow.errors import (
    BundleError,
    ReelflowError,
    RegistryError,
    StorageError,
    TrackingError,
    disk_errors,
)
from reelflow.files import (
    TEMPORARY,
    check_space,
    exists,
    locked,
    write_text,
)
from reelflow.objectstore.meter import MeteredStore, TransferMeter
from reelflow.objectstore.open import open_store
from reelflow.params import Section
from reelflow.progress import EventFile, Line, emit, watched_by
from reelflow.provenance.step import GIVEN, PROVENANCE, Provenance, describe_step
from reelflow.settings import Settings
from reelflow.tracking.facts.spans import Span
from reelflow.tracking.records import forget_failure, is_part, record_failure, record_folder, record_inputs
from reelflow.tracking.registry import MlflowRegistry
from reelflow.tracking.spool.curves import TASK
from reelflow.tracking.spool.live import live_curves
from reelflow.tracking.spool.owed import TrackingSpool
from reelflow.tracking.transfers import Transfer, record_transfer
from reelflow.workers.cpus import bound_thread_pools
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
    step = run.__module__.split(".")[1]
    task = settings.task or " ".join(filter(None, [step, *(options or {}).values()]))
    with watched_by(EventFile(settings.events) if settings.events else Line()), _curves_of(settings, task):
        emit("started", task=task)
        started, meter = time.perf_counter(), TransferMeter()
        try:

            def attempt() -> tuple[Path, bool]:
                with passing(settings) as further, _usage_of(task):
                    given = {name: _followed(path) for name, path in {**inputs, **further}.items()}
                    provenance = describe_step(step, params, given, options or {})
                    return _finish(run, params, provenance, given, output, settings, reuse, seal, meter)

            folder, reused = patiently(attempt, settings.patience_s)
            report = _report_type(run).open(folder)
            if settings.events is None:
                span = Span.until(time.time(), time.perf_counter() - started, machine())
                _record(settings, task, folder, inputs, None if reused else span, is_last=not reuse)
        except ReelflowError as error:
            kept = getattr(error, "output", None)
            whole = {"folder": str(kept)} if kept else {}
            emit("failed", task=task, message=str(error), exit_code=error.exit_code, **whole)
            if settings.events is None:
                record_failure(settings, task, str(error))
            raise
        except Exception as error:
            if settings.events is None:
                record_failure(settings, task, f"{type(error).__name__}: {error}")
            raise
        seconds = time.perf_counter() - started
        moved = Transfer(read_bytes=dict(meter.read), written_bytes=dict(meter.written))
        if settings.events is None:
            record_transfer(settings, task, moved)
        store = {"read": moved.read_bytes, "written": moved.written_bytes}
        done = {"folder": str(folder), "reused": reused, "seconds": seconds}
        emit("finished", task=task, **done, store=store, machine=machine())
        return report


def _finish(
    run: Callable[..., Report],
    params: Section,
    provenance: Provenance,
    inputs: Mapping[str, Path],
    output: Mapping[str, Path],
    settings: Settings,
    reuse: bool,
    seal: Callable[[Path], None],
    meter: TransferMeter,
) -> tuple[Path, bool]:
    """Finish the output; returns its folder and whether it was finished before."""
    work = settings.work
    ((name, target),) = output.items()
    target = target.absolute()
    store = work.absolute() if work else target.parent
    final = store / f"{provenance.step}-{provenance.key}" if work else target
    partial = store / f".{provenance.step}-{provenance.key}.partial"
    lock = locked(
        store / f".{provenance.step}-{provenance.key}.lock", f"another run of this {provenance.step} step"
    )
    with lock, _foreign_errors(store), disk_errors(store):
        reused = reuse and _is_whole(final, provenance)
        _check_replaceable(target, provenance)
        if not reused:
            _check_replaceable(final, provenance)
            if exists(partial / PROVENANCE) and not _is_whole(partial, provenance):
                remove(partial)  # an older output: a kill between its exchange and its removal left it
            partial.mkdir(parents=True, exist_ok=True)
            for leftover in partial.rglob(TEMPORARY):
                leftover.unlink()
            asked = asked_for(run, settings, meter)
            problem = None
            try:
                run(params, **provenance.options, **inputs, **{name: partial}, **asked)
            except RegistryError as error:  # the output is whole
                problem = error
            write_text(partial / PROVENANCE, provenance.to_json())
            seal(partial)
            replace_folder(partial, final)
        if work:
            _link(target, final)
        if not reused and problem:
            problem.output = final
            raise problem
    return final, reused


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


def _is_whole(folder: Path, provenance: Provenance) -> bool:
    try:
        return Provenance.read(folder / PROVENANCE) == provenance
    except BundleError:
        return False


def _check_replaceable(path: Path, provenance: Provenance) -> None:
    """Refuse to replace anything but an older output of the same step, a link to one, or an empty folder."""
    if not os.path.lexists(path) or _is_output(path, provenance.step):
        return
    if path.is_symlink() or not path.is_dir() or any(path.iterdir()):
        raise StorageError(
            f"{path} is not an output of the {provenance.step} step and is left unchanged: "
            "choose another output folder, or remove it"
        )


def _is_output(path: Path, step: str) -> bool:
    """Whether a folder, or what a link leads to, is an output of a step; the link may have lost it."""
    if path.is_symlink() and not path.exists():
        return bool(re.fullmatch(rf"{step}-[0-9a-f]{{16}}", path.readlink().name))
    with suppress(BundleError):
        return Provenance.read(path / PROVENANCE).step == step
    return False


@contextmanager
def _foreign_errors(store: Path) -> Iterator[None]:
    """Report a full disk: libraries fail on it with unrelated errors."""
    try:
        yield
    except ReelflowError:
        raise
    except Exception:
        check_space(store, Path(tempfile.gettempdir()))
        raise


def _link(target: Path, final: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.is_symlink():
        remove(target)
    replace_link(target, os.path.relpath(final, target.parent.resolve()))
