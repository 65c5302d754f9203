"""Size, training time and speed of the networks: published beside those of this run."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.studies.comparison.tables import Row, Table, text
from pipelines.studies.study_b.published import NETWORKS, OURS
from pipelines.studies.study_b.speed import Speed
from pipelines.studies.ucf101.cuts import OFFICIAL, RANDOM, Cuts
from pipelines.studies.ucf101.results import Pair
from pipelines.studies.ucf101.times import NO_TIME, TrainingTime

FLOAT32_BYTES = 4
MEGABYTE = 1e6
NOT_RUN = "not run"
REUSED = "{cut}: an earlier run had finished the training, so that its time is not known"
ONE_EPOCH = "{cut}: no two epochs followed each other in one attempt, so that an epoch's time is not known"


@dataclass(frozen=True)
class Costs:
    """What was measured beside the accuracies.

    Attributes:
        times: of the trainings, by cut.
        speeds: of the networks, or why there is none.
    """

    times: Mapping[str, Mapping[Pair, TrainingTime]]
    speeds: Mapping[Pair, Speed | str]


def published_table() -> Table:
    """The study's table as it stands there, and videos a second, which follow from it."""
    rows = tuple(
        (
            *(one.name, one.classifier, text(one.accuracy), _whole(one.size_mb)),
            *(_whole(one.epoch_minutes), _whole(one.training_minutes)),
            *(text(one.clips_per_s, 2), _whole(one.clips_a_video), text(one.videos_per_s, 2)),
        )
        for one in NETWORKS
    )
    header = (
        *("network", "classifier", "accuracy", "size_mb", "epoch_minutes_six_gtx1080ti"),
        *("training_minutes_six_gtx1080ti", "clips_per_s_gtx1080ti", "clips_a_video", "videos_per_s_derived"),
    )
    return Table("published", header, rows)


def training_table(cuts: Cuts, costs: Costs) -> Table:
    """Parameters, float32 size, epochs and seconds; one line a network, both cuts."""
    rows = tuple(_training_row(pair, cuts, costs) for pair in shown_pairs(cuts))
    cut_names = (OFFICIAL, RANDOM)
    header = (
        *("backbone", "head", "parameters", "size_mb_published", "size_mb"),
        *(f"epochs_{cut}" for cut in cut_names),
        *("epoch_s_published", *(f"epoch_s_{cut}" for cut in cut_names)),
        *("training_s_published", *(f"training_s_{cut}" for cut in cut_names)),
        "why_empty",
    )
    return Table("cost", header, rows)


def shown_pairs(cuts: Cuts) -> tuple[Pair, ...]:
    """The study's networks, then what else was run."""
    return tuple(dict.fromkeys((*OURS, *cuts.pairs)))


def _training_row(pair: Pair, cuts: Cuts, costs: Costs) -> Row:
    theirs, ours = OURS.get(pair), cuts.official.by_pair.get(pair)
    parameters = ours.report.training.parameters if ours else None
    size_mb = parameters * FLOAT32_BYTES / MEGABYTE if parameters else None
    trained = {cut: results.by_pair.get(pair) for cut, results in cuts.by_name.items()}
    epochs = {cut: one.report.training.epochs_run for cut, one in trained.items() if one}
    times = {cut: costs.times[cut][pair] for cut in epochs}
    both = (OFFICIAL, RANDOM)
    return (
        *(*pair, _whole(parameters), _whole(theirs.size_mb if theirs else None), text(size_mb, 2)),
        *(_whole(epochs.get(cut)) for cut in both),
        _seconds(theirs.epoch_minutes if theirs else None),
        *(text(times.get(cut, NO_TIME).epoch_s, 3) for cut in both),
        _seconds(theirs.training_minutes if theirs else None),
        *(text(times.get(cut, NO_TIME).total_s, 1) for cut in both),
        _why_empty(times, cuts) if ours else NOT_RUN,
    )


def _why_empty(times: Mapping[str, TrainingTime], cuts: Cuts) -> str:
    reasons = [
        (REUSED if time.total_s is None else ONE_EPOCH).format(cut=cut)
        for cut, time in times.items()
        if time.epoch_s is None
    ]
    return "; ".join([*reasons, *(["random: not run, on request"] if cuts.random is None else [])])


def inference_table(cuts: Cuts, costs: Costs) -> Table:
    """Clips and videos a second, by one clip a video and by 21."""
    rows = tuple(_inference_row(pair, costs.speeds.get(pair, NOT_RUN)) for pair in shown_pairs(cuts))
    header = (
        *("backbone", "head", "clips_per_s_published", "clips_a_video_published"),
        *("videos_per_s_published_derived", "clips_per_s_one_a_call", "clips_per_s_21_a_call"),
        *("videos_per_s_single_clip", "videos_per_s_21_clips", "machine", "why_empty"),
    )
    return Table("inference", header, rows)


def _inference_row(pair: Pair, speed: Speed | str) -> Row:
    theirs = OURS.get(pair)
    published: Row = ("",) * 3
    if theirs:
        published = text(theirs.clips_per_s, 2), _whole(theirs.clips_a_video), text(theirs.videos_per_s, 2)
    if isinstance(speed, str):
        return (*pair, *published, *("",) * 5, speed)
    single, many = speed.single_clips_per_s, speed.many_clips_per_s
    found = (text(single, 2), text(many, 2), text(single, 2), text(speed.many_videos_per_s, 2))
    return (*pair, *published, *found, speed.machine, "")


def _whole(value: int | None) -> str:
    return "" if value is None else str(value)


def _seconds(minutes: int | None) -> str:
    return "" if minutes is None else str(minutes * 60)
