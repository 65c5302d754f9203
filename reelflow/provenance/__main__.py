"""`python -m reelflow.provenance`: writes the hash of each step's code, for DVC to see when it changes."""

from pathlib import Path
from typing import Annotated

import typer

from reelflow.commandline import run_command
from reelflow.files import write_text
from reelflow.params import STEPS
from reelflow.provenance.code import code_hash


def main(code: Annotated[Path, typer.Option(help="Folder to write; a file a step.")]) -> None:
    """Write the hash of the source files that each step imports."""
    for step in STEPS:
        write_text(code / step, code_hash(step) + "\n")


if __name__ == "__main__":
    run_command(main)
