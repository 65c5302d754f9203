"""Command line of the release step."""

from pathlib import Path
from typing import Annotated

import typer

from components.release.step import run
from reelflow.commandline import run_command
from reelflow.nets.candidates import names
from reelflow.params import load_params
from reelflow.steps import perform


def main(
    dataset: Annotated[Path, typer.Option(help="Folder of the dataset step.")],
    frames: Annotated[Path, typer.Option(help="Folder of the frames step.")],
    evaluations: Annotated[Path, typer.Option(help="Folder of the evaluations.")],
    bundle: Annotated[Path, typer.Option(help="Folder of the conversion step.")],
    release: Annotated[Path, typer.Option(help="Folder to write.")],
    params: Annotated[Path, typer.Option(help="Params file.")] = Path("params.yaml"),
) -> None:
    """Register the bundle, promote it if it passes the gates, and write the report."""
    inputs = {"dataset": dataset, "frames": frames, "evaluations": evaluations, "bundle": bundle}
    values = load_params(params)
    perform(
        run,
        values.release,
        options={"candidates": names(values)},
        inputs=inputs,
        output={"release": release},
        reuse=False,
    )


if __name__ == "__main__":
    run_command(main)
