"""Devices tell a receiver; people read where the fleet is."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pydantic
import pytest
from typer.testing import CliRunner

from pipelines.__main__ import app
from pipelines.fleet.standing import judge
from pipelines.fleet.store import FleetStore, HeardReport
from reelflow.edge.health.counts import DayCounts
from reelflow.edge.health.kept import KeptCounts
from reelflow.edge.update.agent.agent import DeviceOptions
from reelflow.edge.update.agent.report import ReportPost, report_of
from reelflow.edge.update.agent.state import AgentState, RefusedBundle
from reelflow.edge.update.channel.documents import Rollout
from reelflow.objectstore.directory import DirectoryStore
from tests.device_bundles import write_health
from tests.pipelines.fleet.reports import NEW, OLD, free_port, report, wait_until_ready
from tests.workplace import ROOT

NOW = datetime(2026, 11, 27, tzinfo=UTC)
DAY = timedelta(days=1)
SECRET = "a secret of more than sixteen"


def heard(device: str, ago: timedelta = timedelta(0), **values: object) -> HeardReport:
    return HeardReport(report(device, **values), NOW - ago)


def test_a_rollout_is_judged_by_the_devices_that_are_to_run_its_bundle() -> None:
    rollout = Rollout(number=1, bundle=NEW, previous=OLD, groups=("canary",), percent=0)
    fleet = [
        heard("one", group="canary", current=NEW),
        heard("two", group="canary", trial=NEW),
        heard("three", group="canary", refused=[{"bundle": NEW, "reason": "it hangs"}]),
        heard("four", group="canary", current=NEW, ago=2 * DAY),
        heard("five", group="canary"),
        heard("six"),
    ]
    found = judge(fleet, rollout, NOW, DAY)
    assert found.counts == {"failed": 1, "on trial": 1, "runs it": 1, "silent": 1, "waiting": 1}
    assert found.bad_percent == 40
    assert found.reasons == ("it hangs",)
    paused = rollout.model_copy(update={"state": "paused"})
    assert judge(fleet, paused, NOW, DAY) == found


def test_the_last_report_of_a_device_counts_and_every_day(tmp_path: Path) -> None:
    fleet = FleetStore(DirectoryStore(tmp_path))
    for day, answers in (("2026-11-26", 5), ("2026-11-27", 3), ("2026-11-27", 7)):
        scores = (0,) * 9 + (answers,)
        counts = DayCounts(day=day, bundle=NEW, labels={"grow": answers}, scores=scores)
        fleet.put(report("one", current=NEW, counts=[counts.model_dump()]))
    fleet.put(report("../two"))
    assert [found.report.device for found in fleet.reports()] == ["../two", "one"]
    days = fleet.counts()["one"]
    assert [(one.day, one.answers) for one in days] == [("2026-11-26", 5), ("2026-11-27", 7)]


def test_days_of_a_clock_that_was_ahead_are_not_the_last_ones(tmp_path: Path) -> None:
    fleet = FleetStore(DirectoryStore(tmp_path))
    for device, days in (("one", ("2999-01-01", "2020-01-31")), ("ahead", ("2999-01-01",))):
        counts = [DayCounts(day=day, bundle=NEW).model_dump() for day in days]
        fleet.put(report(device, counts=counts))
    found = {device: [one.day for one in days] for device, days in fleet.counts().items()}
    assert found == {"one": ["2020-01-31"], "ahead": ["2999-01-01"]}


def test_a_report_that_cannot_be_read_hides_no_other_and_is_told(tmp_path: Path) -> None:
    fleet = FleetStore(DirectoryStore(tmp_path))
    fleet.put(report("one"))
    fleet.put(report("two"))
    next(iter(tmp_path.rglob("report.json"))).write_text("{")
    assert len(fleet.reports()) == 1
    status = CliRunner().invoke(app, ["fleet", "status", str(tmp_path)])
    assert status.exit_code == 0
    assert "report.json is left out" in status.stderr


def test_what_a_device_says_is_no_command_to_a_terminal(tmp_path: Path) -> None:
    fleet = FleetStore(DirectoryStore(tmp_path))
    fleet.put(report("one\x1b[2J", group="\x1b]0;gone\x07", refused=[{"bundle": NEW, "reason": "a\nb"}]))
    status = CliRunner().invoke(app, ["fleet", "status", str(tmp_path)])
    assert "\x1b" not in status.stdout
    assert r"one\x1b[2J" in status.stdout
    assert r"a\nb" in status.stdout


def test_a_day_of_other_digits_is_no_report() -> None:
    with pytest.raises(pydantic.ValidationError):  # no name of an object holds it
        report("one", counts=[{"day": "\u0662\u0660\u0662\u0666-01-01", "bundle": NEW}])


@pytest.mark.parametrize("count", [-1, 10**400], ids=["negative", "huge"])
@pytest.mark.parametrize("name", ["labels", "unsure", "scores", "dropped"])
def test_a_count_that_cannot_be_is_no_report(name: str, count: int) -> None:
    counts = {"day": "2026-11-27", "bundle": NEW}
    value = {"labels": {"grow": count}, "scores": [count] * 10}.get(name, count)
    assert report("one", counts=[counts])
    with pytest.raises(pydantic.ValidationError):
        report("one", counts=[{**counts, name: value}])


def test_what_a_device_tells_is_what_its_agent_and_its_watchers_know(tmp_path: Path) -> None:
    write_health(tmp_path, NEW, "door", answering_s=12.5)
    write_health(tmp_path, NEW, "yard", told_s=0.0)
    days = ("2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27")
    for day in days:
        (tmp_path / "door" / f"counts-{day}-x.json").write_text(DayCounts(day=day, bundle=NEW).to_json())
    state = AgentState(current=NEW, refused=(RefusedBundle(bundle=OLD, reason="it hangs"),))
    counts = KeptCounts(tmp_path / "kept", tmp_path).last_days()
    found = report_of(state, DeviceOptions(device="one", group="canary", health=tmp_path), counts)
    assert (found.device, found.group, found.current) == ("one", "canary", NEW)
    assert found.watchers == {"door": 12.5, "yard": None}
    assert [one.day for one in found.counts] == list(days[1:])


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[str]:
    """The address of a receiver that runs, as `host:port`."""
    port = free_port()
    command = [sys.executable, "-m", "pipelines", "fleet", "receive", str(tmp_path / "fleet")]
    command += ["--token", "env:TOKEN", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | {"TOKEN": SECRET}) as process:
        try:
            wait_until_ready(port)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


def test_a_device_tells_a_real_receiver_and_status_shows_it(receiver: str, tmp_path: Path) -> None:
    assert (
        ReportPost(f"http://device:{SECRET.replace(' ', '%20')}@{receiver}/report").send(report("one")) == ""
    )
    refused = ReportPost(f"http://device:wrong@{receiver}/report").send(report("two"))
    assert "401" in refused
    assert SECRET not in refused
    status = CliRunner().invoke(app, ["fleet", "status", str(tmp_path / "fleet")])
    assert status.exit_code == 0
    assert re.search(r"one .*bbbbbbbbbbbb .*1 of 1 run .*s ago", status.stdout)
    document = CliRunner().invoke(app, ["fleet", "status", str(tmp_path / "fleet"), "--json"]).stdout
    assert [one["device"] for one in json.loads(document)] == ["one"]


@pytest.mark.parametrize(
    ("body", "code"), [(b"{}", 422), (b"\xff", 422), (b" " * 4_100_000, 413)], ids=["empty", "bytes", "large"]
)
def test_what_is_no_report_is_refused_and_kept_nowhere(
    receiver: str, tmp_path: Path, body: bytes, code: int
) -> None:
    headers = {"Authorization": f"Bearer {SECRET}"}
    request = urllib.request.Request(f"http://{receiver}/report", body, headers, method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    refused.value.close()
    assert refused.value.code == code
    assert not list(tmp_path.rglob("report.json"))


def test_a_report_that_cannot_be_sent_is_told_without_the_password() -> None:
    told = ReportPost(f"http://device:secret@127.0.0.1:{free_port()}/report").send(report("one"))
    assert told
    assert "secret" not in told
