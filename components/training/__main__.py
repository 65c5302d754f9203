"""Command line of the training step."""

from pathlib import Path
from typing import Annotated

import typer

from components.training.step import run
from reelflow.commandline import run_command
from reelflow.nets.heads import HEAD_NAMES
from reelflow.nets.video.design import inflation_input
from reelflow.params import load_params
from reelflow.steps import perform
from reelflow.tracking.teachers import gathered


def main(
    head: Annotated[str, typer.Option(help=", ".join(HEAD_NAMES))],
    dataset: Annotated[Path, typer.Option(help="folder of the dataset step")],
    features: Annotated[Path, typer.Option(help="folder of the features step")],
    model: Annotated[Path, typer.Option(help="folder to write")],
    params: Annotated[Path, typer.Option(help="values of the run")] = Path("params.yaml"),
) -> None:
    """Train one head on one backbone's features."""
    chosen = load_params(params)
    perform(
        run,
        chosen.training,
        options={"head": head, "protocol": chosen.evaluation.protocol},
        inputs={"dataset": dataset, "features": features} | inflation_input(head, chosen.training.video),
        passing=lambda settings: gathered(chosen.training.teacher, settings),
        output={"model": model},
    )


if __name__ == "__main__":
    run_command(main)
