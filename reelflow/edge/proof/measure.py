"""Makes a proof: self-test, `classify` and `watch`, as they run on a device."""

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import reelflow
from reelflow.edge.bundle import open_bundle
from reelflow.edge.camera.address import parse_source
from reelflow.edge.classifier import Classifier
from reelflow.edge.events.model import Message, WindowAnswer
from reelflow.edge.proof.document import Proof, ProvenAnswer
from reelflow.edge.selftest import self_test
from reelflow.edge.watch.fresh_bundle import FreshBundle
from reelflow.edge.watch.watcher import Watcher, WatchOptions
from reelflow.errors import ClipError
from reelflow.files import sha256_file, sha256_text
from reelflow.workers.stderr import silenced_stderr

PACKAGE = Path(reelflow.__file__).parent
LIBRARIES = ("ai-edge-litert", "av", "numpy", "pillow")
WINDOW_S = 1.0
"""Of `watch`: shorter than the clips of a bundle, so that there is more than one answer."""
TIMEOUT_S = 600.0  # under emulation all is slow


def prove(bundle: Path, clips: Sequence[Path]) -> Proof:
    """Test a bundle on this machine, and have it answer.

    Args:
        bundle: its folder.
        clips: videos; `watch` gets the largest.

    Raises:
        BundleError: the bundle is damaged, or this machine does not compute what it says.
        ClipError: a clip cannot be decoded, or is too short to be watched.
    """
    opened = open_bundle(bundle)
    with silenced_stderr():
        self_test(opened)
        classifier = Classifier(opened)
    answers = [classifier.classify(clip) for clip in clips]
    return Proof(
        architecture=platform.machine(),
        libraries={"reelflow": reelflow.__version__} | {name: version(name) for name in LIBRARIES},
        code=_code(),
        bundle=sha256_file(bundle / "bundle.json"),
        classified=tuple(
            ProvenAnswer(sha256=sha256_file(clip), label=answer.label, scores=answer.scores)
            for clip, answer in zip(clips, answers, strict=True)
        ),
        watched=_watched(bundle, max(clips, key=lambda clip: clip.stat().st_size)),
    )


def _code() -> str:
    """Hash of the modules of this package, wherever it is installed."""
    modules = sorted(PACKAGE.rglob("*.py"))
    return sha256_text("\n".join(f"{path.relative_to(PACKAGE)} {sha256_file(path)}" for path in modules))


def _watched(bundle: Path, clip: Path) -> tuple[ProvenAnswer, ...]:
    with silenced_stderr():
        fresh = FreshBundle(bundle, 1, WINDOW_S)
    heard = _Heard()
    options = WatchOptions(window_s=WINDOW_S, hop_s=WINDOW_S, timeout_s=TIMEOUT_S)
    Watcher(fresh, parse_source(str(clip)), [heard], options, lambda _: None).run()
    if not heard.answers:
        raise ClipError(f"{clip} is shorter than the {WINDOW_S:g} s that `watch` needs for an answer")
    clip_hash = sha256_file(clip)
    return tuple(
        ProvenAnswer(sha256=clip_hash, label=answer.best_guess, scores=answer.scores)
        for answer in heard.answers
    )


class _Heard:
    """A sink that keeps answers."""

    name, problem, failures, lost = "proof", "", 0, 0

    def __init__(self) -> None:
        self.answers: list[WindowAnswer] = []

    def send(self, message: Message) -> None:
        """Keep an answer."""
        if isinstance(message, WindowAnswer):
            self.answers.append(message)

    def close(self, timeout_s: float) -> None:
        """There is nothing to deliver."""
