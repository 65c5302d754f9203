"""`python -m components.dataset.version`: writes down what the clips are, for DVC to see when they change."""

from pathlib import Path
from typing import Annotated

import typer

from reelflow.commandline import run_command
from reelflow.files import write_text
from reelflow.params import load_params
from reelflow.progress import Line, watched_by
from reelflow.settings import Settings
from reelflow.sources.fetch import content_version


def main(
    version: Annotated[Path, typer.Option(help="File to write.")],
    params: Annotated[Path, typer.Option(help="Params file.")] = Path("params.yaml"),
) -> None:
    """Write the version of dataset.source: equal for equal clips, on every machine."""
    source = load_params(params).dataset.source
    with watched_by(Line()):
        write_text(version, content_version(source, Settings()) + "\n")


if __name__ == "__main__":
    run_command(main)
