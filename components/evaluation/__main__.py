"""Command line of the evaluation step."""

from pathlib import Path
from typing import Annotated

import typer

from components.evaluation.step import run
from reelflow.commandline import run_command
from reelflow.params import load_params
from reelflow.steps import perform


def main(
    dataset: Annotated[Path, typer.Option(help="folder of the dataset step")],
    features: Annotated[Path, typer.Option(help="folder of the features step")],
    model: Annotated[Path, typer.Option(help="folder of the training step")],
    baselines: Annotated[Path, typer.Option(help="folder of the baselines step")],
    evaluation: Annotated[Path, typer.Option(help="folder to write")],
    params: Annotated[Path, typer.Option(help="values of the run")] = Path("params.yaml"),
) -> None:
    """Measure one classifier on the test clips."""
    perform(
        run,
        load_params(params).evaluation,
        inputs={"dataset": dataset, "features": features, "model": model, "baselines": baselines},
        output={"evaluation": evaluation},
    )


if __name__ == "__main__":
    run_command(main)
