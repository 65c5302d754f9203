"""The gate on other architectures: the bundle answers there as it does here.

`python -m reelflow.edge.proof` runs on each: here as it is, elsewhere in the image of `make edge-image` that
the kernel runs under emulation (binfmt_misc). What cannot be run is not measured, and does not pass.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pydantic

from reelflow.contracts import Gate
from reelflow.edge.proof.document import Proof
from reelflow.progress import emit

CLIPS = 10
TIMEOUT_S = 3600  # emulation takes about a minute a clip
MODULE = "reelflow.edge.proof"
IMAGE = "reelflow-edge:{}"
UNPRIVILEGED = ("--network=none", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--user=10001:0")
# LiteRT asks cpuinfo, which crashes on an emulated arm64 where it finds the CPUs of the real machine.
EMULATED = ("--tmpfs=/sys/devices/system/cpu",)
NO_VIDEOS = "the videos of the test clips are not on this machine"


def architecture_gates(asked: Sequence[str], bundle: Path, videos: Sequence[Path]) -> Iterator[Gate]:
    """One gate an architecture.

    Args:
        asked: architectures as the kernel names them, such as `aarch64`.
        bundle: its folder.
        videos: test clips, of which the first `CLIPS` are classified.
    """
    if not asked:
        return
    if not videos:
        yield from (_gate(name, None, NO_VIDEOS) for name in asked)
        return
    here = _proof([sys.executable, "-m", MODULE], bundle, videos)
    for name in asked:
        yield _measured(name, here, bundle, videos)


def _measured(name: str, here: "Proof | str", bundle: Path, videos: Sequence[Path]) -> Gate:
    if isinstance(here, str):
        return _gate(name, None, f"on this machine: {here}")
    if name == here.architecture:
        return _gate(name, 1.0)
    emit("notice", message=f"classifying {len(videos)} clips on {name}: under emulation a minute a clip")
    there = _proof(_container(name, bundle, videos), Path("/bundle"), _mounted(videos))
    if isinstance(there, str):
        return _gate(name, None, there)
    if there.architecture != name or there.code != here.code:
        return _gate(name, None, f"{IMAGE.format(name)} is not of this code: make edge-image")
    return _gate(name, here.alike(there))


def _gate(name: str, alike: float | None, why: str = "") -> Gate:
    return Gate(name=name, found=alike, limit=1.0, passed=alike == 1.0, why=why)


def _proof(command: Sequence[str], bundle: Path, clips: Sequence[Path]) -> Proof | str:
    """The proof that a command prints; why there is none."""
    try:
        done = subprocess.run(
            [*command, str(bundle), *map(str, clips)], capture_output=True, text=True, timeout=TIMEOUT_S + 60
        )
    except OSError as error:
        return f"{command[0]} cannot be run ({error.strerror})"
    except subprocess.TimeoutExpired:
        return f"it takes longer than {TIMEOUT_S} s"
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    try:
        return Proof.model_validate_json(done.stdout)
    except pydantic.ValidationError:
        return "what it prints is not a proof"


def _container(name: str, bundle: Path, clips: Sequence[Path]) -> list[str]:
    mounts = {bundle: Path("/bundle")} | dict(zip(clips, _mounted(clips), strict=True))
    volumes = [f"--volume={source.resolve()}:{target}:ro" for source, target in mounts.items()]
    image = IMAGE.format(name)
    run = [
        "docker",
        "run",
        "--rm",
        "--pull=never",
        *UNPRIVILEGED,
        *EMULATED,
        *volumes,
        "--entrypoint=timeout",
    ]
    return [*run, image, "--signal=KILL", str(TIMEOUT_S), "python3", "-m", MODULE]


def _mounted(clips: Sequence[Path]) -> list[Path]:
    return [Path(f"/clips/{place}{clip.suffix}") for place, clip in enumerate(clips)]
