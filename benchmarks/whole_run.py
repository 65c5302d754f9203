"""A whole run on own clips against its bare work: decoding, calls of the networks, and fits.

The bare work is a script for these clips alone. One process a CPU decodes each clip once and calls the
networks; the features stay in memory; the same heads are fitted as often. It checks, stores and evaluates
nothing. Both are timed on the same machine, one after the other.
"""

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.own_clips import SETS, SHARED, Measured, check_data, measure
from reelflow.backbones.interface import Backbone, Codes
from reelflow.backbones.registry import load_backbone
from reelflow.commandline import run_command, tell
from reelflow.nets.heads import build_head
from reelflow.nets.linear import fit_linear, summaries_of
from reelflow.params import load_params
from reelflow.settings import Settings
from reelflow.splitting.protocols import make_folds, read_protocol
from reelflow.video.decode import sample_frames
from reelflow.video.preprocess import preprocess
from reelflow.video.views import VIEWS
from reelflow.workers.cpus import granted_cpus

SMALL = load_params(ROOT / "params.small.yaml")
CLIPS_AT_ONCE = 16  # summarised


@dataclass(frozen=True)
class BareWork:
    """Seconds of decoding and calls on all CPUs, and of all fits."""

    codes_s: float
    fits_s: float


def main(
    data: Annotated[Path, typer.Option(help="Folder with clips/ and weights/.")] = SHARED,
    only: Annotated[str, typer.Option("--set", help="One set of clips alone.")] = "",
) -> None:
    """Time the whole run and its bare work on each set and print a table."""
    check_data(data)
    data = data.absolute()
    print("| set | clips | decode and calls s | fits s | bare s | whole run s | ratio |\n|" + "---|" * 7)
    for name in [only] if only else SETS:
        whole = measure(data, name)
        bare = do_bare_work(whole, data / "clips" / name, data / "weights")
        seconds = bare.codes_s + bare.fits_s
        print(
            f"| {name} | {len(whole.clips)} | {bare.codes_s:.0f} | {bare.fits_s:.0f} | {seconds:.0f} "
            f"| {whole.wall_s:.0f} | {whole.wall_s / seconds:.2f} |",
            flush=True,
        )
        steps = [f"{task} {taken_s:.0f} s" for task, taken_s in whole.summary.seconds.items()]
        tell(f"{name}: {', '.join(steps)}; the rest starts processes")


def do_bare_work(whole: Measured, source: Path, weights: Path) -> BareWork:
    """Do and time the least that the run needs: the networks and heads that it tried, on the same clips."""
    candidates = [(row.backbone, row.head) for row in whole.summary.rows]
    backbones = tuple(sorted({backbone for backbone, _ in candidates}))
    started = time.perf_counter()
    with ProcessPoolExecutor(granted_cpus(), get_context("forkserver")) as pool:
        tasks = [(source / clip.path, backbones, weights) for clip in whole.clips]
        codes = list(pool.map(_codes_of, *zip(*tasks, strict=True), chunksize=4))
    decoded = time.perf_counter()
    for backbone, head in candidates:
        place = backbones.index(backbone)
        _fit(head, [of_clip[place] for of_clip in codes], _network(backbone, weights), whole)
    return BareWork(decoded - started, time.perf_counter() - decoded)


def _codes_of(clip: Path, backbones: tuple[str, ...], weights: Path) -> list[Codes]:
    """Codes of a clip by each network, `(views, frames, dim)`."""
    frames = sample_frames(clip, SMALL.frames.count)
    found = []
    for network in (_network(name, weights) for name in backbones):
        views = [VIEWS[view](frames) for view in SMALL.features.views_of(network.spec.name)]
        found.append(
            np.stack([network.embed(preprocess(seen, network.spec.preprocessing)) for seen in views])
        )
    return found


@cache
def _network(name: str, weights: Path) -> Backbone:
    params = SMALL.features
    return load_backbone(name, str(weights), seed=params.seed, settings=Settings(), networks=params.networks)


def _fit(head: str, codes: Sequence[Codes], network: Backbone, whole: Measured) -> None:
    """Fit a head in every fold and on all clips; views are further rows of a clip."""
    clips, params, windows = whole.clips, SMALL.training, network.spec.windows
    labels = sorted({clip.label for clip in clips})
    dim = network.spec.dim // windows
    views, frames, _ = codes[0].shape
    model = build_head(head, frames=frames, dim=dim, classes=len(labels), params=params, views=windows)
    parts = [np.stack(codes[first : first + CLIPS_AT_ONCE]) for first in range(0, len(codes), CLIPS_AT_ONCE)]
    seen = (part[:, view] * np.float32(network.spec.scale) for view in range(views) for part in parts)
    rows = summaries_of(model, seen).reshape(views, len(clips), -1)
    truth = np.array([labels.index(clip.label) for clip in clips])
    groups = np.array([clip.group for clip in clips])
    tested = [
        {clip.clip_id for clip in fold.test}
        for fold in make_folds(clips, read_protocol(whole.summary.protocol))
    ]
    for held_out in [*tested, set()]:
        fitted = np.array([place for place, clip in enumerate(clips) if clip.clip_id not in held_out])
        fit_linear(
            model,
            rows[:, fitted].reshape(views * len(fitted), -1),
            np.tile(truth[fitted], views),
            groups[fitted].tolist() * views,
            params,
            params.seed,
        )


if __name__ == "__main__":
    run_command(main)
