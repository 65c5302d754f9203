"""What a team has recorded outlives its server."""

import shutil
from pathlib import Path

import pytest

from infra.stack.backup import backups
from tests.infra.stack.stack import Stack, account, logged_in

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def record(stack: Stack, name: str, content: str, folder: Path) -> str:
    """A run with an artifact; returns its id."""
    (folder / "report.txt").write_text(content)
    with logged_in(stack.client_variables) as client:
        run = client.create_run(client.create_experiment(name)).info.run_id
        client.log_artifact(run, str(folder / "report.txt"))
        return run


def artifact(stack: Stack, run: str, folder: Path) -> str:
    with logged_in(stack.client_variables) as client:
        return Path(client.download_artifacts(run, "report.txt", str(folder))).read_text()


def test_a_lost_server_is_restored_elsewhere(stack: Stack, folders: Path, tmp_path: Path) -> None:
    first = record(stack, "first", "one", tmp_path)
    alice = account(stack.done("user", "alice"))
    stack.done("backup", "--to", folders / "safe")
    second = record(stack, "second", "two", tmp_path)
    stack.done("backup", "--to", folders / "safe")
    lost = record(stack, "lost", "three", tmp_path)
    stack.done("down")
    shutil.rmtree(stack.folder)

    elsewhere = Stack(folders / "elsewhere")
    elsewhere.up()
    record(elsewhere, "other", "four", tmp_path)
    newest = backups(folders / "safe")[-1]
    assert "--replace" in elsewhere.refused("restore", newest)[1]
    assert "2 objects" in elsewhere.done("restore", newest, "--replace")
    assert elsewhere.done("status")
    assert [artifact(elsewhere, run, tmp_path) for run in (first, second)] == ["one", "two"]
    with logged_in(elsewhere.client_variables) as client:
        assert client.get_experiment_by_name("lost") is None
        assert client.get_experiment_by_name("other") is None
        assert not [one for one in client.search_runs(["0"]) if one.info.run_id == lost]
    address = elsewhere.client_variables["MLFLOW_TRACKING_URI"]
    with logged_in(alice | {"MLFLOW_TRACKING_URI": address}) as client:
        assert client.get_run(first)


def test_what_has_not_changed_takes_no_second_place(stack: Stack, folders: Path, tmp_path: Path) -> None:
    record(stack, "first", "one", tmp_path)
    place = folders / "safe"
    for _ in range(3):
        stack.done("backup", "--to", place, "--keep", "2")
        record(stack, f"more {_}", "more", tmp_path)
    older, newer = backups(place)
    files = [path.relative_to(older) for path in (older / "objects").rglob("report.txt")]
    assert len(files) == 2
    assert all((older / one).samefile(newer / one) for one in files)
    assert len(list((newer / "objects").rglob("report.txt"))) == 3


def test_a_backup_that_is_not_whole_is_no_backup(stack: Stack, folders: Path, tmp_path: Path) -> None:
    run = record(stack, "first", "one", tmp_path)
    place = folders / "safe"
    stack.done("backup", "--to", place)
    (whole,) = backups(place)
    for damage in ("manifest", "dump", "objects"):
        bad = folders / damage
        shutil.copytree(whole, bad)
        if damage == "manifest":
            (bad / "backup.json").unlink()
        elif damage == "dump":
            with (bad / "database.dump").open("ab") as file:
                file.write(b"x")
        else:
            next((bad / "objects").rglob("report.txt")).write_text("longer")
        assert stack.refused("restore", bad, "--replace")[0] == 2
    assert stack.done("status")
    assert artifact(stack, run, tmp_path) == "one"
    (place / ".unfinished").mkdir()
    assert backups(place) == [whole]
    assert "holds no backup" in stack.refused("restore", "--replace")[1]


def test_a_new_mlflow_migrates_what_is_backed_up(stack: Stack, tmp_path: Path) -> None:
    run = record(stack, "first", "one", tmp_path)
    assert not (stack.folder / "backups").exists()
    (stack.folder / "mlflow.version").write_text("3.16.0")
    assert "a backup first" in stack.up()
    assert len(backups(stack.folder / "backups")) == 1
    assert artifact(stack, run, tmp_path) == "one"
    assert "a backup first" not in stack.up()
