"""Command line of the baselines step."""

from pathlib import Path
from typing import Annotated

import typer

from components.baselines.step import run
from reelflow.commandline import run_command
from reelflow.params import load_params
from reelflow.steps import perform


def main(
    dataset: Annotated[Path, typer.Option(help="Folder of the dataset step.")],
    frames: Annotated[Path, typer.Option(help="Folder of the frames step.")],
    baselines: Annotated[Path, typer.Option(help="Folder to write.")],
    params: Annotated[Path, typer.Option(help="Params file.")] = Path("params.yaml"),
) -> None:
    """Measure classifiers that see only metadata or thumbnails of a clip."""
    values = load_params(params)
    perform(
        run,
        values.baselines,
        options={"protocol": values.evaluation.protocol},
        inputs={"dataset": dataset, "frames": frames},
        output={"baselines": baselines},
    )


if __name__ == "__main__":
    run_command(main)
