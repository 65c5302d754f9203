"""Command line of the conversion step."""

from pathlib import Path
from typing import Annotated

import typer

from components.conversion.step import run
from reelflow.commandline import run_command
from reelflow.edge.seal import seal
from reelflow.nets.candidates import names
from reelflow.params import load_params
from reelflow.steps import perform


def main(
    dataset: Annotated[Path, typer.Option(help="Output of the dataset step.")],
    frames: Annotated[Path, typer.Option(help="Output of the frames step.")],
    evaluations: Annotated[Path, typer.Option(help="Folder of every candidate's evaluation.")],
    bundle: Annotated[Path, typer.Option(help="Where to write the bundle.")],
    params: Annotated[Path, typer.Option(help="Values of the run.")] = Path("params.yaml"),
    weights: Annotated[str, typer.Option(help="imagenet, random, a file, or a folder of files.")] = "",
) -> None:
    """Convert the best classifier to a TFLite bundle and measure its parity."""
    values = load_params(params)
    perform(
        run,
        values.conversion,
        options={
            "weights": weights or values.features.weights,
            "seed": str(values.features.seed),
            "candidates": names(values),
        },
        inputs={"dataset": dataset, "frames": frames, "evaluations": evaluations},
        output={"bundle": bundle},
        seal=seal,
    )


if __name__ == "__main__":
    run_command(main)
