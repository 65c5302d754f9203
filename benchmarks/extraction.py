"""From clips to stored features: speed, compared with references, and how the cost grows.

Ratios are from one run on one machine; the compared programs run in turns, so that other load affects both.
More clips are made by copies, each with an extra chunk at the end, so that their content differs.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import caches
from benchmarks.straight import limit, recipe
from components.dataset.step import run as run_dataset
from components.features.step import run as run_features
from components.frames.step import run as run_frames
from reelflow.commandline import run_command
from reelflow.errors import ParamsError
from reelflow.params import Params, load_params
from reelflow.settings import Settings

SHARED = ROOT.parent / "shared" / "data"
BACKBONES = ("mobilenet_v2_quant", "thumbnail")
CORES = os.cpu_count() or 1
SIZES = (250, 500, 1000, 2000)
SAMPLE_S = 0.1


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    what: str
    against: str
    ratio: float
    reach: str
    details: str

    @property
    def row(self) -> str:
        """As Markdown."""
        return f"| {self.what} | {self.against} | {self.ratio:.2f} | {self.reach} | {self.details} |"


@dataclass(frozen=True)
class Bench:
    """Folders of the clips and weights, and of the outputs."""

    data: Path
    out: Path
    rounds: int

    @property
    def weights(self) -> Path:
        """Folder of the backbones' weights."""
        return self.data / "weights"

    def clips(self, count: int) -> Path:
        """A folder of UCF101 clips; copies differ in a last chunk that no decoder reads."""
        folder = self.out / f"clips-{count}"
        if folder.exists():
            return folder
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        originals = sorted((self.data / "clips" / "ucf101").rglob("*.avi"))
        for number in range(count):
            original = originals[number % len(originals)]
            target = partial / original.parent.name / f"{original.stem}-{number // len(originals):03d}.avi"
            target.parent.mkdir(parents=True, exist_ok=True)
            mark = f"{number:016d}".encode()
            target.write_bytes(original.read_bytes() + b"JUNK" + len(mark).to_bytes(4, "little") + mark)
        partial.rename(folder)
        return folder

    def params(self, source: Path) -> Params:
        """The default params on these clips, split clip by clip."""
        return load_params(ROOT / "params.large.yaml").with_values(
            dataset={"source": str(source), "split": "random", "drop_small_classes": True},
            features={"backbones": list(BACKBONES), "weights": str(self.weights)},
        )

    @contextmanager
    def place(self) -> Iterator[Path]:
        """An empty temporary folder."""
        folder = self.out / "work"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        yield folder
        shutil.rmtree(folder)


def speed(bench: Bench) -> list[Figure]:
    """Clips a second, compared with the straightforward script and with the limit."""
    source = bench.clips(184)
    clips = sorted(source.rglob("*.avi"))
    params = bench.params(source)
    rounds: list[dict[str, float]] = []
    with bench.place() as place:
        data = place / "dataset"
        data.mkdir()
        dataset = _seconds(lambda: run_dataset(params.dataset, source=source, dataset=data))
        for _ in range(bench.rounds):
            before = limit(clips, bench.weights).seconds(CORES)
            found = {"ours": sum(extract(params, data, place / "ours", BACKBONES[:1]).values())}
            found["limit"] = (before + limit(clips, bench.weights).seconds(CORES)) / 2  # speed drifts
            found["one"] = _seconds(lambda: recipe(clips, bench.weights, place / "straight"))
            found["two"] = _seconds(lambda: recipe(clips, bench.weights, place / "straight-2", CORES))
            rounds.append(found)
            for name in ("ours", "straight", "straight-2"):
                shutil.rmtree(place / name)
    rate = {name: len(clips) / statistics.median(found[name] for found in rounds) for name in rounds[0]}
    ours = f"{rate['ours']:.1f} clips/s"
    whole = len(clips) / (len(clips) / rate["ours"] + dataset)
    what = f"clips to stored features, {CORES} cores"

    def against(name: str) -> float:
        return statistics.median(found[name] / found["ours"] for found in rounds)

    return [
        Figure(what, "the recipe written straight", against("one"), ">= 2.2", f"{ours} to {rate['one']:.1f}"),
        Figure(what, f"the same, {CORES} workers", against("two"), "", f"{ours} to {rate['two']:.1f}"),
        Figure(
            what,
            "the machine's limit",
            against("limit"),
            ">= 0.85",
            f"{ours} to {rate['limit']:.1f}; {whole:.1f} with the dataset step, which decodes all",
        ),
    ]


def two_backbones(bench: Bench) -> list[Figure]:
    """Two backbones in one run against a run each."""
    source = bench.clips(92)
    params = bench.params(source)
    with bench.place() as place:
        (place / "dataset").mkdir()
        run_dataset(params.dataset, source=source, dataset=place / "dataset")
        both = extract(params, place / "dataset", place / "both", BACKBONES)
        each = [extract(params, place / "dataset", place / name, [name]) for name in BACKBONES]
    separate = sum(sum(one.values()) for one in each)
    together = sum(both.values())
    saved = (separate - together) / both["frames"]
    details = f"{together:.1f} s to {separate:.1f} s: {saved:.2f} of a frames step is saved"
    return [Figure("two backbones at once", "a pass each", separate / together, "decode paid once", details)]


def extract(params: Params, dataset: Path, place: Path, backbones: Sequence[str]) -> dict[str, float]:
    """Seconds of the frames step and of the features step of each backbone; nothing is shared."""
    settings, frames = Settings(), place / "frames"
    decode = partial(run_frames, params.frames, dataset=dataset, frames=frames, settings=settings)
    seconds = {"frames": _seconds(decode)}
    for name in backbones:
        embed = partial(run_features, params.features, backbone=name, frames=frames, settings=settings)
        seconds[name] = _seconds(partial(embed, features=place / name))
    return seconds


def growth(bench: Bench) -> list[Figure]:
    """Cost and memory by the number of clips."""
    costs = []
    for size in SIZES:
        params = bench.params(bench.clips(size))
        with bench.place() as place:
            spent = _steps(place, _written(params, place))
        costs.append((size, sum(one.seconds for one in spent), max(one.peak_mb for one in spent)))
    further = [
        1000 * (more - less) / (larger - smaller) for (smaller, less, _), (larger, more, _) in pairwise(costs)
    ]
    ranges = [f"{smaller} to {larger}" for smaller, larger in pairwise(SIZES)]
    steps = "; ".join(f"{span}: {cost:.0f} ms" for span, cost in zip(ranges, further, strict=True))
    peaks = [peak for *_, peak in costs]
    sizes = "; ".join(f"{size}: {seconds:.0f} s, {peak:.0f} MB" for size, seconds, peak in costs)
    return [
        Figure("cost of a further clip, most", "least", max(further) / min(further), "<= 1.10", steps),
        Figure("peak memory, most", "least", max(peaks) / min(peaks), "flat", sizes),
    ]


def again(bench: Bench) -> list[Figure]:
    """The whole pipeline over 1,000 clips, twice."""
    params = bench.params(bench.clips(1000)).with_values(
        features={"backbones": [BACKBONES[0]]},
        training={"heads": ["single_frame"], "epochs": 3},
        release={"min_accuracy": 0.0, "require_above_chance": False, "min_class_clips": 0},
    )
    with bench.place() as place:
        command = [sys.executable, "-m", "pipelines", "run", "--params", str(_written(params, place))]
        command += ["--out", str(place / "out"), "--model", "benchmark"]
        first = _watched(command, place).seconds
        told = (place / "out" / "work" / "events.jsonl").stat().st_size
        second = _watched(command, place).seconds
        steps = (place / "out" / "work" / "events.jsonl").stat().st_size - told
    details = f"{first:.1f} s to {second:.1f} s; {'no step ran' if steps == 0 else 'steps ran'}"
    return [Figure("1,000 clips, nothing changed", "the first run", first / second, "<= 3 s", details)]


def _written(params: Params, place: Path) -> Path:
    path = place / "params.yaml"
    path.write_text(json.dumps(params.model_dump(mode="json")), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Spent:
    """Time and memory of a command."""

    seconds: float
    peak_mb: float


def _steps(place: Path, params: Path) -> list[Spent]:
    """Run the steps up to features, each by its command line."""
    names = {name: place / name for name in ("dataset", "frames", "features")}
    given = {
        "dataset": [],
        "frames": ["dataset"],
        "features": ["dataset", "frames"],
    }
    spent = []
    for step, inputs in given.items():
        command = [sys.executable, "-m", f"components.{step}", "--params", str(params)]
        for name in (*inputs, step):
            command += [f"--{name}", str(names[name])]
        if step == "features":
            command += ["--backbone", BACKBONES[0]]
        spent.append(_watched(command, place))
    return spent


def _watched(command: list[str], place: Path) -> Spent:
    """Run a command; the peak is of unshared memory over the process and its children."""
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{place / 'mlflow.db'}"}
    peak, started = 0, time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        ended = threading.Event()
        watcher = threading.Thread(target=lambda: (process.wait(), ended.set()))
        watcher.start()
        while not ended.wait(SAMPLE_S):
            peak = max(peak, _unshared_bytes(process.pid))
        watcher.join()
    if process.returncode:
        raise ParamsError(f"{' '.join(command)} ended with {process.returncode}")
    return Spent(time.perf_counter() - started, peak / 1e6)


def _unshared_bytes(pid: int) -> int:
    total = 0
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for member in family:
        try:
            total += member.memory_full_info().uss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def _seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


PARTS = {
    "speed": speed,
    "two-backbones": two_backbones,
    "again": again,
    "growth": growth,
    "training": lambda bench: [Figure(*caches.training(bench.out))],
    "pull": lambda bench: [Figure(*row) for row in caches.pull(bench.out)],
}


def main(
    part: Annotated[list[str] | None, typer.Argument(help=f"Any of {', '.join(PARTS)}; all if none.")] = None,
    data: Annotated[Path, typer.Option(help="Folder with clips/ucf101 and weights/.")] = SHARED,
    out: Annotated[Path, typer.Option(help="Where work goes.")] = ROOT / "out" / "benchmarks",
    rounds: Annotated[int, typer.Option(min=1, help="Turns of what is compared.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Measure and print a table."""
    chosen = part or list(PARTS)
    if unknown := sorted(set(chosen) - set(PARTS)):
        raise ParamsError(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if not (data / "clips" / "ucf101").is_dir():
        raise ParamsError(f"{data} holds no clips/ucf101: name the folder with clips/ and weights/ (--data)")
    bench = Bench(data.absolute(), out.absolute(), rounds)
    bench.out.mkdir(parents=True, exist_ok=True)
    figures = []
    for name in chosen:
        figures += PARTS[name](bench)
        for figure in figures[-3:]:
            print(figure.row, file=sys.stderr, flush=True)
    if as_json:
        print(json.dumps([asdict(figure) for figure in figures], indent=2))
    else:
        print("| what | against | ratio | reach | |\n|---|---|---|---|---|")
        print("\n".join(figure.row for figure in figures))


if __name__ == "__main__":
    run_command(main)
