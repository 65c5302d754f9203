"""Runs a study on the official lists and on a random cut of the same clips, by the same pipeline.

Groups of UCF101 hold clips of one recording. The official lists keep a group on one side; a random cut puts
clips of it on both, so that a classifier is tested on what it nearly knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pipelines.local.driver import run_local
from pipelines.studies.ucf101.choice import Asked
from pipelines.studies.ucf101.random_lists import write_lists
from pipelines.studies.ucf101.results import Pair, Results, read_results
from pipelines.studies.ucf101.weights import check_weights
from reelflow.artifacts.clips import read_clips
from reelflow.errors import StorageError
from reelflow.nets.candidates import candidates
from reelflow.nets.heads import check_heads
from reelflow.objectstore.open import NO_STORE
from reelflow.params import Params
from reelflow.settings import Settings

OFFICIAL, RANDOM = "official", "random"
"""Folders of the two runs."""
LISTS = "random-lists"


@dataclass(frozen=True)
class Cuts:
    """The results of both runs; `random` is None if it was left out on request."""

    official: Results
    random: Results | None = None

    @property
    def by_name(self) -> Mapping[str, Results]:
        """What was run."""
        return {OFFICIAL: self.official} | ({RANDOM: self.random} if self.random else {})

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """What was run, backbone and head."""
        return tuple(self.official.by_pair)


def run_cuts(asked: Asked, out: Path, page: Path, console: Console, settings: Settings) -> Cuts:
    """Run or resume both runs, in two folders of `out`.

    Frames and features depend on the clips alone. The second run finds them in the store of shared shards;
    without a store (`REELFLOW_STORE=none`) one in `out` is used.

    Args:
        asked: the params, and whether the random cut is run.
        out: the folder of the runs.
        page: what will be written from them, in a folder of its own.
        console: where progress is shown.
        settings: of the runs.

    Raises:
        StorageError: the folder of the page holds something else.
        WeightsError: a backbone's weights are missing; before anything runs.
        ReelflowError: a step failed.
    """
    if page.parent.exists() and not page.is_file():
        raise StorageError(
            f"{page.parent} is not an output of this command and is left unchanged: choose another folder "
            "(--out)"
        )
    params = asked.params
    check_heads(params.training.heads)
    check_weights(params.features.backbones, params.features.weights, settings)
    settings = _with_store(settings, out)

    def run(name: str, values: Params) -> Results:
        run_local(values, out / name, console, settings)
        return read_results(out / name / "work", candidates(values), values.evaluation)

    official = run(OFFICIAL, params)
    if not asked.random:
        return Cuts(official)
    return Cuts(official, run(RANDOM, on_random_cut(params, official.dataset, out)))


def on_random_cut(params: Params, dataset: Path, out: Path) -> Params:
    """The params of a random cut of the clips of a data set.

    Its models have a name of their own in the registry: they were not measured on the same clips.

    Raises:
        StorageError: the disk is full or read-only.
    """
    lists = write_lists(read_clips(dataset), params.dataset.seed, out / LISTS)
    return params.with_values(
        dataset={"split": "random", "split_lists": {**lists, "incomplete": "refuse"}},
        release={"model_name": f"{params.release.model_name}-random-cut"},
    )


def _with_store(settings: Settings, out: Path) -> Settings:
    if settings.store != NO_STORE:
        return settings
    return settings.model_copy(update={"store": str(out.absolute() / "store")})
