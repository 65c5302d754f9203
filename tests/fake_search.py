"""A small search: its space, and features that are made up in the place of clips."""

import shutil
from pathlib import Path

import yaml

from pipelines.sweep import trainings
from reelflow.params import Params, load_params
from reelflow.settings import Settings
from tests import fake_features
from tests.workplace import ROOT

SPACE = {
    "trials": 3,
    "startup": 1,
    "inner": "group_kfold(2)",
    "seed": 1,
    "families": {
        "linear": {"heads": ["segment_linear"], "views": [["plain"]], "training": {"segments": [2, 3]}},
        "trained": {
            "heads": ["single_frame"],
            "views": [["plain"], ["plain", "flip"]],
            "training": {
                "learning_rate": {"low": 0.001, "high": 0.01, "log": True},
                "dense_units": {"low": 4, "high": 8},
                "epochs": [1],
            },
        },
    },
}
LABELS = ("down", "up")
PROTOCOL = "group_kfold(2)"


def write_space(folder: Path, **changes: object) -> Path:
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(SPACE | changes))
    return path


def base_params(folder: Path, **training: object) -> Params:
    """Params whose clips need not be there: their features are made up."""
    return load_params(ROOT / "params.yaml").with_values(
        dataset={"source": str(folder)}, evaluation={"protocol": PROTOCOL}, training=training
    )


def made_up(
    params: Params, view_lists: tuple[tuple[str, ...], ...], work: Path, settings: Settings
) -> trainings.Prepared:
    """In place of `prepare`: 20 clips a class, in 20 groups."""
    clips = fake_features.make_clips(LABELS, {"train": 12, "validation": 4, "test": 4})
    shutil.rmtree(work / "made-up", ignore_errors=True)
    dataset = fake_features.write_dataset(work / "made-up" / "dataset", clips, LABELS)
    features = {}
    for place, views in enumerate(view_lists):
        folder = work / "made-up" / str(place)
        features["thumbnail", views] = fake_features.write_features(folder, clips, LABELS, views=views)
    return trainings.Prepared(dataset, features)
