"""`python -m reelflow.edge.proof BUNDLE CLIP...`: prints the proof of this machine as JSON."""

from pathlib import Path
from typing import Annotated

import typer

from reelflow.commandline import run_command
from reelflow.edge.proof.measure import prove


def main(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    clips: Annotated[list[Path], typer.Argument(help="Videos.")],
) -> None:
    """Test a bundle on this machine, have it answer, and print what it says as JSON."""
    typer.echo(prove(bundle, clips).to_json(), nl=False)


if __name__ == "__main__":
    run_command(main)
