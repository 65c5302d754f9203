"""Accuracy against what a clip costs a device, on real clips held out by whole groups.

The cost counts calls of the study's MobileNetV2 at 224x224: other sizes count by their pixels, which its time
follows. Recipes are fixed before; the last lines say what each fold chooses on its own training clips.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.accuracy import (
    BACKBONE,
    OWN,
    SHARED,
    SMALL,
    TILES,
    WIDE,
    WIDE_NETWORK,
    AccuracyRecipe,
    Cache,
    ClipsAndWeights,
    Found,
    Trial,
    chosen_inside,
    measure_all,
)
from reelflow.commandline import run_command
from reelflow.files import atomic

SQUARE = "mobilenet_v2_448x448"
SQUARE_NETWORK = WIDE_NETWORK.model_copy(update={"height": 448, "width": 448, "stride": 3})
NETWORKS = {WIDE: WIDE_NETWORK.model_dump(), SQUARE: SQUARE_NETWORK.model_dump()}
SIDE = 224  # pixels, of the plain network
FIGHT, UT = ("surveillance_fight", "group_kfold(5)"), ("ut_interaction", "leave_one_group_out")
SETS = (FIGHT, UT)


def windows(backbone: str, frames: int) -> AccuracyRecipe:
    """`tile_linear` on the windows of a network."""
    name = f"windows at {backbone.rpartition('_')[2]}, {frames} frames"
    return AccuracyRecipe(name, "tile_linear", ["plain"], OWN, backbone, NETWORKS, frames)


def views(names: list[str], frames: int) -> AccuracyRecipe:
    """`segment_linear` on views at 224x224."""
    name = f"{len(names)} view(s) at 224x224, {frames} frames"
    return AccuracyRecipe(name, "segment_linear", names, OWN, frames=frames)


RECIPES = (
    views(["plain"], 13),
    views(list(SMALL.features.views), 13),
    AccuracyRecipe("3x3 tiles at 224x224, 13 frames", "tile_linear", TILES, OWN, frames=13),
    *(windows(SQUARE, frames) for frames in (5, 9, 13)),
    *(windows(WIDE, frames) for frames in (3, 5, 7, 9, 13, 25)),
)
TRIALS = tuple(Trial(*place, recipe) for place in SETS for recipe in RECIPES)


def main(
    data: ClipsAndWeights = SHARED,
    out: Cache = ROOT / "out" / "benchmarks",
    only: Annotated[str, typer.Option("--set", help="One set of clips alone.")] = "",
    picture: Annotated[Path | None, typer.Option(help="Draw the curve into this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Measure every recipe on the real clips; print a table and draw the curve."""
    found = measure_all(TRIALS, only, data, out, sys.stderr if as_json else sys.stdout)
    if picture:
        draw(found, picture)
    if as_json:
        print(json.dumps([one.to_json() | {"calls": calls(one.trial.recipe)} for one in found], indent=2))
    else:
        print("\n" + "\n".join([*_table(found), "", *chosen_inside(found)]))


def calls(recipe: AccuracyRecipe) -> float:
    """What a clip costs, in calls of the plain network."""
    pixels = SIDE * SIDE
    if recipe.backbone != BACKBONE:
        network = NETWORKS[recipe.backbone]
        pixels = network["height"] * network["width"]
    return recipe.frames * len(recipe.views) * pixels / SIDE**2


def draw(found: list[Found], path: Path) -> None:
    """One panel a set: accuracy with its 95 % interval against calls a clip, one line a kind of recipe."""
    from matplotlib.figure import Figure

    figure = Figure((9, 4.3), layout="constrained")
    sets = list(dict.fromkeys(one.trial.clips for one in found))
    for panel, name in zip(figure.subplots(1, len(sets), sharey=True, squeeze=False)[0], sets, strict=True):
        for kind, points in _kinds([one for one in found if one.trial.clips == name]).items():
            points.sort(key=lambda one: calls(one.trial.recipe))
            accuracy = [one.accuracy for one in points]
            ends = [[one.accuracy - one.interval.low, one.interval.high - one.accuracy] for one in points]
            panel.errorbar(
                [calls(one.trial.recipe) for one in points],
                accuracy,
                list(zip(*ends, strict=True)),
                marker="o",
                capsize=2,
                linewidth=1,
                label=kind,
            )
        panel.set(title=name, xlabel="backbone calls a clip", xscale="log")
        panel.set_xticks([13, 26, 52, 104], ["13", "26", "52", "104"], minor=False)
        panel.minorticks_off()
        panel.grid(visible=True, alpha=0.3)
    figure.axes[0].set_ylabel("accuracy, held-out groups")
    figure.legend(
        *figure.axes[-1].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize="small"
    )
    with atomic(path) as partial:
        figure.savefig(partial, format=path.suffix[1:], dpi=120)


def _kinds(found: list[Found]) -> dict[str, list[Found]]:
    kinds: dict[str, list[Found]] = {}
    for one in found:
        kinds.setdefault(one.trial.recipe.name.rpartition(",")[0], []).append(one)
    return kinds


def _table(found: list[Found]) -> Iterator[str]:
    yield "| set | recipe | calls a clip | accuracy | 95 % | s |\n|" + "---|" * 6
    for one in sorted(found, key=lambda one: (one.trial.clips, calls(one.trial.recipe))):
        yield (
            f"| {one.trial.clips} | {one.trial.recipe.name} | {calls(one.trial.recipe):.0f} "
            f"| {one.accuracy:.3f} | {one.interval.low:.2f} to {one.interval.high:.2f} | {one.seconds:.0f} |"
        )


if __name__ == "__main__":
    run_command(main)
