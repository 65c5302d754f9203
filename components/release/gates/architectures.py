"""The gate on other architectures: the bundle answers there as it does here.

`python -m reelflow.edge.proof` runs on each: here as it is, elsewhere in the image of `make edge-image`. On a
cluster a task of its own has run it on a node of that architecture; else the kernel runs the image under
emulation (binfmt_misc). What cannot be run is not measured, and does not pass.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from reelflow.contracts import Gate
from reelflow.edge.proof.attempt import MODULE, TIMEOUT_S, ProofAttempt, attempt
from reelflow.edge.proof.document import Proof
from reelflow.errors import BundleError
from reelflow.progress import emit

CLIPS = 10
IMAGE = "reelflow-edge:{}"
UNPRIVILEGED = ("--network=none", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--user=10001:0")
# LiteRT asks cpuinfo, which crashes on an emulated arm64 where it finds the CPUs of the real machine.
EMULATED = ("--tmpfs=/sys/devices/system/cpu",)
NO_VIDEOS = "the videos of the test clips are not on this machine"


def architecture_gates(
    asked: Sequence[str], bundle: Path, videos: Sequence[Path], made: Mapping[str, Path]
) -> Iterator[Gate]:
    """One gate an architecture.

    Args:
        asked: architectures as the kernel names them, such as `aarch64`.
        bundle: its folder.
        videos: test clips that are classified.
        made: files of the attempts that were made elsewhere on the same clips, by architecture.
    """
    if not asked:
        return
    if not videos:
        yield from (_gate(name, None, NO_VIDEOS) for name in asked)
        return
    here = attempt([sys.executable, "-m", MODULE], bundle, videos)
    for name in asked:
        if here.proof is None:
            yield _gate(name, None, f"on this machine: {here.why}")
        elif name == here.proof.architecture:
            yield _gate(name, 1.0)
        else:
            there = _read(made[name]) if name in made else _emulated(name, bundle, videos)
            yield _compared(name, here.proof, there)


def _compared(name: str, here: Proof, there: ProofAttempt) -> Gate:
    if there.proof is None:
        return _gate(name, None, there.why)
    if there.proof.architecture != name or there.proof.code != here.code:
        return _gate(name, None, f"{IMAGE.format(name)} is not of this code: make edge-image")
    return _gate(name, here.alike(there.proof))


def _gate(name: str, alike: float | None, why: str = "") -> Gate:
    return Gate(name=name, found=alike, limit=1.0, passed=alike == 1.0, why=why)


def _read(made: Path) -> ProofAttempt:
    try:
        return ProofAttempt.read(made)
    except BundleError as error:
        return ProofAttempt(why=str(error))


def _emulated(name: str, bundle: Path, videos: Sequence[Path]) -> ProofAttempt:
    emit("notice", message=f"classifying {len(videos)} clips on {name}: under emulation a minute a clip")
    return attempt(_container(name, bundle, videos), Path("/bundle"), _mounted(videos))


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
