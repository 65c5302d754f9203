"""Tables of commands: no terminal cuts names and ids."""

import io

import pytest
from rich.console import Console

from pipelines.cluster.tables import print_table, table

ROWS = [("training thumbnail-single_frame", "a long reason that a narrow terminal folds over its lines")]


def printed(width: int) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=False)
    print_table(console, table(("task", "error"), ROWS, folded="error"))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [10, 40, 60])
def test_a_narrow_terminal_folds_reasons_and_leaves_names_whole(width):
    _, first, *more = printed(width)
    assert first.startswith(ROWS[0][0])
    assert more
    words = " ".join([first[len(ROWS[0][0]) :], *more]).split()
    assert words == ROWS[0][1].split()
    assert max(map(len, (first, *more))) <= max(width, 60)


def test_a_wide_one_has_one_line_a_row():
    assert printed(10_000)[1].split("  ") == list(ROWS[0])
