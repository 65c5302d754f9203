"""The page: what was run, what is missing, and the study's tables beside ours, in Markdown."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from pipelines.studies.comparison import caveats as shared
from pipelines.studies.comparison.chart import FILE
from pipelines.studies.comparison.finding import finding
from pipelines.studies.comparison.tables import NO_CELL, Table, bullets, in_markdown, join
from pipelines.studies.study_a.compare import ReportComparison, contradiction, in_words
from pipelines.studies.study_a.contrasts import published_gap
from pipelines.studies.study_a.published import LARGE, PAIRS, RECURRENT, SINGLE, SMALL, Published
from pipelines.studies.ucf101.choice import Asked
from pipelines.studies.ucf101.cuts import Cuts
from pipelines.studies.ucf101.results import Difference, Results

CHART = "clips_per_class.png"
Tables = Mapping[str, Table]
Comparisons = Mapping[str, ReportComparison]


def write_page(
    cuts: Cuts, asked: Asked, published: Published, tables: Tables, comparisons: Comparisons
) -> str:
    """All of it as one text. `tables` by name; those of single classes are linked, not shown."""
    results, comparable = cuts.official, shared.is_comparable(cuts.official, asked)
    sections = [
        "# Study A, reproduced",
        "Video classification with a memory- and compute-efficient CNN (2019): can a small frozen CNN with a "
        "recurrent head come close to a large one? Published figures are compared with those measured here. "
        f"Intervals are 95 %, from resampling whole groups of test clips. {NO_CELL} is not published, or "
        "not run.",
        "## What was run",
        bullets(settings(cuts, asked)),
        "## What to know before comparing",
        bullets(caveats(cuts, asked, published)),
        "## Accuracy",
        "Here: on the official lists. Random: on a random cut of the same clips.",
        in_markdown(tables["summary"]),
        "### Shortcut baselines",
        "A classifier that sees only a clip's metadata, and one that sees only thumbnails, on the same test "
        "clips. A model that is not clearly ahead of its baselines may have learnt the same shortcut.",
        in_markdown(tables["baselines"]),
        "## The official lists against a random cut",
        bullets(finding(cuts, published.top1, is_comparable=comparable)),
        f"![Accuracy on both cuts]({FILE})" if cuts.random else "",
        in_markdown(tables["cuts"]) if cuts.random else "",
        in_markdown(tables["groups_on_both_sides"]),
        "All that follows is on the official lists.",
        "## Averages over the classes",
        in_markdown(tables["averages"]),
        f"## Hypothesis 1: recurrent heads narrow the gap between {LARGE} and {SMALL}",
        f"Gap: accuracy of {LARGE} less that of {SMALL}. Change: the gap less that of single frames; below 0 "
        "the hypothesis holds.",
        bullets(first_hypothesis(results, published)),
        in_markdown(tables["gaps"]),
        "## Hypothesis 2: recurrent heads are better than a single frame",
        "Gain: accuracy of the head less that of single frames on the same backbone.",
        bullets(second_hypothesis(results, published)),
        in_markdown(tables["recurrent_gains"]),
        "## Backbone against backbone, class by class",
        *_comparisons(comparisons, tables["backbone_comparison"]),
        "## Per-class reports",
        bullets(f"[{name}.csv]({name}.csv)" for name in tables if name.startswith("per_class_")),
        "## Data set",
        in_markdown(tables["dataset"]),
        f"![Clips per class, stacked by duration]({CHART})",
        "## Training",
        in_markdown(tables["training"]),
    ]
    return join(sections)


def settings(cuts: Cuts, asked: Asked) -> list[str]:
    """What was run, a line each."""
    training = asked.params.training
    return [
        *shared.about_run(cuts, asked),
        f"Adam, learning rate {training.learning_rate:g} / (1 + {training.decay:g} * step), dropout "
        f"{training.dropout:g}, {training.dense_units} dense units, batches of {training.batch_size}, at "
        f"most {training.epochs} epochs, stopped after {training.patience} without a better validation loss. "
        "The study gives neither batch size, nor limit, nor patience.",
    ]


def caveats(cuts: Cuts, asked: Asked, published: Published) -> list[str]:
    """Everything that sets the figures here apart from the study's, a line each."""
    lines = [
        *shared.about_data(cuts.official),
        *shared.about_values(asked.changed),
        *_of_classifiers(cuts),
    ]
    if not published.per_class:
        lines.append(
            "No folder of the study's tables was given (--reference): published averages and per-class "
            "figures, which stand there alone, are missing."
        )
    return lines


def _of_classifiers(cuts: Cuts) -> Iterator[str]:
    results = cuts.official
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
    yield from shared.about_classifiers(results)
    if cuts.random:
        yield from shared.about_classifiers(cuts.random, where=" on the random cut")
    yield from shared.about_groups(results)


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
        yield bullets(
            contradiction(f"The published report of {facts.name}", facts)
            for facts in (found.a, found.b)
            if facts.contradicts
        )
    yield in_markdown(table)
