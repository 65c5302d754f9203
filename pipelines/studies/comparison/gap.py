"""The finding: how much higher an accuracy is where clips of one group are on both sides of the cut."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import hypot

from pipelines.studies.comparison.tables import Row, Table, interval, text, with_ends
from pipelines.studies.ucf101.cuts import OFFICIAL, RANDOM, Cuts
from pipelines.studies.ucf101.results import ClassifierResult, Pair, Results
from reelflow.artifacts.clips import read_clips
from reelflow.contracts import Interval
from reelflow.splitting.straddling import Straddling, across_splits

Published = Mapping[Pair, Decimal]
NAMES = {OFFICIAL: "official lists", RANDOM: "random cut"}


@dataclass(frozen=True)
class Gap:
    """One classifier's accuracy on the random cut less that on the official lists."""

    value: float
    interval: Interval

    @property
    def is_beyond_noise(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.interval.low > 0 or self.interval.high < 0


def gap_between(official: ClassifierResult, random: ClassifierResult) -> Gap:
    """The gap with its 95 % interval, from those of both accuracies.

    The two are measured on different clips. Their intervals are combined as Zou and Donner do (Construction
    of confidence limits about effect measures, Statistics in Medicine 27, 2008), which takes the accuracies
    as independent.
    """
    one, other = random.interval, official.interval
    value = random.accuracy - official.accuracy
    below = hypot(random.accuracy - one.low, other.high - official.accuracy)
    above = hypot(one.high - random.accuracy, official.accuracy - other.low)
    return Gap(value, Interval(low=max(-1.0, value - below), high=min(1.0, value + above)))


def gaps(cuts: Cuts) -> dict[Pair, Gap]:
    """Of every classifier; empty if the random cut was not run."""
    if cuts.random is None:
        return {}
    return {
        pair: gap_between(result, cuts.random.by_pair[pair]) for pair, result in cuts.official.by_pair.items()
    }


def gap_table(cuts: Cuts, published: Published) -> Table:
    """Published accuracies beside ours on both cuts; those of networks that were not run come first."""
    found = gaps(cuts)
    rows = []
    for pair in dict.fromkeys((*published, *cuts.pairs)):
        ours = cuts.official.by_pair.get(pair)
        random = cuts.random.by_pair.get(pair) if cuts.random else None
        gap = found.get(pair)
        rows.append(
            (
                *(*pair, text(published.get(pair)), *measured(ours), *measured(random)),
                *((text(gap.value), *interval(gap.interval)) if gap else ("",) * 3),
                *(str(len(one.report.clip_ids)) if one else "" for one in (ours, random)),
            )
        )
    header = (
        *("backbone", "head", "published", *with_ends(OFFICIAL, RANDOM, "gap")),
        *(f"test_clips_{name}" for name in (OFFICIAL, RANDOM)),
    )
    return Table("cuts", header, tuple(rows))


def measured(result: ClassifierResult | None) -> Row:
    """An accuracy and its interval, as cells."""
    return ("",) * 3 if result is None else (text(result.accuracy), *interval(result.interval))


def groups_table(cuts: Cuts) -> Table:
    """The clips of both cuts, and groups that have some on both sides."""
    rows = []
    for name, results in cuts.by_name.items():
        counts = results.data.split_counts
        sides = (*(str(counts[split]) for split in ("train", "validation", "test")), str(results.data.groups))
        rows.append((NAMES[name], *sides, *(cell for one in straddling(results) for cell in _counts(one))))
    ends = ("groups", "clips")
    header = (
        *("cut", "train_clips", "validation_clips", "test_clips", "groups"),
        *(f"{end}_in_{where}" for where in ("test_and_rest", "validation_and_train") for end in ends),
    )
    return Table("groups_on_both_sides", header, tuple(rows))


def straddling(results: Results) -> tuple[Straddling | None, Straddling | None]:
    """Groups on both sides of the cut of the test clips, and of that of the validation clips.

    Raises:
        BundleError: the data set's table is damaged.
    """
    clips = read_clips(results.dataset)
    return across_splits(clips, {clip.path: clip.split for clip in clips})


def _counts(found: Straddling | None) -> Row:
    return (str(found.groups), str(found.clips)) if found else ("0", "0")
