"""What can be said on the command line."""

import sys
from pathlib import Path

import pytest

from reelflow.edge.sinks.open import open_sink
from reelflow.errors import ParamsError


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("", "expected -, file:PATH"),
        ("events.jsonl", "events.jsonl is not the address of a sink"),
        ("ftp://user:secret@host/", "ftp://host... is not the address"),
        ("user:secret@host", "is not the address"),
        ("file:", "names no file"),
        ("file:.", "names no file"),
        ("file:x?keep=0", "keep=0: expected a number of 1 or more"),
        ("file:x?max_mb=big", "max_mb=big: expected a number"),
        ("file:x?max_mb=nan", "max_mb=nan: expected a number"),
        ("file:x?color=red", "unknown options color: expected one of answers, max_mb, keep"),
        ("-?answers=yes", "answers=yes: expected answers=0 or answers=1"),
        ("-?keep=3", "unknown options keep"),
        ("http://user:secret@", "is not an address"),
        ("mqtt://user:secret@host/?x=secret", "unknown options x"),
        ("mqtt://user:secret@host/a%2Bb+/", "holds \\+ or #"),
    ],
)
def test_what_is_wrong_is_told_without_credentials(tmp_path: Path, address: str, told: str):
    with pytest.raises(ParamsError, match=told) as found:
        open_sink(address, tmp_path, "porch")
    assert "secret" not in str(found.value)


def test_without_paho_the_message_says_what_to_install(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(ParamsError, match=r"pip install 'reelflow\[mqtt\]'"):
        open_sink("mqtt://host/", tmp_path, "porch")
    monkeypatch.undo()
    sink = open_sink("mqtt://127.0.0.1:1/", tmp_path, "porch")  # the spool is free again
    sink.close(5)


def test_the_same_address_twice_is_refused(tmp_path: Path):
    sink = open_sink("http://u:p@127.0.0.1:1/", tmp_path, "porch")
    with pytest.raises(ParamsError, match="give each address once"):
        open_sink("http://u:q@127.0.0.1:1/", tmp_path, "porch")
    other = open_sink("http://u:p@127.0.0.1:1/", tmp_path, "yard")
    for opened in (sink, other):
        opened.close(5)
