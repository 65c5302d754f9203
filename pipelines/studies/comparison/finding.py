"""What the two cuts show, in words."""

from decimal import Decimal

from pipelines.studies.comparison.gap import NAMES, Gap, Published, gaps, straddling
from pipelines.studies.ucf101.cuts import OFFICIAL, RANDOM, Cuts
from pipelines.studies.ucf101.results import Pair, Results

NOT_RUN = "The random cut was not run, on request (--no-random-cut): the gap is not known here."


def finding(cuts: Cuts, published: Published, *, is_comparable: bool) -> list[str]:
    """What the two cuts show, a line each.

    Args:
        cuts: both runs.
        published: accuracies of the study.
        is_comparable: whether the clips are all of UCF101, and the values the study's own.
    """
    if cuts.random is None:
        return ["The random cut was not run, on request (--no-random-cut): the gap is not known here."]
    found = gaps(cuts)
    comparable = [pair for pair in published if is_comparable and pair in found]
    return [
        _in_all([*found.values()]),
        *(_of_groups(name, results) for name, results in cuts.by_name.items()),
        *(_in_words(pair, gap, cuts.official, cuts.random) for pair, gap in found.items()),
        *(_nearer(pair, published[pair], cuts.official, cuts.random) for pair in comparable),
    ]


def _in_all(found: list[Gap]) -> str:
    higher = sum(gap.value > 0 for gap in found)
    sure = sum(gap.interval.low > 0 for gap in found)
    mean = sum(gap.value for gap in found) / len(found)
    return (
        f"**The same clips and networks, cut at random, give a higher accuracy in {higher} of {len(found)} "
        f"classifiers, in {sure} beyond noise; the mean gap is {mean:+.4f}.** An accuracy on a random cut "
        "says how well clips of known recordings are recognised, not clips of new ones."
    )


def _of_groups(name: str, results: Results) -> str:
    cut, _ = straddling(results)
    tested, clips = results.data.split_counts["test"], cut.clips if cut else 0
    example = f", such as {' and '.join(cut.example)}" if cut else ""
    return (
        f"{NAMES[name].capitalize()}: {clips} of {tested} test clips have others of their group in train or "
        f"validation{example}."
    )


def _in_words(pair: Pair, gap: Gap, official: Results, random: Results) -> str:
    return (
        f"{pair[0]} with {pair[1]}: {official.by_pair[pair].accuracy:.4f} on the official lists, "
        f"{random.by_pair[pair].accuracy:.4f} on the random cut: a gap of {gap.value:+.4f} (95 % interval "
        f"{gap.interval.low:+.4f} to {gap.interval.high:+.4f}), "
        f"{'beyond' if gap.is_beyond_noise else 'within'} noise."
    )


def _nearer(pair: Pair, published: Decimal, official: Results, random: Results) -> str:
    accuracies = {OFFICIAL: official.by_pair[pair].accuracy, RANDOM: random.by_pair[pair].accuracy}
    nearest = min(accuracies, key=lambda cut: abs(float(published) - accuracies[cut]))
    return (
        f"{pair[0]} with {pair[1]}: the published {published} is nearer to ours on the {NAMES[nearest]} "
        f"({accuracies[OFFICIAL]:.4f} on the official lists, {accuracies[RANDOM]:.4f} on the random cut)."
    )
