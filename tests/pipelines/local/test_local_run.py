"""The training pipeline in kfp's subprocess runner: real processes on small generated clips."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from pipelines.local.results import events_after
from pipelines.training import task_names
from reelflow.contracts import Summary
from reelflow.params import load_params
from tests.slowly import slow, slow_but


def read_events(out: Path) -> list[dict]:
    path = out / "work" / "events.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(out: Path, task: str, process, kind: str = "started") -> None:
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        if any(event["kind"] == kind and event.get("task") == task for event in read_events(out)):
            return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    raise AssertionError(f"{task} has not {kind}")


def test_a_run_leaves_what_it_promises(small_run):
    _, out, _ = small_run
    summary = Summary.read(out / "summary.json")
    assert {(row.backbone, row.head) for row in summary.rows} == {
        ("thumbnail", "gru"),
        ("thumbnail", "single_frame"),
    }
    assert summary.chosen in {"thumbnail-gru", "thumbnail-single_frame"}
    assert summary.promoted
    assert summary.parity.clips == summary.rows[0].test_clips > 0
    assert abs(summary.parity.keras_accuracy - summary.parity.litert_accuracy) * summary.parity.clips <= 1
    assert "<html" in (out / "report.html").read_text()
    assert (out / "bundle" / "head.tflite").stat().st_size > 0


def test_every_task_is_timed_and_shown_in_plain_lines(small_run):
    place, out, printed = small_run
    names = task_names(load_params(place.params))
    assert set(Summary.read(out / "summary.json").seconds) == set(names)
    for name in names:
        assert f"] {name}: done in " in printed
    assert "\x1b" not in printed
    assert "Traceback" not in printed
    assert "report.html" in printed


def test_mlflow_holds_one_parent_and_a_child_a_classifier(small_run):
    from mlflow import MlflowClient

    place, out, _ = small_run
    client = MlflowClient(place.tracking_uri)
    experiment = client.get_experiment_by_name("reelflow")
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = {run.info.run_name: run for run in runs if "mlflow.parentRunId" in run.data.tags}
    assert len(parents) == 1
    assert set(children) == {"thumbnail-gru", "thumbnail-single_frame"}
    assert {run.info.status for run in runs} == {"FINISHED"}
    for row in Summary.read(out / "summary.json").rows:
        run = children[f"{row.backbone}-{row.head}"]
        assert run.data.metrics["accuracy"] == pytest.approx(row.accuracy)
        assert run.data.params["training.epochs"] == "5"
        assert run.data.tags["mlflow.parentRunId"] == parents[0].info.run_id
        curve = client.get_metric_history(run.info.run_id, "training.curve.train_loss")
        assert [point.step for point in curve] == list(range(1, len(curve) + 1))
        assert {"figures", "model"} <= {file.path for file in client.list_artifacts(run.info.run_id)}


def test_the_registry_points_to_the_bundle(small_run):
    from mlflow import MlflowClient

    place, _, _ = small_run
    client = MlflowClient(place.tracking_uri)
    champion = client.get_model_version_by_alias("reelflow", "champion")
    challenger = client.get_model_version_by_alias("reelflow", "challenger")
    assert champion.version == challenger.version


def test_a_run_leaves_no_temporary_files(small_run):
    place, _, _ = small_run
    assert not list((place.folder / "t").iterdir())


def test_nothing_changed_means_nothing_to_do(small_run):
    place, out, _ = small_run
    before = read_events(out)
    again = place.run(out)
    assert again.returncode == 0
    assert "nothing has changed" in again.stdout
    assert read_events(out) == before


@pytest.mark.slow
def test_another_head_reuses_every_other_step(small_run, tmp_path):
    place, whole, _ = small_run
    out = tmp_path / "out"
    shutil.copytree(whole, out, symlinks=True)
    again = place.run(out, "--heads", "gru")
    assert again.returncode == 0, again.stdout
    events = [event for event in read_events(out) if event["kind"] == "finished"]
    reused = {event["task"]: event["reused"] for event in events}
    assert reused["dataset"]
    assert reused["frames"]
    assert reused["features thumbnail"]
    assert reused["training thumbnail-gru"]


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_with_the_same_metrics(small_run, workplace):
    _, whole, _ = small_run
    out = workplace.folder / "out"
    process = workplace.start(out)
    wait_for(out, "training thumbnail-gru", process)
    time.sleep(1)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    finished = {event["task"] for event in read_events(out) if event["kind"] == "finished"}
    again = workplace.run(out)
    assert again.returncode == 0, again.stdout
    after = [event for event in read_events(out) if event["kind"] == "finished"][len(finished) :]
    assert all(event["reused"] for event in after if event["task"] in finished)
    assert without_times(out) == without_times(whole)


def without_times(out: Path) -> dict:
    summary = json.loads((out / "summary.json").read_text())
    return {name: summary[name] for name in ("rows", "chosen", "data_hash", "parity", "labels")}


BAD = {
    "unknown backbone": (["--backbones", "resnet"], 2, "unknown backbone resnet; known ones are"),
    "unknown head": (["--heads", "gru,transformer"], 2, "unknown head transformer; known heads are"),
    "a name too long": (["--data", "n" * 300], 2, "name a folder of clips"),
    "no such data": (["--data", "/nowhere/at/all"], 2, "there is no /nowhere/at/all"),
    "no such weights": (["--weights", "/nowhere/weights"], 4, "there is no /nowhere/weights"),
    "params missing": (["--params", "/nowhere/params.yaml"], 2, "name an existing params file"),
    "not permitted to write": (["--out", "/sys/reelflow"], 6, "choose another output folder"),
    "no folder can be made there": (["--out", "/proc/reelflow"], 6, "cannot create /proc/reelflow"),
    "a file in its place": (["--out", __file__], 6, "is a file, not a folder"),
}


QUICK = ("unknown head",)


@pytest.mark.parametrize("case", slow_but(BAD, *QUICK))
def test_bad_input_ends_with_a_clear_error(workplace, case):
    arguments, code, words = BAD[case]
    done = workplace.run(workplace.folder / "out", *arguments)
    assert done.returncode == code, done.stdout
    assert words in done.stdout.replace("\n", " ")
    assert "Traceback" not in done.stdout
    assert not list(workplace.folder.glob("out/summary.json"))


@pytest.mark.slow
def test_results_never_mix_with_the_users_own_files(workplace):
    clips, own = workplace.folder / "clips", workplace.folder / "own"
    (clips / "only").mkdir(parents=True)
    done = workplace.run(clips / "out", "--data", clips)
    assert (done.returncode, "is inside the folder of the clips," in done.stdout.replace("\n", " ")) == (
        2,
        True,
    )
    (own / "bundle").mkdir(parents=True)
    (own / "bundle" / "letter").write_text("dear")
    done = workplace.run(own, "--data", clips)
    assert (done.returncode, "is not a bundle" in done.stdout.replace("\n", " ")) == (6, True)
    assert (own / "bundle" / "letter").read_text() == "dear"


@pytest.mark.parametrize("name", [*map(slow, ("work/kfp/letter", "report.html", "summary.json", "run.json"))])
def test_what_no_run_wrote_is_left_where_results_would_go(workplace, name):
    clips, letter = workplace.folder / "clips", workplace.folder / "own" / name
    (clips / "only").mkdir(parents=True)
    letter.parent.mkdir(parents=True)
    letter.write_text("dear")
    done = workplace.run(workplace.folder / "own", "--data", clips)
    assert (done.returncode, "which no run wrote" in done.stdout.replace("\n", " ")) == (6, True)
    assert letter.read_text() == "dear"


@pytest.mark.slow
def test_the_message_of_a_failed_step_reaches_the_user(workplace, empty_database, temporary):
    shutil.copy(empty_database, workplace.folder / "mlflow.db")
    (workplace.folder / "clips" / "only").mkdir(parents=True)
    done = workplace.run(workplace.folder / "out", "--data", workplace.folder / "clips")
    assert done.returncode == 3, done.stdout
    assert "error: dataset:" in done.stdout
    assert "Traceback" not in done.stdout
    assert not list(temporary.iterdir())


def test_an_event_that_a_full_disk_cut_short_is_passed_over(tmp_path):
    (tmp_path / "events.jsonl").write_text('{"kind": "star{"kind": "started"}\n{"kind": "finished"}\n{"ki')
    assert events_after(tmp_path / "events.jsonl", 0) == ([{"kind": "finished"}], 55)
