"""infra/schedules.yaml, its cron expressions, and the commands that apply and list it."""

from pathlib import Path

import pytest
import yaml

from pipelines.cluster.recurring.cron import checked_cron
from pipelines.cluster.recurring.schedules import Schedules, load_schedules
from pipelines.values import read_values
from reelflow.errors import ClusterError, ParamsError
from tests.fake_kfp import FakeKfp
from tests.fake_kfp.inputs import cluster_file
from tests.fake_kfp.shell import shell

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.mark.parametrize(
    "cron",
    [
        "0 0 3 * * MON",
        "0 0 3 * * 1-5",
        "0 */15 8-18 ? * mon-fri",
        "59 59 23 31 12 6",
        "0 0,30 0 1,15 JAN-JUN/2 *",
    ],
)
def test_a_cron_of_six_fields_is_taken(cron):
    assert checked_cron(f" {cron.replace(' ', '  ')} ") == cron


@pytest.mark.parametrize(
    ("cron", "told"),
    [
        ("0 3 * * 1", "has 5 field.s., expected six: second, minute, hour"),
        ("@weekly", "has 1 field"),
        ("0 0 3 * * 1 2026", "has 7 field"),
        ("60 0 3 * * *", "the second is '60', expected .* from 0 to 59"),
        ("0 0 24 * * *", "the hour"),
        ("0 0 3 0 * *", "day of the month"),
        ("0 0 3 * 13 *", "the month"),
        ("0 0 3 * * 7", "day of the week.* from 0 to 6"),
        ("0 0 3 * * MONDAY", "day of the week"),
        ("0 0 5-3 * * *", "5-3 ends before it begins"),
        ("0 */0 3 * * *", "the minute"),
        ("0 0 3 * * MON,", "day of the week"),
        ("0 ² 3 * * *", "the minute"),
    ],
)
def test_any_other_cron_is_explained(cron, told):
    with pytest.raises(ValueError, match=told):
        checked_cron(cron)


def test_the_file_that_comes_along_is_right():
    (weekly,) = load_schedules(Path("infra/schedules.yaml")).schedules
    assert weekly.chosen().dataset
    assert weekly.enabled


@pytest.mark.parametrize(
    ("schedules", "told"),
    [
        ([{"name": "a"}], "cron"),
        ([{"name": "a", "cron": "0 3 * * 1"}], "expected six"),
        ([{"name": "a", "cron": "0 0 3 * * *", "colour": "red"}], "colour"),
        ([{"name": "a", "cron": "0 0 3 * * *"}] * 2, "more than one is called a"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, schedules, told):
    path = tmp_path / "schedules.yaml"
    path.write_text(yaml.safe_dump({"schedules": schedules}))
    with pytest.raises(ParamsError, match=told):
        read_values(path, Schedules)


@pytest.fixture
def fake():
    with FakeKfp("team") as server:
        yield server


@pytest.fixture
def command(fake, tmp_path, monkeypatch, capsys):
    """`schedule VERB` on a file of these schedules."""
    run = shell(monkeypatch, capsys)
    cluster, file = cluster_file(tmp_path, fake), tmp_path / "schedules.yaml"

    def call(verb, schedules=None, *options):
        if schedules is None:
            return run("schedule", verb, "--cluster", cluster, *options)
        file.write_text(yaml.safe_dump({"schedules": schedules}))
        return run("schedule", verb, "--cluster", cluster, "--file", file, *options)

    return call


def rows(printed):
    """Name and action of each line of the table."""
    return [line.split("  ")[0:1] + line.split()[1:2] for line in printed.splitlines()[1:]]


WEEKLY = {"name": "weekly", "cron": "0 0 3 * * MON", "heads": ["gru"]}


def test_apply_compiles_uploads_and_schedules(fake, command):
    dry = command("apply", [WEEKLY], "--dry-run")
    assert (dry.code, fake.writes) == (0, [])
    assert "nothing was changed" in dry.out
    done = command("apply", [WEEKLY])
    assert (done.code, rows(done.out)) == (0, [["weekly", "create"]]), done.err
    listed = command("list").out
    assert "weekly" in listed
    assert "this cluster file" in listed


@pytest.mark.slow
def test_apply_uploads_and_schedules_what_has_changed(fake, command):
    assert command("apply", [WEEKLY]).code == 0
    assert rows(command("apply", [WEEKLY]).out) == [["weekly", "keep"]]
    data = WEEKLY | {"data": "/data/clips"}
    assert rows(command("apply", [data]).out) == [["weekly", "upload"]]
    assert rows(command("apply", [data | {"enabled": False}]).out) == [["weekly", "disable"]]
    assert "disabled" in command("list").out
    specs = [str(one["pipeline_spec"]) for one in fake.store.versions.values()]
    assert ["/data/clips" in spec for spec in specs] == [False, True]


def test_a_wrong_schedule_sends_nothing(fake, command):
    done = command("apply", [WEEKLY | {"params": "none.yaml"}])
    assert (done.code, fake.requests) == (ParamsError.exit_code, [])
    assert "none.yaml" in done.err


def test_a_refusal_ends_with_one_message(fake, command):
    fake.fail(403, method="POST", path="/recurringruns")
    done = command("apply", [WEEKLY])
    assert done.code == ClusterError.exit_code
    assert "cannot create the schedule weekly" in done.err
    assert "Traceback" not in done.err
    assert rows(command("apply", [WEEKLY]).out) == [["weekly", "create"]]


def test_names_are_printed_as_they_are(fake, command):
    done = command("apply", [WEEKLY | {"name": "[red]a\x1b[31m[/]"}])
    assert "[red]a\\x1b[31m[/]" in done.out
