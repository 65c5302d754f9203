"""`python -m reelflow.edge.proof BUNDLE CLIP...`: prints the proof of this machine as JSON."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from reelflow.commandline import run_command
from reelflow.edge.proof.attempt import MODULE, attempt, videos_in
from reelflow.errors import ClipError
from reelflow.files import write_text


def main(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    clips: Annotated[list[Path], typer.Argument(help="Videos, or folders that contain only videos.")],
    attempt_to: Annotated[
        Path | None,
        typer.Option(
            "--attempt", help="Write the proof, or the reason of a failure, to this file; exit with 0."
        ),
    ] = None,
) -> None:
    """Test a bundle on this machine, have it answer, and print what it says as JSON."""
    if attempt_to:
        made = attempt([sys.executable, "-m", MODULE], bundle, clips)
        write_text(attempt_to, made.to_json())
        typer.echo(f"not proven: {made.why}" if made.why else "proven", err=True)
        return
    from reelflow.edge.proof.measure import prove  # may crash where the libraries do not run

    videos = videos_in(clips)
    if not videos:
        raise ClipError("found no video to classify: name a video, or a folder of videos")
    typer.echo(prove(bundle, videos).to_json(), nl=False)


if __name__ == "__main__":
    run_command(main)
