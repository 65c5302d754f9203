"""`python -m components.dataset.version`: writes down what the clips are, for DVC to see when they change."""

from pathlib import Path
from typing import Annotated

import typer

from components.dataset.lists.inputs import list_inputs
from reelflow.commandline import run_command
from reelflow.files import sha256_file, write_text
from reelflow.params import load_params
from reelflow.progress import Line, watched_by
from reelflow.settings import Settings
from reelflow.sources.fetch import content_version


def main(
    version: Annotated[Path, typer.Option(help="File to write.")],
    params: Annotated[Path, typer.Option(help="Params file.")] = Path("params.yaml"),
) -> None:
    """Write the version of dataset.source and of the split lists: equal for equal clips, on every machine."""
    section = load_params(params).dataset
    with watched_by(Line()):
        lists = [sha256_file(path) for path in list_inputs(section.split_lists).values()]
        write_text(version, "\n".join([content_version(section.source, Settings()), *lists]) + "\n")


if __name__ == "__main__":
    run_command(main)
