"""Lines in files: rotated, reopened, and whole on a full disk."""

import os
from pathlib import Path

import pytest

from reelflow.edge.sinks.delivery import UndeliveredError
from reelflow.edge.sinks.open import open_sink
from reelflow.edge.sinks.rotating import RotatingFile
from tests.sink_messages import event, reading, wait_for


def lines_of(*paths: Path) -> list[str]:
    return [line for path in paths for line in path.read_text().splitlines()]


def test_files_are_rotated_by_size_and_the_oldest_go(tmp_path: Path):
    path = tmp_path / "made" / "events.jsonl"
    file = RotatingFile(path, max_bytes=30, keep=2)
    for number in range(10, 32):
        file.deliver(f"line {number}")  # 8 bytes with its end: 3 a file
    file.close()
    assert sorted(found.name for found in path.parent.iterdir()) == [
        path.name,
        f"{path.name}.1",
        f"{path.name}.2",
    ]
    kept = lines_of(path.with_name(f"{path.name}.2"), path.with_name(f"{path.name}.1"), path)
    assert kept == [f"line {number}" for number in range(25, 32)]
    assert all(found.stat().st_size <= 30 for found in path.parent.iterdir())


def test_one_long_line_has_a_file_of_its_own(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    file = RotatingFile(path, max_bytes=10, keep=3)
    for line in ("a", "b" * 50, "c"):
        file.deliver(line)
    file.close()
    assert [lines_of(path), lines_of(tmp_path / "events.jsonl.1")] == [["c"], ["b" * 50]]


@pytest.mark.parametrize("action", ["rename", "remove", "truncate"])
def test_the_file_is_found_again_after_logrotate(tmp_path: Path, action: str):
    path = tmp_path / "events.jsonl"
    file = RotatingFile(path)
    file.deliver("a")
    if action == "rename":
        path.rename(tmp_path / "old")
    elif action == "remove":
        path.unlink()
    else:
        os.truncate(path, 0)
    file.deliver("b")
    file.close()
    assert lines_of(path) == ["b"]
    if action == "rename":
        assert lines_of(tmp_path / "old") == ["a"]


def test_a_full_disk_is_counted_and_the_message_comes_later(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    path.symlink_to("/dev/full")
    sink = open_sink(f"file:{path}", tmp_path, "porch")
    sink.send(event(1))
    sink.send(event(2))
    wait_for(lambda: sink.failures)
    assert "No space left" in sink.problem
    path.unlink()
    sink.close(20)
    assert ['"id":"e-1"' in line for line in lines_of(path)] == [True, False]
    assert sink.lost == 0


def test_a_line_that_the_disk_took_in_part_is_cut_off(tmp_path: Path, monkeypatch):
    path = tmp_path / "events.jsonl"
    file = RotatingFile(path)
    file.deliver("a")
    write, plan = os.write, [2, OSError(28, "No space left on device")]

    def limited(fd: int, data: bytes) -> int:
        step = plan.pop(0) if plan else len(data)
        if isinstance(step, OSError):
            raise step
        return write(fd, data[:step])

    monkeypatch.setattr(os, "write", limited)
    with pytest.raises(UndeliveredError, match="No space left"):
        file.deliver("bcdef")
    assert path.read_text() == "a\n"
    file.deliver("bcdef")
    file.close()
    assert path.read_text() == "a\nbcdef\n"


def test_what_a_killed_process_left_unfinished_spoils_no_other_line(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"a":1}\n{"b":')
    file = RotatingFile(path)
    file.deliver('{"c":3}')
    file.close()
    assert lines_of(path) == ['{"a":1}', '{"b":', '{"c":3}']


def test_answers_are_written_if_the_address_asks_for_them(tmp_path: Path):
    for answers in ("", "?answers=1"):
        sink = open_sink(f"file:{tmp_path}/events{answers[-1:]}.jsonl{answers}", tmp_path, "porch")
        sink.send(reading())
        sink.send(event())
        sink.close(20)
    assert len(lines_of(tmp_path / "events.jsonl")) == 1
    assert len(lines_of(tmp_path / "events1.jsonl")) == 2
