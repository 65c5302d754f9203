import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from reelflow import steps
from reelflow.contracts import FramesReport
from reelflow.errors import BundleError, DataError, RegistryError, StorageError, TrackingError
from reelflow.params import load_params
from reelflow.provenance import step as provenance
from reelflow.settings import Settings
from reelflow.tracking.spool.owed import TrackingSpool
from reelflow.tracking.tracker import RUN_TAG, Tracker
from reelflow.workers.usage.sampling import sampled

PARAMS = load_params(Path("params.yaml")).frames
SHA = "0" * 64


@pytest.fixture(autouse=True)
def _watched(tmp_path, monkeypatch):
    monkeypatch.setenv("REELFLOW_EVENTS", str(tmp_path / "events.jsonl"))


def make_run(calls: list[str], fail: Exception | None = None):
    def run(params, *, dataset: Path, frames: Path) -> FramesReport:
        calls.append(frames.name)
        (frames / "payload").write_text("whole")
        if fail:
            raise fail
        report = FramesReport(data_hash=SHA, count=1, jpeg_quality=95, shards=(), quarantined=())
        report.save(frames)
        return report

    run.__module__ = "components.frames.step"
    return run


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "dataset"
    folder.mkdir()
    (folder / "clip").write_text("one")
    return folder


def perform(run, source: Path, out: Path, **options):
    return steps.perform(run, PARAMS, inputs={"dataset": source}, output={"frames": out}, **options)


def events(tmp_path: Path) -> list[dict]:
    return [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]


def test_a_whole_output_is_reused(tmp_path, source):
    calls: list[str] = []
    first = perform(make_run(calls), source, tmp_path / "out")
    second = perform(make_run(calls), source, tmp_path / "out")
    assert len(calls) == 1
    assert first == second
    assert [event["reused"] for event in events(tmp_path) if event["kind"] == "finished"] == [False, True]


def test_what_passes_is_an_input_and_its_failure_is_told(tmp_path, source):
    @contextmanager
    def lent(fail: bool = False):
        if fail:
            raise DataError("nothing to lend")
        yield {"dataset": source}

    def step(passing):
        return steps.perform(
            make_run([]), PARAMS, inputs={}, passing=lambda _: passing, output={"frames": tmp_path / "out"}
        )

    assert step(lent()).data_hash == SHA
    with pytest.raises(DataError, match="nothing to lend"):
        step(lent(fail=True))
    last = events(tmp_path)[-1]
    assert (last["kind"], last["message"], last["exit_code"]) == ("failed", "nothing to lend", 3)


def test_a_changed_input_runs_again(tmp_path, source):
    calls: list[str] = []
    perform(make_run(calls), source, tmp_path / "out")
    (source / "clip").write_text("other")
    perform(make_run(calls), source, tmp_path / "out")
    assert len(calls) == 2


def test_an_older_output_that_a_kill_left_in_the_place_of_an_attempt_is_not_resumed(tmp_path, source):
    calls: list[str] = []
    out = tmp_path / "out"
    perform(make_run(calls), source, out)
    (source / "clip").write_text("other")
    (out / "of before").write_text("old")
    shutil.copytree(out, tmp_path / f".frames-{key_of(source)}.partial")
    perform(make_run(calls), source, out)
    assert not (out / "of before").exists()
    assert len(calls) == 2


def key_of(source: Path) -> str:
    return provenance.describe_step("frames", PARAMS, {"dataset": source.resolve()}, {}).key


def make_dataset_run(calls: list[str]):
    def run(params, *, source: Path, frames: Path) -> FramesReport:
        return make_run(calls)(params, dataset=source, frames=frames)

    run.__module__ = "components.dataset.step"
    return run


@pytest.mark.parametrize("place", ["dataset.json", "class/frames.json", "out/dataset/dataset.json"])
def test_a_report_among_the_clips_does_not_stand_for_them(tmp_path, source, place):
    (source / place).parent.mkdir(parents=True, exist_ok=True)
    (source / place).write_text("{}")
    calls: list[str] = []
    for content in ("one", "other"):
        (source / "clip").write_text(content)
        inputs, output = {"source": source}, {"frames": tmp_path / "result"}
        steps.perform(make_dataset_run(calls), PARAMS, inputs=inputs, output=output)
    assert len(calls) == 2


def test_a_failed_step_leaves_no_output_but_its_partial_folder(tmp_path, source):
    calls: list[str] = []
    with pytest.raises(DataError):
        perform(make_run(calls, DataError("nothing usable")), source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    perform(make_run(calls), source, tmp_path / "out")
    assert calls[0] == calls[1], "the second attempt goes on in the same partial folder"
    failed = [event for event in events(tmp_path) if event["kind"] == "failed"]
    assert failed[0]["message"] == "nothing usable"
    assert failed[0]["exit_code"] == 3


def test_work_keeps_outcomes_and_outputs_are_links(tmp_path, source, monkeypatch):
    monkeypatch.setenv("REELFLOW_WORK", str(tmp_path / "work"))
    calls: list[str] = []
    perform(make_run(calls), source, tmp_path / "a" / "out")
    perform(make_run(calls), source, tmp_path / "b" / "out")
    assert len(calls) == 1
    assert (tmp_path / "a" / "out").resolve() == (tmp_path / "b" / "out").resolve()
    assert (tmp_path / "b" / "out" / "payload").read_text() == "whole"


def test_an_output_of_other_provenance_is_replaced(tmp_path, source):
    out = tmp_path / "out"
    perform(make_run([]), source, out)
    (out / "stale").write_text("left by somebody")
    (source / "clip").write_text("two")
    perform(make_run([]), source, out)
    assert sorted(path.name for path in out.iterdir()) == ["frames.json", "payload", "provenance.json"]


def test_a_missing_input_is_explained(tmp_path):
    with pytest.raises(BundleError, match="does not exist: run the step that writes it"):
        perform(make_run([]), tmp_path / "absent", tmp_path / "out")


def test_an_input_that_is_a_circle_of_links_is_explained(tmp_path):
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(BundleError, match="circle does not exist: run the step that writes it"):
        perform(make_run([]), tmp_path / "circle", tmp_path / "out")


@pytest.mark.parametrize("place", ["folder", "file", "other step", "below a file"])
def test_what_no_step_wrote_is_never_replaced(tmp_path, source, place):
    out = tmp_path / "mine"
    if place == "folder":
        out.mkdir()
        (out / "letter").write_text("dear")
    elif place == "other step":
        perform(make_run([]), source, out)
        written = out / provenance.PROVENANCE
        written.write_text(written.read_text().replace('"step": "frames"', '"step": "dataset"'))
    else:
        out.write_text("dear")
    kept = sorted(out.rglob("*"))
    with pytest.raises(StorageError, match="choose another output folder"):
        perform(make_run([]), source, out / "below" if place == "below a file" else out)
    assert sorted(out.rglob("*")) == kept
    assert out.is_dir() or out.read_text() == "dear"


FOREIGN = ("folder", "file", "a folder of another step", "a link", "a lost link")


def put(place: str, out: Path, elsewhere: Path, source: Path) -> None:
    """Something at `out` that the frames step has not written."""
    elsewhere.mkdir()
    (elsewhere / "letter").write_text("dear")
    out.parent.mkdir(parents=True)
    if place == "file":
        out.write_text("dear")
    elif "link" in place:
        out.symlink_to(elsewhere if place == "a link" else elsewhere / "unmounted")
    else:
        shutil.copytree(elsewhere, out)
    if place == "a folder of another step":
        described = provenance.describe_step("dataset", PARAMS, {"dataset": source}, {})
        (out / provenance.PROVENANCE).write_text(described.to_json())


@pytest.mark.parametrize("work", [True, False])
@pytest.mark.parametrize("place", FOREIGN)
def test_no_output_replaces_what_its_step_has_not_written(tmp_path, source, monkeypatch, place, work):
    if work:
        monkeypatch.setenv("REELFLOW_WORK", str(tmp_path / "work"))
    out, elsewhere = tmp_path / "a" / "out", tmp_path / "elsewhere"
    put(place, out, elsewhere, source)
    calls: list[str] = []
    with pytest.raises(StorageError, match="left unchanged: choose another output folder"):
        perform(make_run(calls), source, out)
    assert calls == [], "it is told before the work"
    assert (elsewhere / "letter").read_text() == "dear"
    assert out.is_symlink() if "link" in place else out.is_dir() or out.read_text() == "dear"


def test_a_link_to_an_older_output_or_to_one_that_is_gone_is_replaced(tmp_path, source, monkeypatch):
    monkeypatch.setenv("REELFLOW_WORK", str(tmp_path / "work"))
    out = tmp_path / "out"
    for content in ("one", "two", "three"):
        (source / "clip").write_text(content * 9)
        perform(make_run([]), source, out)
        assert (out / "payload").read_text() == "whole"
        if content == "two":
            shutil.rmtree(tmp_path / "work")


def test_an_input_whose_report_is_a_folder_is_described(tmp_path, source):
    (source / "dataset.json").mkdir()
    assert provenance.identity(source)


def test_a_full_disk_is_a_storage_error(tmp_path, source):
    with pytest.raises(StorageError, match="the disk is full"):
        perform(make_run([], OSError(errno.ENOSPC, "No space left")), source, tmp_path / "out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_place_is_a_storage_error(tmp_path, source):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(StorageError, match="permission denied"):
        perform(make_run([]), source, tmp_path / "closed" / "out")


def test_provenance_holds_no_times_and_no_paths(tmp_path, source):
    perform(make_run([]), source, tmp_path / "one")
    perform(make_run([]), source, tmp_path / "two")
    texts = [(tmp_path / name / provenance.PROVENANCE).read_text() for name in ("one", "two")]
    assert texts[0] == texts[1]
    assert str(tmp_path) not in texts[0]


SLOW_STEP = """
    import sys, time
    from pathlib import Path
    from reelflow import steps
    from reelflow.contracts import FramesReport
    from reelflow.params import load_params

    def run(params, *, dataset: Path, frames: Path) -> FramesReport:
        print("working", flush=True)
        time.sleep(float(sys.argv[1]))
        report = FramesReport(data_hash="0" * 64, count=1, jpeg_quality=95, shards=(), quarantined=())
        report.save(frames)
        return report

    run.__module__ = "components.frames.step"
    folder = Path(sys.argv[2])
    steps.perform(run, load_params(Path("params.yaml")).frames,
                  inputs={"dataset": folder / "dataset"}, output={"frames": folder / "out"})
"""


def start(tmp_path: Path, seconds: float) -> subprocess.Popen[str]:
    code = textwrap.dedent(SLOW_STEP)
    return subprocess.Popen(
        [sys.executable, "-c", code, str(seconds), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )


def test_two_processes_never_work_on_the_same_output_at_once(tmp_path, source):
    first, second = start(tmp_path, 1.5), start(tmp_path, 1.5)
    outputs = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert first.returncode == second.returncode == 0
    assert sorted(outputs) == ["", "working\n"], "the second waits and takes over what the first made"


def test_a_killed_step_gives_its_lock_back(tmp_path, source):
    first = start(tmp_path, 60)
    assert first.stdout
    assert first.stdout.readline() == "working\n"
    first.send_signal(signal.SIGKILL)
    first.communicate()
    begun = time.monotonic()
    second = start(tmp_path, 0)
    second.communicate(timeout=60)
    assert second.returncode == 0
    assert time.monotonic() - begun < 50
    assert (tmp_path / "out" / "frames.json").exists()


def test_an_output_is_kept_where_only_the_registry_refuses(tmp_path, source):
    problem = RegistryError("MLflow is away")
    with pytest.raises(RegistryError):
        perform(make_run([], problem), source, tmp_path / "out")
    assert (tmp_path / "out" / "payload").read_text() == "whole"
    (failed,) = [event for event in events(tmp_path) if event["kind"] == "failed"]
    assert (failed["folder"], failed["exit_code"]) == (str(tmp_path / "out"), 7)


@pytest.mark.parametrize("error", [DataError("nothing usable"), ValueError("no such axis"), MemoryError()])
def test_every_kind_of_crash_leaves_its_reason(tmp_path, source, monkeypatch, error):
    monkeypatch.delenv("REELFLOW_EVENTS")
    told: list[str] = []
    monkeypatch.setattr(steps, "record_failure", lambda _, task, reason: told.append(f"{task}: {reason}"))
    with pytest.raises(type(error)):
        perform(make_run([], error), source, tmp_path / "out")
    name = "" if isinstance(error, DataError) else f"{type(error).__name__}: "
    assert told == [f"frames: {name}{error}"]


@pytest.fixture
def named_run(database, monkeypatch) -> str:
    """The MLflow of a step that records itself in a run of this name, as on a cluster."""
    names = {"REELFLOW_EVENTS": "", "REELFLOW_RUN": "night", "MLFLOW_TRACKING_URI": database}
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    return database


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_part_opens_no_run_and_the_whole_opens_one(tmp_path, source, named_run):
    def run(params, *, part: str, dataset: Path, frames: Path) -> FramesReport:
        return make_run([])(params, dataset=dataset, frames=frames)

    run.__module__ = "components.frames.step"
    tracker = Tracker(Settings(tracking_uri=named_run))
    for part in ("1/2", "2/2", ""):
        assert tracker.find({RUN_TAG: "night"}) is None
        perform(run, source, tmp_path / f"out-{part[:1]}", options={"part": part})
    assert tracker.find({RUN_TAG: "night"})


def test_finished_work_does_not_fail_because_mlflow_is_away(tmp_path, source, named_run, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    perform(make_run([]), source, tmp_path / "out")
    assert "frames is finished, and the tasks that read it record it" in capsys.readouterr().err
    with pytest.raises(TrackingError, match="no MLflow server answers"):
        perform(make_run([]), source, tmp_path / "last", reuse=False)


@pytest.mark.parametrize("mlflow", ["http://127.0.0.1:9", "sqlite:////dev/null/mlflow.db"])
def test_a_step_by_itself_is_finished_and_its_record_waits(tmp_path, source, monkeypatch, capsys, mlflow):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow)
    monkeypatch.delenv("REELFLOW_EVENTS", raising=False)
    perform(make_run([]), source, tmp_path / "out", reuse=False)
    assert "frames is finished, and python -m pipelines track replay records it" in capsys.readouterr().err
    (owed,) = TrackingSpool(Settings().spool).all()
    assert owed.folders == (tmp_path / "out",)


@pytest.mark.parametrize("patience_s", [0, 30])
def test_a_step_waits_for_a_server_that_is_away_and_goes_on(tmp_path, source, monkeypatch, patience_s):
    monkeypatch.setenv("REELFLOW_PATIENCE_S", str(patience_s))
    away = StorageError("s3: no answer")
    away.may_pass = True
    failures = [away]

    def run(params, *, dataset: Path, frames: Path) -> FramesReport:
        return make_run([], failures.pop() if failures else None)(params, dataset=dataset, frames=frames)

    run.__module__ = "components.frames.step"
    if not patience_s:
        with pytest.raises(StorageError, match="no answer"):
            perform(run, source, tmp_path / "out")
        return
    perform(run, source, tmp_path / "out")
    assert [event["kind"] for event in events(tmp_path)] == ["started", "notice", "finished"]


@pytest.mark.parametrize(("task", "is_sampled"), [("training thumbnail-gru", True), ("frames", False)])
def test_what_a_training_takes_is_an_event(tmp_path, source, monkeypatch, task, is_sampled):
    monkeypatch.setattr(steps, "sampled", partial(sampled, 0.05))
    run = make_run([])

    def longer(params, *, dataset: Path, frames: Path) -> FramesReport:
        time.sleep(0.3)
        return run(params, dataset=dataset, frames=frames)

    longer.__module__ = run.__module__
    settings = Settings(events=tmp_path / "events.jsonl", task=task)
    perform(longer, source, tmp_path / "out", settings=settings)
    kinds = [event["kind"] for event in events(tmp_path)]
    assert (kinds[0], kinds[-1]) == ("started", "finished")
    assert ("usage" in kinds) is is_sampled
