"""What a device pays beyond bare decoding and network calls: `mobilenet_v2_quant` and a GRU of 1280 units.

The head has random weights: only its cost is measured. Each figure and what it is divided by are measured in
turns, so that a noisy machine disturbs both.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import distribution
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, NamedTuple

import av
import numpy as np
import typer

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from reelflow.commandline import run_command, tell
from reelflow.contracts import Sampling
from reelflow.edge.bundle import BACKBONE, open_bundle
from reelflow.edge.camera.wire import Header, Told
from reelflow.edge.classifier import Classifier
from reelflow.edge.commands.many import classify_all
from reelflow.edge.runtime import Network
from reelflow.edge.watch.windows import Windows
from reelflow.errors import ParamsError
from reelflow.video.decode import sample_frames
from reelflow.video.preprocess import preprocess

SHARED = ROOT.parent / "shared" / "data"
FRAMES, UNITS = 25, 1280
ROUNDS = 15
WATCHED_S = 3600
MANY = 40
PARTS = ("frame", "clip", "cores", "many", "watch", "first", "install")
LIBRARIES = "import av, numpy, pydantic, typer; from ai_edge_litert.interpreter import Interpreter"
BASE = ("ai-edge-litert", "av", "pillow", "pydantic", "pydantic-core", "typer", "numpy")


class EdgeFigure(NamedTuple):
    """One line of the table."""

    what: str
    found: float
    unit: str
    reach: str


def main(
    data: Annotated[Path, typer.Option(help="Folder with clips/ and weights/.")] = SHARED,
    minutes: Annotated[
        float, typer.Option(help="Minutes of video that `watch` is given: an hour takes a quarter of one.")
    ] = WATCHED_S / 60,
    parts: Annotated[str, typer.Option(help=f"Comma-separated; all by default: {', '.join(PARTS)}.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Measure and print a table."""
    chosen = parts.split(",") if parts else PARTS
    if unknown := sorted(set(chosen) - set(PARTS)):
        raise ParamsError(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    clips = sorted((data / "clips" / "ucf101").rglob("*.avi"))[:MANY]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = write_bundle(folder / "bundle", data / "weights")
        measure: dict[str, Callable[[], list[EdgeFigure]]] = {
            "frame": lambda: [frame_cost(bundle, clips[0])],
            "clip": lambda: [clip_cost(bundle, clips[0])],
            "cores": lambda: [two_cores(bundle, clips[0])],
            "many": lambda: [many_clips(bundle, clips)],
            "watch": lambda: watch_memory(bundle, folder, minutes),
            "first": lambda: first_answer(folder),
            "install": install_size,
        }
        found = []
        for part in chosen:
            tell(f"measuring: {part}")
            found += measure[part]()
    if as_json:
        print(json.dumps([figure._asdict() for figure in found], indent=2))
        return
    print("| figure | found | reach |\n|---|---|---|")
    for figure in found:
        print(f"| {figure.what} | {figure.found:.2f} {figure.unit} | {figure.reach} |")


def write_bundle(folder: Path, weights: Path) -> Path:
    """The backbone of these weights, and a random GRU."""
    from components.conversion.networks import _quiet
    from reelflow.backbones.registry import load_backbone
    from reelflow.files import write_bytes
    from reelflow.params import load_params
    from reelflow.settings import Settings
    from tests.bundles import random_head
    from tests.bundles import write_bundle as write

    backbone = load_backbone("mobilenet_v2_quant", str(weights), seed=1, settings=Settings(), networks={})
    training = load_params(ROOT / "params.large.yaml").training.model_copy(
        update={"units": UNITS, "motion": False}
    )
    head = random_head("gru", frames=FRAMES, dim=backbone.spec.dim, classes=5, params=training)
    with _quiet():
        network = backbone.to_tflite("int8", np.empty((0, 224, 224, 3), np.uint8))
    assert network
    write_bytes(folder / BACKBONE, network)
    write(
        folder,
        head,
        ("a", "b", "c", "d", "e"),
        frames=FRAMES,
        backbone=backbone.spec,
        backbone_quantization="uint8",
        sampling=Sampling(frames=FRAMES, clip_s=5.0),
    )
    return folder


def frame_cost(bundle: Path, clip: Path) -> EdgeFigure:
    """A frame through resize, backbone and window logic, against the bare call of the network."""
    classifier, network = Classifier(open_bundle(bundle)), Network(bundle / BACKBONE)
    frames = sample_frames(clip, FRAMES)
    pictures = preprocess(frames, classifier.report.backbone.preprocessing)
    windows = Windows(classifier, 0.2, hop_s=1e6)

    def told(number: int) -> Told:
        header = Header(kind="frame", times_s=(number * 0.2,), shape=frames[number].shape)
        return Told(header, frames[number])

    def whole() -> None:
        windows.clear()
        windows._since = -(10**9)  # the head is not part of this figure
        for number in range(FRAMES):
            list(windows.add(told(number)))

    def bare() -> None:
        for picture in pictures:
            network(picture[None])

    return EdgeFigure("a frame: resize, backbone, window / bare call", ratio(whole, bare), "x", "<= 1.15x")


class BareClip:
    """What a clip costs at least: decoding, resizing, calls of both networks, one thread."""

    def __init__(self, bundle: Path) -> None:
        """Load the networks."""
        report = open_bundle(bundle).report
        self._network, self._head = Network(bundle / BACKBONE), Network(bundle / "head.tflite")
        self._how, self._scale = report.backbone.preprocessing, np.float32(report.backbone.scale)

    def __call__(self, clip: Path) -> None:
        """From the file to the scores."""
        with av.open(str(clip)) as container:
            stream = container.streams.video[0]
            stream.thread_count = 1
            wanted = {round(n) for n in np.linspace(0, stream.frames - 1, FRAMES)}
            images = [
                frame.to_ndarray(format="rgb24")
                for number, frame in enumerate(container.decode(stream))
                if number in wanted
            ]
        codes = [self._network(preprocess(image[None], self._how)).reshape(-1) for image in images]
        codes += [codes[-1]] * (FRAMES - len(codes))
        self._head((np.stack(codes).astype(np.float32) * self._scale)[None])


def clip_cost(bundle: Path, clip: Path) -> EdgeFigure:
    """A clip from the file to its label, against decoding, resizing and calls alone."""
    classifier, bare = Classifier(open_bundle(bundle)), BareClip(bundle)
    found = ratio(lambda: classifier.classify(clip), lambda: bare(clip))
    return EdgeFigure("a clip to its label / bare work, one core", found, "x", "<= 1.25x")


def two_cores(bundle: Path, clip: Path) -> EdgeFigure:
    """A clip from the file to its label, with one thread against two."""
    opened = open_bundle(bundle)
    one, two = Classifier(opened), Classifier(opened, threads=2)
    found = ratio(lambda: one.classify(clip), lambda: two.classify(clip))
    return EdgeFigure("a clip to its label, one core / two", found, "x", ">= 1.7x")


def many_clips(bundle: Path, clips: Sequence[Path]) -> EdgeFigure:
    """The rate of one `classify` of many clips, start included, against bare work in two processes."""
    opened = open_bundle(bundle)
    with ProcessPoolExecutor(2, get_context("spawn"), _load_bare, (bundle,)) as pool:
        list(pool.map(_bare, clips[:4]))  # both are loaded

        def whole() -> None:
            list(classify_all(opened, clips, cpus=2, threads=1))

        found = ratio(lambda: list(pool.map(_bare, clips)), whole, rounds=3)
    return EdgeFigure(f"rate of {len(clips)} clips in one call / bare, two cores", found, "x", ">= 0.9")


_bare_work: BareClip | None = None  # of a process


def _load_bare(bundle: Path) -> None:
    global _bare_work
    _bare_work = BareClip(bundle)


def _bare(clip: Path) -> None:
    assert _bare_work
    _bare_work(clip)


def watch_memory(bundle: Path, folder: Path, minutes: float) -> list[EdgeFigure]:
    """Memory of `watch` and its reading process, on a 640x480 video of 25 frames a second."""
    video = write_video(folder / "camera.mp4", minutes)
    command = [
        sys.executable,
        "-c",
        "from reelflow.cli import main; main()",
        "watch",
        str(bundle),
        str(video),
    ]
    with subprocess.Popen([*command, "--on", "0.01"], stdout=subprocess.DEVNULL) as process:
        found: list[float] = []
        while process.poll() is None:
            found.append(memory_mb(process.pid))
            time.sleep(0.5)
    assert process.returncode == 0
    found = [mb for mb in found if mb]
    tenth = max(1, len(found) // 10)
    growth = float(np.median(found[-2 * tenth : -tenth]) - np.median(found[tenth : 2 * tenth]))
    return [
        EdgeFigure(f"watch, {minutes:.0f} min of 640x480 at 25 fps: memory", max(found), "MB", "<= 150 MB"),
        EdgeFigure("watch: growth from the second tenth to the ninth", growth, "MB", "flat"),
    ]


def write_video(video: Path, minutes: float) -> Path:
    """640x480 at 25 frames a second, of noise that moves."""
    chance = np.random.default_rng(1)
    scene = chance.integers(0, 256, (480, 640, 3), np.uint8)
    with av.open(str(video), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "40"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for number in range(int(minutes * 60 * 25)):
            picture = np.roll(scene, 2 * number, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return video


def memory_mb(pid: int) -> float:
    """Memory of a process and its children; what they share counts once."""
    total = 0
    try:
        tasks = Path(f"/proc/{pid}/task").glob("*/children")  # a thread has started it
        for one in (str(pid), *(child for task in tasks for child in task.read_text().split())):
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    except OSError:  # one has ended
        return 0.0
    return total / 1000


def first_answer(folder: Path) -> list[EdgeFigure]:
    """From the start of the command to its end, for a clip of two seconds; against its libraries alone."""
    from tests.bundles import write_clip, write_small_bundle

    write_small_bundle(folder / "small")
    clip = write_clip(folder / "clip.mp4", frames=50)
    command = [sys.executable, "-c", "from reelflow.cli import main; main()", "classify"]
    commands = ([*command, str(folder / "small"), str(clip)], [sys.executable, "-c", LIBRARIES])
    own, bare = least_seconds(
        [partial(subprocess.run, one, check=True, capture_output=True) for one in commands]
    )
    return [
        EdgeFigure(f"start to first answer, thumbnail, least of {ROUNDS}", own, "s", "<= 0.5 s"),
        EdgeFigure("the same / the imports of its libraries", own / bare, "x", "measured"),
    ]


def install_size() -> list[EdgeFigure]:
    """Bytes of the packages of the base install."""
    return [EdgeFigure(f"installed: {name}", _installed_mb(name), "MB", "measured") for name in BASE]


def _installed_mb(name: str) -> float:
    files = (Path(str(file.locate())) for file in distribution(name).files or ())
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def ratio(whole: Callable[[], object], bare: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Least time of one by the least of the other, measured in turns."""
    own, other = least_seconds([whole, bare], rounds)
    return own / other


def least_seconds(works: Sequence[Callable[[], object]], rounds: int = ROUNDS) -> list[float]:
    """The least time of each, measured in turns."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, kept in zip(works, times, strict=True):
            started = time.perf_counter()
            work()
            kept.append(time.perf_counter() - started)
    return [min(kept) for kept in times]


if __name__ == "__main__":
    run_command(main)
