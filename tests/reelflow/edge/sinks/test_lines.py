"""Lines on a stream: at once, whole, and quiet when the reader goes away."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reelflow.edge.sinks.delivery import GoneError, UndeliveredError
from reelflow.edge.sinks.lines import LineWriter
from reelflow.errors import ParamsError
from tests.sink_messages import LONG_S

PROGRAM = """
import sys, time
from pathlib import Path
from reelflow.edge.sinks.open import open_sink
from tests.sink_messages import event, reading, source
sink = open_sink(sys.argv[1], Path("unused"), "porch")
sink.send(source("connected"))
sink.send(reading())
sink.send(event())
if sys.argv[2:]:
    ends = time.monotonic() + 20
    while not sink.failures and time.monotonic() < ends:
        sink.send(event())
        time.sleep(0.01)
sink.close(20)
foreign = [name for name in ("paho", "requests", "rich", "tensorflow") if name in sys.modules]
print(sink.failures, sink.lost > 0, foreign, file=sys.stderr)
"""


def program(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("address", "kinds"),
    [("-", ["source", "event"]), ("-?answers=1", ["source", "answer", "event"])],
)
def test_standard_output_carries_a_compact_object_a_line(address: str, kinds: list[str]):
    out, told = program(address).communicate(timeout=60)
    lines = out.splitlines()
    assert [json.loads(line)["kind"] for line in lines] == kinds
    assert all(line == json.dumps(json.loads(line), separators=(",", ":")) for line in lines)
    assert told == "0 False []\n"


def test_a_reader_that_goes_away_is_counted_and_nothing_is_printed():
    process = program("-", "long")
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, "1 True []\n")


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_without_a_file_descriptor_it_is_told_at_once(stream: io.StringIO | None):
    with pytest.raises(ParamsError, match="open or redirect it"):
        LineWriter(stream)


def test_the_end_of_a_pipe_is_the_end():
    reading_end, writing_end = os.pipe()
    with os.fdopen(writing_end, "wb") as stream:
        writer = LineWriter(stream)
        os.close(reading_end)
        with pytest.raises(GoneError, match="went away"):
            writer.deliver("{}")


def test_a_full_disk_behind_the_stream_is_a_failure_that_may_pass():
    with Path("/dev/full").open("wb") as stream, pytest.raises(UndeliveredError, match="No space left"):
        LineWriter(stream).deliver("{}")


def test_a_line_that_was_written_in_part_is_continued(tmp_path: Path, monkeypatch):
    plan = [3, OSError(28, "No space left on device")]
    write = os.write

    def limited(fd: int, data: bytes) -> int:
        step = plan.pop(0) if plan else len(data)
        if isinstance(step, OSError):
            raise step
        return write(fd, data[:step])

    with (tmp_path / "lines").open("wb") as stream:
        writer = LineWriter(stream)
        monkeypatch.setattr(os, "write", limited)
        with pytest.raises(UndeliveredError):
            writer.deliver("123456")
        writer.deliver("123456")
        writer.deliver("7")
    assert (tmp_path / "lines").read_text() == "123456\n7\n"


def test_a_pipe_that_does_not_block_and_is_full_is_waited_for():
    reading_end, writing_end = os.pipe()
    os.set_blocking(writing_end, False)
    body = "x" * 200_000
    reader = subprocess.Popen(["wc", "-c"], stdin=reading_end, stdout=subprocess.PIPE, text=True)
    os.close(reading_end)
    with os.fdopen(writing_end, "wb") as stream:
        LineWriter(stream).deliver(body)
    assert reader.communicate(timeout=LONG_S)[0].strip() == "200001"
