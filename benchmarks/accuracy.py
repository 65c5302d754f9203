"""Accuracy on real clips, held out by whole groups: each recipe, a plain linear model and the baselines.

This program tunes nothing on held-out clips: recipes are fixed, penalties are selected by inner
cross-validation and epochs on validation groups. docs/accuracy.md describes how the recipes were found. In
the last line of a set, every fold selects a linear recipe by the inner cross-validation of its own
training clips.
"""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Annotated, Any

import numpy as np
import typer

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from components.baselines.step import run as run_baselines
from components.dataset.step import run as run_dataset
from components.evaluation.step import run as run_evaluation
from components.features.step import run as run_features
from components.frames.step import run as run_frames
from components.training.step import run as run_training
from reelflow.artifacts.predictions import read_predictions
from reelflow.commandline import run_command
from reelflow.contracts import EvaluationReport, Interval, TrainingReport
from reelflow.errors import ParamsError
from reelflow.nets.heads import is_linear
from reelflow.params import Params, load_params
from reelflow.settings import Settings
from reelflow.steps import perform

SHARED = ROOT.parent / "shared" / "data"
BACKBONE = "mobilenet_v2_quant"
SMALL = load_params(ROOT / "params.small.yaml")
((WIDE, WIDE_NETWORK),) = SMALL.features.networks.items()
MIRRORED = ["plain", "flip", "closer", "closer+flip", "left", "left+flip", "right", "right+flip"]
TILES = ["plain", *(f"tile_{row}{column}" for row in (1, 2, 3) for column in (1, 2, 3))]
ClipsAndWeights = Annotated[Path, typer.Option("--data", help="Folder with clips/ and weights/.")]
Cache = Annotated[Path, typer.Option("--out", help="Where features are cached.")]
LINEAR: dict[str, Any] = {"penalties": [0.003, 0.01, 0.03, 0.1, 0.3, 1]}


@dataclass(frozen=True)
class AccuracyRecipe:
    """A head and how it is trained, and what it sees: a backbone, views and frames a clip."""

    name: str
    head: str
    views: list[str] = field(default_factory=lambda: ["plain"])
    training: dict[str, Any] = field(default_factory=dict)
    backbone: str = BACKBONE
    networks: dict[str, Any] = field(default_factory=dict)
    frames: int = 25


@dataclass(frozen=True)
class Trial:
    """A recipe on a set, by a protocol, and its target accuracy."""

    clips: str
    protocol: str
    recipe: AccuracyRecipe
    reach: float | None = None


PLAIN_FIGHT = AccuracyRecipe("mean and mean change", "segment_linear", training=LINEAR | {"segments": 1})
PLAIN_UT = AccuracyRecipe("four segments", "segment_linear", training=LINEAR | {"segments": 4})
TILED = AccuracyRecipe(
    "largest change over 3x3 tiles",
    "segment_linear",
    TILES,
    LINEAR | {"segments": 1, "centered": True, "views": "beside"},
)
WINDOWED_GRU = AccuracyRecipe(
    "GRU(64) on the largest change over 32 windows",
    "gru",
    ["plain"],
    {"views": "beside", "units": 64, "dense_units": 64, "learning_rate": 0.0003}
    | {"decay": 0.001, "weight_decay": 0.01, "epochs": 60, "patience": 20},
    WIDE,
    {WIDE: WIDE_NETWORK.model_dump()},
    SMALL.frames.count,
)
SEGMENTED = AccuracyRecipe(
    "five centred segments, eight views",
    "segment_linear",
    MIRRORED,
    LINEAR | {"segments": 5, "centered": True, "views": "average"},
)
OWN: dict[str, Any] = {
    name: getattr(SMALL.training, name) for name in ("segments", "centered", "penalties", "views")
}
OWN_WINDOWS = AccuracyRecipe(
    "default: 32 windows",
    "tile_linear",
    ["plain"],
    OWN,
    WIDE,
    {WIDE: WIDE_NETWORK.model_dump()},
    SMALL.frames.count,
)
OWN_VIEWS = AccuracyRecipe(
    "default: four views", "segment_linear", list(SMALL.features.views), OWN, frames=SMALL.frames.count
)
TRIALS = (
    Trial("surveillance_fight", "group_kfold(5)", PLAIN_FIGHT),
    Trial("surveillance_fight", "group_kfold(5)", OWN_WINDOWS, reach=0.82),
    Trial("surveillance_fight", "group_kfold(5)", TILED, reach=0.80),
    Trial("surveillance_fight", "group_kfold(5)", WINDOWED_GRU, reach=0.75),
    Trial("ut_interaction", "leave_one_group_out", PLAIN_UT),
    Trial("ut_interaction", "leave_one_group_out", OWN_VIEWS, reach=0.90),
    Trial("ut_interaction", "leave_one_group_out", SEGMENTED, reach=0.90),
    Trial("ut_interaction", "cross_set(set1)", PLAIN_UT),
    Trial("ut_interaction", "cross_set(set1)", SEGMENTED, reach=0.50),
)


@dataclass(frozen=True)
class Found:
    """The result of a trial."""

    trial: Trial
    clips: int
    accuracy: float
    interval: Interval
    baselines: dict[str, float]
    clearly_above: bool
    calibration_error: float
    seconds: float
    folder: Path

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        values = {**asdict(self), "interval": [self.interval.low, self.interval.high]}
        return {name: value for name, value in values.items() if name != "folder"}


def main(
    data: ClipsAndWeights = SHARED,
    out: Cache = ROOT / "out" / "benchmarks",
    only: Annotated[str, typer.Option("--set", help="One set of clips alone.")] = "",
    recipe: Annotated[str, typer.Option(help="Recipes alone whose names begin so, as `default`.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Measure every recipe on the real clips and print a table."""
    chosen = [trial for trial in TRIALS if trial.recipe.name.startswith(recipe)]
    found = measure_all(chosen, only, data, out, sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps([one.to_json() for one in found], indent=2))
    else:
        print("\n" + "\n".join([*_table(found), "", *chosen_inside(found)]))


def measure_all(trials: Sequence[Trial], only: str, data: Path, out: Path, told: IO[str]) -> list[Found]:
    """Measure the trials on a set, or on all; say each as soon as it is known."""
    wanted = [trial for trial in trials if only in ("", trial.clips)]
    if not wanted:
        known = ", ".join(sorted({trial.clips for trial in TRIALS}))
        raise ParamsError(f"no recipe to measure on {only!r}; the sets are {known}")
    if not (data / "clips").is_dir():
        raise ParamsError(f"{data} holds no clips/: name the folder with clips/ and weights/ (--data)")
    out.mkdir(parents=True, exist_ok=True)
    data, out = data.absolute(), out.absolute()
    settings = Settings().model_copy(update={"work": out, "events": out / "events.jsonl"})
    found = []
    for trial in wanted:
        found.append(measure(trial, data, out, settings))
        print(_line(found[-1]), file=told, flush=True)
    return found


def measure(trial: Trial, data: Path, out: Path, settings: Settings) -> Found:
    """Run the steps of the pipeline up to the evaluation; finished outputs are reused."""
    started = time.perf_counter()
    params = params_of(trial, data)
    links = out / "links" / f"{trial.clips} {trial.protocol} {trial.recipe.name}".replace(" ", "_")
    source = data / "clips" / trial.clips
    names = ("dataset", "frames", "features", "baselines", "model", "evaluation")
    place = {name: links / name for name in names}
    protocol = params.evaluation.protocol
    shared = {"dataset": place["dataset"]}
    run = partial(perform, settings=settings)
    run(run_dataset, params.dataset, inputs={"source": source}, output=shared)
    stills = {"frames": place["frames"]}
    run(run_frames, params.frames, inputs=shared, output=stills)
    codes = {"features": place["features"]}
    weights = {"weights": Path(params.features.weights)}
    options = {"backbone": trial.recipe.backbone}
    run(run_features, params.features, options=options, inputs=shared | stills | weights, output=codes)
    least = {"baselines": place["baselines"]}
    run(run_baselines, params.baselines, options={"protocol": protocol}, inputs=shared | stills, output=least)
    model = {"model": place["model"]}
    how = {"head": trial.recipe.head, "protocol": protocol}
    run(run_training, params.training, options=how, inputs=shared | codes, output=model)
    output = {"evaluation": place["evaluation"]}
    run(run_evaluation, params.evaluation, inputs=shared | codes | model | least, output=output)
    return _found(trial, links, time.perf_counter() - started)


def params_of(trial: Trial, data: Path) -> Params:
    """params.large.yaml with the values of a trial."""
    recipe = trial.recipe
    return load_params(ROOT / "params.large.yaml").with_values(
        dataset={"source": str(data / "clips" / trial.clips)},
        frames={"count": recipe.frames},
        features={
            "backbones": [recipe.backbone],
            "networks": recipe.networks,
            "weights": str(data / "weights"),
            "views": recipe.views,
        },
        training={"heads": [recipe.head], **recipe.training},
        evaluation={"protocol": trial.protocol},
    )


def _found(trial: Trial, folder: Path, seconds: float) -> Found:
    report = EvaluationReport.open(folder / "evaluation")
    return Found(
        trial=trial,
        clips=len(report.truth),
        accuracy=report.metrics["accuracy"],
        interval=report.intervals["accuracy"],
        baselines={baseline.name: baseline.accuracy for baseline in report.baselines},
        clearly_above=all(baseline.clearly_above for baseline in report.baselines),
        calibration_error=report.calibration.error,
        seconds=round(seconds, 1),
        folder=folder,
    )


def _line(found: Found) -> str:
    return f"{found.trial.clips}, {found.trial.recipe.name}: {found.accuracy:.3f} in {found.seconds:.0f} s"


def _table(found: list[Found]) -> Iterator[str]:
    yield "| set | protocol | recipe | clips | accuracy | 95 % | reach | metadata | thumbnails | above | s |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for one in found:
        trial = one.trial
        verdict = "met" if one.accuracy >= (trial.reach or 0) else "MISSED"
        reach = f"{trial.reach:.2f} {verdict}" if trial.reach else ""
        yield (
            f"| {trial.clips} | {trial.protocol} | {trial.recipe.name} | {one.clips} | {one.accuracy:.3f} "
            f"| {one.interval.low:.2f} to {one.interval.high:.2f} | {reach} "
            f"| {one.baselines['metadata']:.2f} | {one.baselines['thumbnails']:.2f} "
            f"| {'yes' if one.clearly_above else 'no'} | {one.seconds:.0f} |"
        )


def chosen_inside(found: list[Found]) -> Iterator[str]:
    """Accuracy if every fold takes the linear recipe that is best on its own training clips."""
    linear = [one for one in found if is_linear(one.trial.recipe.head)]
    for place in dict.fromkeys((one.trial.clips, one.trial.protocol) for one in linear):
        recipes = [one for one in linear if (one.trial.clips, one.trial.protocol) == place]
        right = total = 0
        names = []
        judged = [(_right(one, "validation"), _right(one, "test")) for one in recipes]
        for fold in judged[0][1]:
            best = max(range(len(recipes)), key=lambda place: np.mean(judged[place][0][fold]))
            names.append(recipes[best].trial.recipe.name)
            right += int(sum(judged[best][1][fold]))
            total += len(judged[best][1][fold])
        chosen = ", ".join(f"{name} in {names.count(name)}" for name in dict.fromkeys(names))
        where = f"{place[0]}, {place[1]}, chosen inside each of {len(names)} folds"
        yield f"{where}: {right / total:.3f} ({chosen})"


def _right(one: Found, split: str) -> dict[int, list[bool]]:
    """Whether each clip is classified correctly, by fold."""
    report = TrainingReport.open(one.folder / "model")
    scored = report.validation if split == "validation" else report.test
    best = read_predictions((one.folder / "model").resolve(), scored, len(report.labels)).argmax(axis=1)
    right: dict[int, list[bool]] = {}
    for fold, found, truth in zip(scored.folds, best, scored.truth, strict=True):
        right.setdefault(fold, []).append(bool(found == truth))
    return right


if __name__ == "__main__":
    run_command(main)
