"""What follows from runs side by side, and what does not, in sentences."""

from collections.abc import Iterator, Sequence

from pipelines.compare.side_by_side import NONE_IN_COMMON, RunColumn, RunPair, SideBySide

BY_CHANCE = 20  # comparisons of equal runs, of which about one has p < 0.05


def conclusions(found: SideBySide) -> list[str]:
    """Sentences for a person who has to choose one of the runs, the answer first."""
    return [_choice(found.pairs), *_warnings(found)]


def _choice(pairs: Sequence[RunPair]) -> str:
    compared = [pair for pair in pairs if pair.paired]
    if not compared:
        reasons = ", ".join(dict.fromkeys(pair.why for pair in pairs))
        if reasons == NONE_IN_COMMON:
            reasons = "no two of them answered the same test clips"
        return f"These runs cannot be compared: {reasons}."
    names = list(dict.fromkeys(name for pair in compared for name in (pair.a, pair.b)))
    beaten = {pair.worse for pair in compared}
    unbeaten = [name for name in names if name not in beaten]
    wins = sum(pair.better == unbeaten[0] for pair in compared) if unbeaten else 0
    if len(unbeaten) == 1 and wins == len(names) - 1:
        return f"{unbeaten[0]} is better than {_others(wins)} beyond noise."
    if len(unbeaten) == len(names):
        return (
            "None of these runs is better than another beyond noise. This does not show that they are equal: "
            "look at the intervals of the differences, then at size and time."
        )
    if not unbeaten:
        return "Each run is worse than another beyond noise: compare any two of them."
    return (
        f"No run is better beyond noise than {' or '.join(unbeaten)}. "
        f"This does not show that {'it is the best' if len(unbeaten) == 1 else 'these are equal'}."
    )


def _others(count: int) -> str:
    return "the other run" if count == 1 else f"each of the {count} others"


def _warnings(found: SideBySide) -> Iterator[str]:
    if lost := [column.run.name for column in found.columns if column.run.evaluation is None]:
        yield f"MLflow has no answers to test clips of {', '.join(lost)}: only figures, and no comparison."
    if len(_test_sets(found)) > 1:
        yield (
            "The runs were not tested on the same clips, so that their accuracies do not compare. "
            "The differences do: they are of the clips that both runs have."
        )
    for column in found.columns:
        if shortcuts := _shortcuts(column):
            yield f"{column.run.name} is not clearly better than a shortcut: {', '.join(shortcuts)}."
    count = sum(pair.paired is not None for pair in found.pairs)
    if count > 1:
        yield f"{count} comparisons: of {BY_CHANCE} between equal runs, about one has p < 0.05 by chance."


def _shortcuts(column: RunColumn) -> list[str]:
    return [one.name for one in column.baselines if not one.clearly_above]


def _test_sets(found: SideBySide) -> set[frozenset[str]]:
    """The different sets of test clips."""
    evaluations = [column.run.evaluation for column in found.columns]
    return {frozenset(one.report.clip_ids) for one in evaluations if one}
