"""Everything that sets a run apart from a study on all of UCF101, a line each."""

from collections.abc import Iterator, Sequence
from typing import Any

from pipelines.studies.ucf101.choice import Asked
from pipelines.studies.ucf101.cuts import Cuts
from pipelines.studies.ucf101.results import Results
from reelflow.contracts import SPLITS
from reelflow.params import Params

OF_THE_MACHINE = ("dataset.source", "dataset.split_lists", "features.weights", "release")
SAID_ELSEWHERE = ("dataset.split", "features.backbones", "training.heads")
CLIPS, CLASSES = 13_320, 101
FEW_GROUPS = 20


def changes(params: Params, own: Params) -> tuple[str, ...]:
    """Values that are not the study's own, such as `training.epochs 12 (100)`; paths and names are left out.

    Args:
        params: those of a run.
        own: those of the study's params file.
    """
    left_out = (*OF_THE_MACHINE, *SAID_ELSEWHERE)
    theirs, ours = (_flat(one.model_dump(mode="json")) for one in (own, params))
    return tuple(
        f"{name} {ours.get(name)} ({theirs.get(name)})"
        for name in dict.fromkeys((*theirs, *ours))
        if theirs.get(name) != ours.get(name) and not name.startswith(left_out)
    )


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, object]:
    """Nested values by dotted names."""
    found: dict[str, object] = {}
    for name, value in values.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def about_values(changed: Sequence[str]) -> Iterator[str]:
    """Values that are not the study's own."""
    if changed:
        yield f"**Other values than the study's, which are in brackets: {', '.join(changed)}.**"


def is_whole(results: Results) -> bool:
    """Whether the clips are all of UCF101."""
    return sum(results.data.split_counts.values()) >= CLIPS and len(results.data.labels) >= CLASSES


def is_comparable(results: Results, asked: Asked) -> bool:
    """Whether published figures can be set against those of a run: the same clips and values."""
    return is_whole(results) and not asked.changed


def about_run(cuts: Cuts, asked: Asked) -> list[str]:
    """Clips, cuts and classifiers of a run, a line each."""
    return [
        _clips_in_words(cuts.official, asked.split),
        _validation_in_words(asked.params),
        _random_in_words(was_run=cuts.random is not None),
        f"{len(cuts.pairs)} classifiers: {', '.join(f'{b} with {h}' for b, h in cuts.pairs)}; "
        f"{asked.params.frames.count} frames a clip.",
    ]


def _clips_in_words(results: Results, split: int) -> str:
    """The lists, and how many clips each part has."""
    counts = results.data.split_counts
    total = sum(counts.values())
    parts = ", ".join(f"{counts[name]} {name} ({counts[name] / total:.0%})" for name in SPLITS)
    return (
        f"UCF101, official lists of split {split}; {total} clips in {len(results.data.labels)} classes: "
        f"{parts}."
    )


def _validation_in_words(params: Params) -> str:
    """How the validation clips of the official cut are taken."""
    cut = {"group": "by whole groups", "random": "clip by clip, as the study may have done"}
    return f"Validation clips are taken from the train list {cut[params.dataset.split]}."


def _random_in_words(*, was_run: bool) -> str:
    """What the random cut is."""
    if not was_run:
        return "The random cut was not run, on request (--no-random-cut)."
    return (
        "Random cut: the same clips; of each class as many test clips as the official lists have, drawn clip "
        "by clip; validation clips are drawn in the same way. Frames, features, params and code are the same."
    )


def about_data(results: Results) -> Iterator[str]:
    """What is missing of the clips."""
    data = results.data
    clips, classes = sum(data.split_counts.values()), len(data.labels)
    if not is_whole(results):
        yield (
            f"**This is a part of UCF101: {clips} of {CLIPS} clips, {classes} of {CLASSES} classes. The "
            "figures here cannot be compared with the published ones; they only show that the "
            "reproduction runs.**"
        )
    yield from (f"{note[0].upper()}{note[1:]}." for note in data.notes)
    if data.dropped_classes:
        yield f"Classes dropped as too small to be cut: {', '.join(data.dropped_classes)}."
    if data.quarantined:
        first = data.quarantined[0]
        yield f"{len(data.quarantined)} clips left out; the first: {first.path}: {first.reason}."


def about_classifiers(results: Results, *, where: str = "") -> Iterator[str]:
    """What limits the figures.

    Args:
        results: of a run.
        where: the cut, if another one was run too.
    """
    for (backbone, head), result in results.by_pair.items():
        if not result.report.training.stopped_early:
            limit = f"the limit of {result.report.training.epochs_run} epochs{where}"
            yield f"{backbone} with {head} ran into {limit}: more could make it better."


def about_groups(results: Results) -> Iterator[str]:
    """Whether intervals are rough."""
    if results.test_groups < FEW_GROUPS:
        yield f"The test clips are of {results.test_groups} groups: intervals from so few are rough."
