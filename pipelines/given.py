"""Options that have a value if they are given: a variable of a shell that is not set leaves an empty one.

`--data "$CLIPS"` would train on the generated clips, and `--out ""` write into the working folder.
"""

from pathlib import Path
from typing import Any

import typer


def text_option(help_text: str) -> Any:
    """An option for a text that is not empty; the default is None."""
    return typer.Option(parser=_text, metavar="<str>", help=help_text)


def path_option(help_text: str) -> Any:
    """An option for a path that is not empty."""
    return typer.Option(parser=_path, metavar="<path>", help=help_text)


def _text(text: str) -> str:
    if not text.strip():
        raise typer.BadParameter("it is empty: give a value, or leave the option out")
    return text


def _path(text: str | Path) -> Path:
    return Path(_text(str(text)))
