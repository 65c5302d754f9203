"""Command line of the frames step."""

from pathlib import Path
from typing import Annotated

import typer

from components.frames.step import run
from reelflow.commandline import run_command
from reelflow.params import load_params
from reelflow.steps import perform


def main(
    dataset: Annotated[Path, typer.Option(help="Folder of the dataset step.")],
    frames: Annotated[Path, typer.Option(help="Folder to write.")],
    params: Annotated[Path, typer.Option(help="Params file.")] = Path("params.yaml"),
) -> None:
    """Extract uniformly spread frames of every clip."""
    perform(
        run,
        load_params(params).frames,
        options={"part": ""},
        inputs={"dataset": dataset},
        output={"frames": frames},
    )


if __name__ == "__main__":
    run_command(main)
