"""Command line of the training step."""

from pathlib import Path
from typing import Annotated

import typer

from components.training.step import run
from reelflow.commandline import run_command
from reelflow.params import load_params
from reelflow.steps import perform


def main(
    head: Annotated[str, typer.Option(help="gru, lstm or single_frame")],
    dataset: Annotated[Path, typer.Option(help="folder of the dataset step")],
    features: Annotated[Path, typer.Option(help="folder of the features step")],
    model: Annotated[Path, typer.Option(help="folder to write")],
    params: Annotated[Path, typer.Option(help="values of the run")] = Path("params.yaml"),
) -> None:
    """Train one head on one backbone's features."""
    perform(
        run,
        load_params(params).training,
        options={"head": head},
        inputs={"dataset": dataset, "features": features},
        output={"model": model},
    )


if __name__ == "__main__":
    run_command(main)
