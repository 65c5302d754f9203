import io

from rich.console import Console

from pipelines.local.view import LiveView, PlainView, open_view

NAMES = ["dataset", "frames"]


def events(reused: bool = False) -> list[dict]:
    return [
        {"kind": "started", "time": 0.0, "task": "frames"},
        {"kind": "progress", "time": 1.0, "task": "frames", "done": 1, "total": 4, "unit": "clips"},
        {"kind": "notice", "time": 2.0, "task": "frames", "message": "a clip [was] left out"},
        {"kind": "finished", "time": 4.0, "task": "frames", "reused": reused, "seconds": 4.0},
    ]


def shown(terminal: bool, stream: list[dict]) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=100)
    with open_view(NAMES, console) as view:
        for event in stream:
            view.show(event)
    return file.getvalue()


def test_plain_lines_away_from_a_terminal():
    text = shown(False, events())
    assert "\x1b" not in text
    assert text.splitlines() == [
        "[2/2] frames: started",
        "[2/2] frames: a clip [was] left out",
        "[2/2] frames: done in 4.0 s",
    ]


def test_a_reused_step_says_so():
    assert "already done" in shown(False, events(reused=True))


def test_a_live_list_on_a_terminal():
    text = shown(True, events())
    assert "1/4 clips, 1.0/s, 3 s left" in text or "4.0 s" in text
    assert "dataset" in text
    assert "a clip [was] left out" in text


def test_the_view_follows_the_console():
    assert isinstance(open_view(NAMES, Console(file=io.StringIO(), force_terminal=False)), PlainView)
    assert isinstance(open_view(NAMES, Console(file=io.StringIO(), force_terminal=True)), LiveView)
