"""Command line of the features step."""

from pathlib import Path
from typing import Annotated

import typer

from components.features.step import run
from reelflow.commandline import run_command
from reelflow.params import load_params
from reelflow.steps import perform, where_it_exists


def main(
    backbone: Annotated[str, typer.Option(help="Name of the backbone.")],
    dataset: Annotated[Path, typer.Option(help="Folder of the dataset step.")],
    frames: Annotated[Path, typer.Option(help="Folder of the frames step.")],
    features: Annotated[Path, typer.Option(help="Folder to write.")],
    params: Annotated[Path, typer.Option(help="Params file.")] = Path("params.yaml"),
    weights: Annotated[str, typer.Option(help="imagenet, random, a file, or a folder of files.")] = "",
) -> None:
    """Embed the frames of every clip with one backbone, fine-tuned before if params.yaml says so."""
    changes = {"weights": weights} if weights else {}
    section = load_params(params).with_values(features=changes).features
    perform(
        run,
        section,
        options={"backbone": backbone},
        inputs={"dataset": dataset, "frames": frames} | where_it_exists(weights=section.weights),
        output={"features": features},
    )


if __name__ == "__main__":
    run_command(main)
