import json
import subprocess
import sys
import textwrap

from reelflow import progress

APPENDER = """
    import sys, time
    from pathlib import Path
    from reelflow.progress import EventFile
    sink = EventFile(Path(sys.argv[1]))
    for number in range(200):
        sink({"kind": "notice", "time": time.time(), "message": sys.argv[2] * 500})
"""


def test_track_reports_every_item_and_passes_it_on():
    seen = []
    with progress.watched_by(seen.append):
        assert list(progress.track("abc", total=3, unit="clips")) == ["a", "b", "c"]
    assert [(event["done"], event["total"]) for event in seen] == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_lines_of_several_processes_never_mix(tmp_path):
    path = tmp_path / "events.jsonl"
    commands = [[sys.executable, "-c", textwrap.dedent(APPENDER), str(path), letter] for letter in "ab"]
    for process in [subprocess.Popen(command) for command in commands]:
        assert process.wait(timeout=60) == 0
    messages = [json.loads(line)["message"] for line in path.read_text().splitlines()]
    assert len(messages) == 400
    assert all(len(set(message)) == 1 for message in messages)


def test_the_last_progress_is_always_written(tmp_path):
    sink = progress.EventFile(tmp_path / "events.jsonl")
    with progress.watched_by(sink):
        for done in range(1001):
            progress.report(done, 1000, "clips")
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert events[-1]["done"] == 1000
    assert len(events) < 100


def test_progress_in_words():
    assert progress.describe(0, 120, "clips", 0.0) == "0/120 clips"
    assert progress.describe(40, 120, "clips", 2.0) == "40/120 clips, 20.0/s, 4 s left"
    assert progress.describe(120, 120, "clips", 6.0) == "120/120 clips, 20.0/s"
