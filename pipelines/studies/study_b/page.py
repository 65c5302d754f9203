"""The page: what was run, the finding, and the study's table beside ours, in Markdown."""

from collections.abc import Iterator, Mapping

from pipelines.studies.comparison import caveats as shared
from pipelines.studies.comparison.chart import FILE
from pipelines.studies.comparison.finding import finding
from pipelines.studies.comparison.tables import NO_CELL, Table, bullets, in_markdown, join
from pipelines.studies.study_b.published import ACCURACIES, OURS
from pipelines.studies.ucf101.choice import Asked
from pipelines.studies.ucf101.cuts import Cuts

BELIEF = (
    "The study reports 95.57 % for ConvLSTM-C2D-63 trained from scratch, and does not say by which cut. "
    "Networks of this kind trained from scratch reach 40 to 55 % on the official lists of split 1, and 90 % "
    "and more on random cuts, as read in their authors' issue trackers. So the same networks are run on both."
)
COST = (
    "Parameters: trainable ones. Size: 4 bytes each, in MB of 10^6 bytes. Seconds are of this machine, from "
    "the events of the run: a training with its reading, validation and scoring, all attempts together; an "
    "epoch is the median from the end of one to the end of the next. Published: on six GTX 1080 Ti."
)
INFERENCE = (
    "Here: forward passes of the trained Keras network as it was saved, from clips in memory to scores; the "
    "median of several calls, without decoding and resizing. Single clip: one clip a call, one clip a video. "
    "21 clips: all clips of a video in one call, as the study's P3D needs 21 a video; only its cost is "
    "measured: every accuracy on this page is by one clip a video. Published figures are of one GTX 1080 Ti."
)


def write_page(cuts: Cuts, asked: Asked, tables: Mapping[str, Table]) -> str:
    """All of it as one text; `tables` by name."""
    comparable = shared.is_comparable(cuts.official, asked)
    return join(
        [
            "# Study B, reproduced",
            "ConvLSTM-C2D residual network (2020): is a ConvLSTM a better temporal layer than the 3x1x1 "
            f"convolution of P3D? {BELIEF} Intervals are 95 %, from resampling whole groups of test clips. "
            f"{NO_CELL} is not published, not run or not measured.",
            "## What was run",
            bullets(settings(cuts, asked)),
            "## What to know before comparing",
            bullets(caveats(cuts, asked)),
            "## The finding: the official lists against a random cut",
            bullets(finding(cuts, ACCURACIES, is_comparable=comparable)),
            f"![Accuracy on both cuts]({FILE})" if cuts.random else "",
            in_markdown(tables["cuts"]),
            in_markdown(tables["groups_on_both_sides"]),
            "## Size and training",
            COST,
            in_markdown(tables["cost"]),
            "## Inference",
            INFERENCE,
            in_markdown(tables["inference"]),
            "## Shortcut baselines, on the official lists",
            "A classifier that sees only a clip's metadata, and one that sees only thumbnails, on the same "
            "test clips.",
            in_markdown(tables["baselines"]),
            "## Training, on the official lists",
            in_markdown(tables["training"]),
            "## What the study published",
            in_markdown(tables["published"]),
        ]
    )


def settings(cuts: Cuts, asked: Asked) -> list[str]:
    """What was run, a line each."""
    training = asked.params.training
    return [
        *shared.about_run(cuts, asked),
        f"Learning rate {training.learning_rate:g}, batches of {training.batch_size}, at most "
        f"{training.epochs} epochs, stopped after {training.patience} without a better validation loss. The "
        "study gives neither the limit nor the patience.",
    ]


def caveats(cuts: Cuts, asked: Asked) -> list[str]:
    """Everything that sets the figures here apart from the study's, a line each."""
    return [
        *shared.about_data(cuts.official),
        *shared.about_values(asked.changed),
        *_of_classifiers(cuts),
    ]


def _of_classifiers(cuts: Cuts) -> Iterator[str]:
    if missing := [
        f"{backbone} with {head}" for backbone, head in OURS if (backbone, head) not in cuts.pairs
    ]:
        yield f"Not run, on request: {', '.join(missing)}."
    if added := [f"{backbone} with {head}" for backbone, head in cuts.pairs if (backbone, head) not in OURS]:
        yield f"Not in the study: {', '.join(added)}."
    yield from shared.about_classifiers(cuts.official)
    if cuts.random:
        yield from shared.about_classifiers(cuts.random, where=" on the random cut")
    yield from shared.about_groups(cuts.official)
