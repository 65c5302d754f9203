"""The page: what was run, what is missing, and the study's tables beside ours, in Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from pipelines.studies.study_a.compare import ReportComparison, contradiction, in_words
from pipelines.studies.study_a.contrasts import published_gap
from pipelines.studies.study_a.published import (
    CLASSES,
    CLIPS,
    LARGE,
    PAIRS,
    RECURRENT,
    SINGLE,
    SMALL,
    Published,
)
from pipelines.studies.study_a.results import Difference, Results
from pipelines.studies.study_a.tables import Table
from reelflow.contracts import SPLITS
from reelflow.params import Params

CHART = "clips_per_class.png"
FEW_GROUPS = 20
NO_CELL = "-"
Tables = Mapping[str, Table]
Comparisons = Mapping[str, ReportComparison]


def write_page(
    results: Results,
    published: Published,
    tables: Tables,
    comparisons: Comparisons,
    params: Params,
    split: int,
) -> str:
    """All of it as one text. `tables` by name; those of single classes are linked, not shown."""
    sections = [
        "# Study A, reproduced",
        "Video classification with a memory- and compute-efficient CNN (2019): can a small frozen CNN with a "
        "recurrent head come close to a large one? Published figures are compared with those measured here. "
        f"Intervals are 95 %, from resampling whole groups of test clips. {NO_CELL} is not published, or "
        "not run.",
        "## What was run",
        _list(settings(results, params, split)),
        "## What to know before comparing",
        _list(caveats(results, published)),
        "## Accuracy",
        _table(tables["summary"]),
        "### Shortcut baselines",
        "A classifier that sees only a clip's metadata, and one that sees only thumbnails, on the same test "
        "clips. A model that is not clearly ahead of its baselines may have learnt the same shortcut.",
        _table(tables["baselines"]),
        "## Averages over the classes",
        _table(tables["averages"]),
        f"## Hypothesis 1: recurrent heads narrow the gap between {LARGE} and {SMALL}",
        f"Gap: accuracy of {LARGE} less that of {SMALL}. Change: the gap less that of single frames; below 0 "
        "the hypothesis holds.",
        _list(first_hypothesis(results, published)),
        _table(tables["gaps"]),
        "## Hypothesis 2: recurrent heads are better than a single frame",
        "Gain: accuracy of the head less that of single frames on the same backbone.",
        _list(second_hypothesis(results, published)),
        _table(tables["recurrent_gains"]),
        "## Backbone against backbone, class by class",
        *_comparisons(comparisons, tables["backbone_comparison"]),
        "## Per-class reports",
        _list(f"[{name}.csv]({name}.csv)" for name in tables if name.startswith("per_class_")),
        "## Data set",
        _table(tables["dataset"]),
        f"![Clips per class, stacked by duration]({CHART})",
        "## Training",
        _table(tables["training"]),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def settings(results: Results, params: Params, split: int) -> list[str]:
    """What was run, a line each."""
    counts, training = results.data.split_counts, params.training
    total = sum(counts.values())
    parts = ", ".join(f"{counts[name]} {name} ({counts[name] / total:.0%})" for name in SPLITS)
    cut = {"group": "by whole groups", "random": "clip by clip, as the study may have done"}[
        params.dataset.split
    ]
    return [
        f"UCF101, official lists of split {split}; {total} clips in {len(results.data.labels)} classes: "
        f"{parts}.",
        f"Validation clips are taken from the train list {cut}.",
        f"{len(results.by_pair)} classifiers: {', '.join(f'{b} with {h}' for b, h in results.by_pair)}; "
        f"{params.frames.count} frames a clip.",
        f"Adam, learning rate {training.learning_rate:g} / (1 + {training.decay:g} * step), dropout "
        f"{training.dropout:g}, {training.dense_units} dense units, batches of {training.batch_size}, at "
        f"most {training.epochs} epochs, stopped after {training.patience} without a better validation loss. "
        "The study gives neither batch size, nor limit, nor patience.",
    ]


def caveats(results: Results, published: Published) -> list[str]:
    """Everything that sets the figures here apart from the study's, a line each."""
    data, lines = results.data, []
    clips, classes = sum(data.split_counts.values()), len(data.labels)
    if clips < CLIPS or classes < CLASSES:
        lines.append(
            f"**This is a part of UCF101: {clips} of {CLIPS} clips, {classes} of {CLASSES} classes. The "
            "figures here cannot be compared with the published ones; they only show that the "
            "reproduction runs.**"
        )
    lines += [f"{note[0].upper()}{note[1:]}." for note in data.notes]
    if data.dropped_classes:
        lines.append(f"Classes dropped as too small to be cut: {', '.join(data.dropped_classes)}.")
    if data.quarantined:
        first = data.quarantined[0]
        lines.append(f"{len(data.quarantined)} clips left out; the first: {first.path}: {first.reason}.")
    lines += _of_classifiers(results)
    if not published.per_class:
        lines.append(
            "No folder of the study's tables was given (--reference): published averages and per-class "
            "figures, which stand there alone, are missing."
        )
    return lines


def _of_classifiers(results: Results) -> Iterator[str]:
    missing = [
        f"{backbone} with {head}" for backbone, head in PAIRS if (backbone, head) not in results.by_pair
    ]
    if missing:
        yield f"Not run, on request: {', '.join(missing)}. What needs them cannot be said here."
    added = [f"{backbone} with {head}" for backbone, head in results.by_pair if (backbone, head) not in PAIRS]
    if added:
        yield f"Not in the study: {', '.join(added)}."
    top_k = next(iter(results.by_pair.values())).report.top_k
    if top_k < 5:
        yield f"With {len(results.data.labels)} classes top-5 is top-{top_k}."
    for (backbone, head), result in results.by_pair.items():
        if not result.report.training.stopped_early:
            epochs = result.report.training.epochs_run
            yield f"{backbone} with {head} ran into the limit of {epochs} epochs: more could make it better."
    if results.test_groups < FEW_GROUPS:
        yield f"The test clips are of {results.test_groups} groups: intervals from so few are rough."


def first_hypothesis(results: Results, published: Published) -> list[str]:
    """Whether the gap between the backbones is smaller with recurrent heads."""
    single = ((LARGE, SINGLE), (SMALL, SINGLE))
    lines: list[str] = []
    for head in RECURRENT:
        pair = ((LARGE, head), (SMALL, head))
        theirs, base = published_gap(published, *pair), published_gap(published, *single)
        change = theirs - base if theirs is not None and base is not None else None
        lines += _verdicts(head, change, results.gap_difference(pair, single), wanted=-1)
    return lines


def second_hypothesis(results: Results, published: Published) -> list[str]:
    """Whether recurrent heads are ahead of a single frame."""
    lines: list[str] = []
    for backbone in dict.fromkeys((LARGE, SMALL, *(backbone for backbone, _ in results.by_pair))):
        for head in RECURRENT:
            pair = ((backbone, head), (backbone, SINGLE))
            gain, ours = published_gap(published, *pair), results.difference(*pair)
            lines += _verdicts(f"{backbone} with {head}", gain, ours, wanted=1)
    return lines


def _verdicts(what: str, theirs: Decimal | None, ours: Difference | None, *, wanted: int) -> Iterator[str]:
    """A line: published, and here."""
    said = [] if theirs is None else [f"published {theirs:+.4f}, {_holds(theirs * wanted)}"]
    if ours is None:
        said.append("here not measured: not all of it was run")
    else:
        low, high = ours.interval.low, ours.interval.high
        sure = ", beyond noise" if low > 0 or high < 0 else ", but within noise" if ours.value else ""
        between = f"(95 % interval {low:+.4f} to {high:+.4f})"
        said.append(f"here {ours.value:+.4f} {between}, {_holds(ours.value * wanted)}{sure}")
    yield f"{what}: {'; '.join(said)}."


def _holds(value: Decimal | float) -> str:
    return "it holds" if value > 0 else "no difference" if value == 0 else "it does not hold"


def _comparisons(comparisons: Comparisons, table: Table) -> Iterator[str]:
    if not comparisons:
        yield f"Needs {LARGE} and {SMALL} with the same head, here or published (--reference)."
        return
    for name, found in comparisons.items():
        yield f"### {name}"
        yield " ".join(in_words(found, LARGE, SMALL))
        yield _list(
            contradiction(f"The published report of {facts.name}", facts)
            for facts in (found.a, found.b)
            if facts.contradicts
        )
    yield _table(table)


def _list(lines: Sequence[str] | Iterator[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(table: Table) -> str:
    rows = [[name.replace("_", " ") for name in table.header], ["---"] * len(table.header), *table.rows]
    lines = ["| " + " | ".join(cell.replace("|", r"\|") or NO_CELL for cell in row) + " |" for row in rows]
    return "\n".join(lines) if table.rows else ""
