"""An attempt at a proof, in a process of its own: what crashes there is told, and takes nothing with it."""

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pydantic

from reelflow.documents import Document
from reelflow.edge.proof.document import Proof

MODULE = "reelflow.edge.proof"
TIMEOUT_S = 3600  # emulation takes about a minute a clip
SHELL_SIGNAL = 128  # a shell and Docker add it to the number of the signal that ended a program


class ProofAttempt(Document):
    """A proof, or the reason of a failure."""

    proof: Proof | None = None
    why: str = ""


def attempt(command: Sequence[str], bundle: Path, clips: Sequence[Path]) -> ProofAttempt:
    """The proof that a command prints.

    Args:
        command: runs `python -m reelflow.edge.proof`, here or in a container.
        bundle: its folder, as the command sees it.
        clips: videos, likewise.
    """
    try:
        done = subprocess.run(
            [*command, str(bundle), *map(str, clips)], capture_output=True, text=True, timeout=TIMEOUT_S + 60
        )
    except OSError as error:
        return ProofAttempt(why=f"{command[0]} cannot be run ({error.strerror})")
    except subprocess.TimeoutExpired:
        return ProofAttempt(why=f"it takes longer than {TIMEOUT_S} s")
    if done.returncode:
        return ProofAttempt(why=_end(done))
    try:
        return ProofAttempt(proof=Proof.model_validate_json(done.stdout))
    except pydantic.ValidationError:
        return ProofAttempt(why="its output is not a proof")


def videos_in(places: Sequence[Path]) -> list[Path]:
    """These videos, and all files of these folders by their names."""
    return [video for place in places for video in (sorted(place.iterdir()) if place.is_dir() else [place])]


def _end(done: "subprocess.CompletedProcess[str]") -> str:
    """Why a command failed: the signal that ended it, or the last line of its errors."""
    number = -done.returncode if done.returncode < 0 else done.returncode - SHELL_SIGNAL
    if number in set(signal.Signals):
        return f"it was ended by {signal.Signals(number).name}"
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
