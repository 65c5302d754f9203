"""The dataset step: probes, quarantines, deduplicates and splits the clips."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from components.dataset.duplicates import drop_duplicates
from components.dataset.facts import KIND
from components.dataset.generated.synthetic import generate
from components.dataset.lists.files import read_lists
from components.dataset.probing import NOTES, Probed, probe_all
from components.dataset.source.clips import RECIPES, FoundClip, FoundClips, Reading, find_clips
from components.dataset.source.reasons import commonest
from components.dataset.split import SplitResult, split_clips, tell
from components.dataset.table import write_table
from reelflow.artifacts.clips import CLIPS, data_hash, row_of, write_clips
from reelflow.charts.canvas import save
from reelflow.charts.clips import draw_clips_per_class
from reelflow.contracts import SPLITS, Clip, DatasetReport, Rejected
from reelflow.errors import ClipError, DataError
from reelflow.files import sha256_file, sha256_text, write_csv
from reelflow.objectstore.interface import ObjectStore
from reelflow.objectstore.shards import SharedShards, shared_shards
from reelflow.params import DatasetParams
from reelflow.progress import emit
from reelflow.sources.cache import SourceNote
from reelflow.splitting.splits import Member

REFUSED = "quarantined.csv"


def run(
    params: DatasetParams,
    *,
    source: Path,
    dataset: Path,
    note: Path | None = None,
    train_list: Path | None = None,
    test_list: Path | None = None,
    store: ObjectStore | None = None,
) -> DatasetReport:
    """Turn a folder of clips, or a recipe of generated ones, into a data set.

    Args:
        params: how to split.
        source: the folder or the recipe.
        dataset: the output; `dataset.json` comes last.
        note: version of a tracked or fetched source.
        train_list: where `params.split_lists.train` is; by default where params say.
        test_list: where `params.split_lists.test` is.
        store: the store of shared facts of clips.

    Raises:
        DataError: no usable clips, classes too small, or clips that contradict each other.
        ParamsError: a recipe or a split list cannot be read.
        StorageError: the disk is full or read-only.
    """
    params = _with_lists(params, train_list, test_list)
    generated = source.suffix in RECIPES
    root = dataset / "clips" if generated else source
    found = FoundClips(tuple(generate(source, root))) if generated else find_clips(source, _reading(params))
    tell(found.notes)
    usable, broken = _probe(params, root, found.clips, dataset / NOTES, shared_shards(store, KIND))
    left_out = [*found.rejected, *broken]
    with _keeping(left_out, dataset):
        if not usable:
            first = f"the first one: {broken[0].path}: {broken[0].reason}"
            raise DataError(
                f"none of {len(found.clips)} clips can be used; {first}; in all: {_reasons(broken)}"
            )
        kept, duplicates = drop_duplicates(_listed_first(params, usable))
        left_out += duplicates
        result = _split(params, found, kept, left_out)
    clips = [
        _clip(clip_file, probed, result)
        for clip_file, probed in kept.items()
        if clip_file.path in result.splits
    ]
    result = replace(result, notes=(*found.notes, *result.notes))
    origin = SourceNote.read(note) if note else _note(params, source, clips, generated=generated)
    quarantined = [*left_out, *result.rejected]
    return _write(origin, clips, quarantined, result, generated=generated, dataset=dataset)


def _with_lists(params: DatasetParams, train: Path | None, test: Path | None) -> DatasetParams:
    if not params.split_lists:
        return params
    places = {name: str(path) for name, path in {"train": train, "test": test}.items() if path}
    return params.model_copy(update={"split_lists": params.split_lists.model_copy(update=places)})


def _reading(params: DatasetParams) -> Reading:
    return Reading(params.label_folder, params.group_by_name)


def _listed_first(params: DatasetParams, usable: dict[FoundClip, Probed]) -> dict[FoundClip, Probed]:
    """The clips, those of the split lists first: of two copies the one that a list names is kept."""
    if not params.split_lists:
        return usable
    listed = read_lists(params.split_lists, (clip.path for clip in usable))
    return dict(sorted(usable.items(), key=lambda item: item[0].path not in listed))


def _split(
    params: DatasetParams, found: FoundClips, kept: Iterable[FoundClip], left_out: Iterable[Rejected]
) -> SplitResult:
    labels = {clip.path: clip.label for clip in found.clips}
    refused: defaultdict[str, list[str]] = defaultdict(list)
    for one in left_out:
        if one.path in labels:
            refused[labels[one.path]].append(one.reason)
    members = [Member(clip.path, clip.label, clip.group) for clip in kept]
    return split_clips(members, set(labels.values()), params, folders=found.splits, refused=refused)


@contextmanager
def _keeping(left_out: Sequence[Rejected], dataset: Path) -> Iterator[None]:
    """Keep the reasons in a file where the step fails: it then writes no `dataset.json`."""
    kept = dataset / REFUSED
    kept.unlink(missing_ok=True)
    try:
        yield
    except DataError as error:
        if not left_out:
            raise
        write_csv(kept, ("path", "reason"), ((one.path, one.reason) for one in left_out))
        raise DataError(f"{error}\n{kept} names the {len(left_out)} left out, with reasons") from error


def _reasons(left_out: Iterable[Rejected]) -> str:
    return commonest(one.reason for one in left_out)


def _note(params: DatasetParams, source: Path, clips: Sequence[Clip], *, generated: bool) -> SourceNote:
    """Version of a recipe or a plain folder: a hash of contents and names."""
    content = json.dumps(sorted([clip.path, clip.sha256] for clip in clips))
    version = sha256_file(source) if generated else sha256_text(content)
    return SourceNote(source=params.source, revision="", version=version)


def _probe(
    params: DatasetParams, root: Path, found: Sequence[FoundClip], notes: Path, shared: SharedShards | None
) -> tuple[dict[FoundClip, Probed], list[Rejected]]:
    """Facts of the usable clips; the others with their reasons."""
    paths = [clip_file.path for clip_file in found]
    outcomes = probe_all(root, paths, notes, params.clip_timeout_s, shared)
    usable: dict[FoundClip, Probed] = {}
    rejected: list[Rejected] = []
    for clip_file in found:
        outcome = outcomes[clip_file.path]
        if isinstance(outcome, ClipError):
            rejected.append(Rejected(path=clip_file.path, reason=str(outcome)))
        else:
            usable[clip_file] = outcome
    return usable, rejected


def _clip(clip_file: FoundClip, probed: Probed, result: SplitResult) -> Clip:
    return Clip(
        clip_id=probed.sha256[:16],
        path=clip_file.path,
        label=clip_file.label,
        group=clip_file.group,
        split=result.splits[clip_file.path],
        sha256=probed.sha256,
        size_bytes=probed.size_bytes,
        **vars(probed.facts),
    )


def _write(
    origin: SourceNote,
    clips: Sequence[Clip],
    quarantined: Sequence[Rejected],
    result: SplitResult,
    *,
    generated: bool,
    dataset: Path,
) -> DatasetReport:
    """Write the folder, its report last."""
    write_clips(clips, dataset / CLIPS)
    write_table(clips, dataset / "table.csv")
    save(draw_clips_per_class(clips), dataset / "clips_per_class.png")
    if quarantined:
        why = _reasons(quarantined)
        emit("notice", message=f"{len(quarantined)} left out; dataset.json has the reasons: {why}")
    splits = Counter(clip.split for clip in clips)
    report = DatasetReport(
        source=origin.source,
        revision=origin.revision,
        version=origin.version,
        generated=generated,
        labels=tuple(sorted({clip.label for clip in clips})),
        split_counts={split: splits[split] for split in SPLITS},
        groups=len({clip.group for clip in clips}),
        dropped_classes=result.dropped_classes,
        quarantined=tuple(quarantined),
        notes=result.notes,
        data_hash=data_hash(map(row_of, clips)),
        clips_sha256=sha256_file(dataset / CLIPS),
        metrics=_metrics(clips, len(quarantined)),
    )
    (dataset / NOTES).unlink(missing_ok=True)
    report.save(dataset)
    return report


def _metrics(clips: Sequence[Clip], quarantined: int) -> dict[str, float]:
    splits = Counter(clip.split for clip in clips)
    total_s = sum(clip.duration_s for clip in clips)
    return {
        "clips": len(clips),
        "classes": len({clip.label for clip in clips}),
        "groups": len({clip.group for clip in clips}),
        "quarantined": quarantined,
        **{f"{split}_clips": splits[split] for split in SPLITS},
        "total_duration_s": round(total_s, 3),
        "mean_duration_s": round(total_s / len(clips), 3),
    }
