"""Messages wait in order, within bounds, and survive what happens to disks and processes."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelflow.edge.sinks import spool as spools
from reelflow.edge.sinks.spool import Spool
from reelflow.errors import ParamsError


def drained(spool: Spool) -> list[str]:
    bodies = []
    while (body := spool.peek()) is not None:
        bodies.append(body)
        spool.remove()
    return bodies


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "sink.db"


def numbers(bodies: list[str]) -> list[int]:
    return [int(body) for body in bodies]


def test_what_waits_is_there_after_a_restart_in_order(path: Path):
    first = Spool(path)
    for number in range(5):
        first.append(str(number))
    assert first.peek() == "0"
    first.remove()
    first.close()
    second = Spool(path)
    assert len(second) == 4
    assert drained(second) == ["1", "2", "3", "4"]
    second.close()
    third = Spool(path)
    assert third.peek() is None
    third.close()


def test_a_message_stays_until_it_is_removed(path: Path):
    spool = Spool(path)
    spool.append("a")
    assert [spool.peek(), spool.peek(), len(spool)] == ["a", "a", 1]
    spool.close()


def test_the_oldest_are_dropped_and_counted_over_restarts(path: Path):
    spool = Spool(path, max_rows=3)
    for number in range(10):
        spool.append(str(number))
    assert spool.lost == 7
    spool.close()
    again = Spool(path, max_rows=3)
    assert again.lost == 7
    assert drained(again) == ["7", "8", "9"]
    again.close()


def test_what_is_under_way_is_not_dropped(path: Path):
    spool = Spool(path, max_rows=2)
    spool.append("0")
    assert spool.peek() == "0"
    for number in range(1, 6):
        spool.append(str(number))
    assert spool.peek() == "0"
    assert drained(spool) == ["0", "5"]
    assert spool.lost == 4
    spool.close()


def test_bytes_are_bounded_and_a_message_larger_than_all_is_lost(path: Path):
    spool = Spool(path, max_bytes=100)
    for letter in "abc":
        spool.append(letter * 40)
    assert (len(spool), spool.lost) == (2, 1)
    spool.append("x" * 101)
    assert (len(spool), spool.lost) == (0, 4)
    spool.close()


def test_a_file_that_is_in_use_is_refused(path: Path):
    spool = Spool(path)
    with pytest.raises(ParamsError, match="in use"):
        Spool(path)
    spool.append("a")
    assert drained(spool) == ["a"]
    spool.close()


def foreign_tables(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE messages (other TEXT)")
    database.execute("PRAGMA user_version = 1")
    database.commit()
    database.close()


def newer_version(path: Path) -> None:
    Spool(path).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 2")
    database.close()


def torn(path: Path) -> None:
    spool = Spool(path)
    for _ in range(200):
        spool.append("x" * 400)
    spool.close()
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(8192))


def noise(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to look like one" * 100)


def cut(path: Path) -> None:
    torn(path)
    os.truncate(path, 5000)


@pytest.mark.parametrize("damage", [foreign_tables, newer_version, torn, noise, cut])
def test_a_damaged_file_is_set_aside_and_counted(path: Path, damage):
    path.parent.mkdir()
    damage(path)
    spool = Spool(path)
    assert spool.set_aside == 1
    assert spool.failures
    spool.append("new")
    spool.close()
    assert path.with_name("sink.db.damaged").is_file()
    again = Spool(path)
    assert again.set_aside == 1
    assert drained(again) == ["new"]
    again.close()


def test_damage_while_it_runs_loses_what_was_in_the_file_and_no_more(path: Path):
    spool = Spool(path)
    for number in range(300):
        spool.append(f"{number}" + "x" * 4000)
    spool.close()
    spool = Spool(path)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    delivered = drained(spool)
    spool.append("new")
    assert (len(delivered) + spool.lost, spool.set_aside) == (300, 1)
    assert drained(spool) == ["new"]
    spool.close()


def test_a_folder_that_cannot_be_made_leaves_messages_in_memory(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(spools, "MEMORY_ROWS", 3)
    (tmp_path / "file").touch()
    spool = Spool(tmp_path / "file" / "sink.db")
    for number in range(5):
        spool.append(str(number))
    assert (spool.lost, spool.failures > 0) == (2, True)
    assert drained(spool) == ["2", "3", "4"]
    spool.append("5")
    spool.close()
    assert spool.lost == 3


def test_the_folder_that_comes_back_takes_what_was_in_memory(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(spools, "REOPEN_S", 0.0)
    kept = Spool(tmp_path / "folder" / "sink.db", max_rows=5)
    for number in range(7):
        kept.append(str(number))
    kept.close()
    (tmp_path / "folder").rename(tmp_path / "away")
    (tmp_path / "folder").touch()
    spool = Spool(tmp_path / "folder" / "sink.db")
    spool.append("7")
    spool.append("8")
    assert spool.peek() == "7"
    (tmp_path / "folder").unlink()
    (tmp_path / "away").rename(tmp_path / "folder")
    spool.append("9")
    spool.remove()
    assert spool.lost == 2
    assert drained(spool) == ["2", "3", "4", "5", "6", "8", "9"]
    spool.close()


def test_a_disk_that_can_neither_be_read_nor_written_is_left_until_the_next_start(path: Path, monkeypatch):
    monkeypatch.setattr(spools, "REOPEN_S", 0.0)
    spool = Spool(path, max_rows=3)
    for number in range(5):
        spool.append(str(number))

    def fail(*_: object) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    def refuse(_path: Path) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as broken:
        broken.setattr(spools.SpoolFile, "body", fail)
        broken.setattr(spools, "set_aside", refuse)
        assert spool.peek() is None
    assert spool.lost == 2 + 3  # before, and what cannot be read
    spool.append("new")
    assert (spool.lost, drained(spool)) == (5, ["new"])
    spool.close()
    again = Spool(path)
    assert (again.lost, drained(again)) == (2, ["2", "3", "4"])
    again.close()


FULL_DISK = """
import resource, sys
from pathlib import Path
from reelflow.edge.sinks import spool as spools
spools.MEMORY_ROWS = 20
path = Path(sys.argv[1])
spool = spools.Spool(path)
spool.append("0" + "x" * 1000)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
for number in range(1, 400):
    spool.append(f"{number} " + "x" * 1000)
assert spool.failures, "the limit was not reached"
lost, waiting = spool.lost, len(spool)
assert lost + waiting == 400 and lost, (lost, waiting)
assert spool.peek().startswith("0")
spool.remove()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
spool.append("last ")
spool.close()
assert spool.lost == lost
print(lost, waiting)
"""


def test_a_full_disk_costs_the_oldest_that_memory_cannot_hold(path: Path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lost, waiting = map(int, done.stdout.split())
    spool = Spool(path)
    assert spool.lost == lost
    left = [body.split()[0] for body in drained(spool)]
    assert len(left) == waiting
    assert left[-1] == "last"
    assert sorted(left[:-1], key=int) == left[:-1]
    assert left[-21:-1] == [str(number) for number in range(380, 400)]
    spool.close()


KILLED = """
import itertools, sys
from pathlib import Path
from reelflow.edge.sinks.spool import Spool
spool = Spool(Path(sys.argv[1]))
for number in itertools.count(int(sys.argv[2])):
    spool.append(str(number))
    print("+", number, flush=True)
    if number % 3 == 0:
        body = spool.peek()
        spool.remove()
        print("-", body, flush=True)
"""


def killed_after(path: Path, first: int, lines: int) -> Iterator[tuple[str, int]]:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, path, str(first)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    read = [process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    read += process.stdout.readlines()
    process.stdout.close()
    process.wait()
    for line in read:
        if line.endswith("\n"):
            sign, number = line.split()
            yield sign, int(number)


def test_a_killed_process_leaves_a_run_without_gaps_and_nothing_twice(path: Path):
    first, removed = 0, -1
    for lines in (3, 50, 211):
        told = list(killed_after(path, first, lines))
        appended = max(number for sign, number in told if sign == "+")
        removed = max([removed, *(number for sign, number in told if sign == "-")])
        spool = Spool(path)
        waiting = len(spool)
        head = int(spool.peek() or -1)
        spool.close()
        assert removed + 1 <= head <= removed + 2  # the last removal may be untold
        first = head + waiting
        assert appended + 1 <= first <= appended + 2  # as may the last message
    spool = Spool(path)
    assert numbers(drained(spool)) == list(range(head, first))
    assert spool.lost == 0
    spool.close()


ACTIONS = st.lists(st.sampled_from(["append", "long", "peek", "remove", "lose", "restart"]), max_size=40)


@settings(max_examples=60, deadline=None)
@given(actions=ACTIONS, rows=st.integers(1, 4), on_disk=st.booleans())
def test_it_is_a_list_with_bounds(actions: list[str], rows: int, on_disk: bool):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sink.db") if on_disk else None
        spool = Spool(path, max_rows=rows, max_bytes=30)
        waiting: list[str] = []
        lost, peeked = 0, None
        for number, action in enumerate(actions):
            if action in ("append", "long"):
                body = f"{number:02}" + "x" * (10 if action == "long" else 0)
                spool.append(body)
                waiting.append(body)
                while len(waiting) > rows or sum(map(len, waiting)) > 30:
                    oldest = next((body for body in waiting if body != peeked), None)
                    if oldest is None:
                        break
                    waiting.remove(oldest)
                    lost += 1
            elif action == "peek":
                peeked = waiting[0] if waiting else None
                assert spool.peek() == peeked
            elif action in ("remove", "lose"):
                spool.remove(lost=action == "lose")
                if peeked is not None:
                    waiting.remove(peeked)
                    lost += action == "lose"
                peeked = None
            elif on_disk:
                spool.close()
                spool, peeked = Spool(path, max_rows=rows, max_bytes=30), None
            assert (len(spool), spool.lost) == (len(waiting), lost)
        assert drained(spool) == waiting
        spool.close()
