"""Progress of a build: a table on a terminal, lines elsewhere."""

import io

from rich.console import Console

from infra.images.view import open_view

NAMES = ("frames", "features-float")


def shown(*, terminal: bool) -> str:
    """What a build of two images shows."""
    stream = io.StringIO()
    with open_view(NAMES, Console(file=stream, force_terminal=terminal, width=100)) as view:
        view.stage("frames", "build")
        view.stage("features-float", "packages")
        view.done("frames", "reelflow-frames:0.1.0-a", 403_400_000)
    return stream.getvalue()


def test_lines_say_which_of_how_many_stage_seconds_and_size() -> None:
    assert shown(terminal=False).splitlines() == [
        "[1/2] frames: build",
        "[2/2] features-float: packages",
        "[1/2] frames: 403 MB in 0 s, reelflow-frames:0.1.0-a",
    ]


def test_a_terminal_shows_a_row_for_each_image() -> None:
    text = shown(terminal=True)
    assert all(part in text for part in ("[1/2]", "frames", "403 MB", "[2/2]", "packages", "0:00:0"))
