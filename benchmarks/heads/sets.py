"""The real sets, and their features by the product's own steps."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.accuracy import BACKBONE, ROOT
from components.dataset.step import run as run_dataset
from components.features.step import run as run_features
from components.frames.step import run as run_frames
from components.training.folds import FoldRows, fold_rows
from reelflow.errors import ParamsError
from reelflow.nets.examples import Examples, load_examples
from reelflow.params import Params, load_params
from reelflow.settings import Settings
from reelflow.splitting.protocols import read_protocol
from reelflow.steps import perform

SETS = ("ucf101", "ut_interaction", "surveillance_fight")
FOLDS = 3
PROTOCOL = f"group_kfold({FOLDS})"  # each clip is tested once; few folds, because a large head learns slowly
RECIPE = {"learning_rate": 0.001, "epochs": 40, "patience": 10, "motion": False}  # the rest is large's


@dataclass(frozen=True)
class ClipSet:
    """A set of clips, embedded and cut into folds."""

    name: str
    examples: Examples
    folds: tuple[FoldRows, ...]


def params_of(name: str, data: Path, units: int, seed: int, backbone: str = BACKBONE) -> Params:
    """params.large.yaml with the values of this benchmark."""
    return load_params(ROOT / "params.large.yaml").with_values(
        dataset={"source": str(data / "clips" / name), "drop_small_classes": True},
        features={"backbones": [backbone], "weights": str(data / "weights")},
        training={"heads": ["gru"], "units": units, "seed": seed, **RECIPE},
        evaluation={"protocol": PROTOCOL},
    )


def embedded(name: str, data: Path, out: Path, backbone: str = BACKBONE) -> ClipSet:
    """Split and embed a set of clips; what an earlier run has computed is reused.

    Raises:
        ParamsError: there is no such set.
    """
    source = data / "clips" / name
    if not source.is_dir():
        raise ParamsError(f"{source} is no folder: name the one with clips/ and weights/ (--data)")
    params, links = params_of(name, data, 1, 1, backbone), out / "links" / f"heads_{name}"
    run = partial(
        perform, settings=Settings().model_copy(update={"work": out, "events": out / "events.jsonl"})
    )
    dataset, frames = {"dataset": links / "dataset"}, {"frames": links / "frames"}
    features = {"features": links / "features"}
    run(run_dataset, params.dataset, inputs={"source": source}, output=dataset)
    run(run_frames, params.frames, inputs=dataset, output=frames)
    inputs = dataset | frames | ({"weights": data / "weights"} if backbone == BACKBONE else {})
    run(run_features, params.features, options={"backbone": backbone}, inputs=inputs, output=features)
    examples, clips = load_examples(links / "dataset", links / "features")
    return ClipSet(name, examples, tuple(fold_rows(examples, clips, read_protocol(PROTOCOL))))
