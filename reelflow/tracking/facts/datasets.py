"""The clips of a run as MLflow's data sets: one for training, validation and test each."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from reelflow.artifacts.clips import read_clips
from reelflow.contracts import Clip, DatasetReport
from reelflow.sources.address import GitPath, S3Prefix, parse_source

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

CONTEXT = "mlflow.data.context"  # MLFLOW_DATASET_CONTEXT of mlflow.utils.mlflow_tags
DIGEST_LENGTH = 32  # MAX_DATASET_DIGEST_SIZE of mlflow.utils.validation is 36
CONTEXTS = {"train": "training", "validation": "validation", "test": "test"}


def dataset_inputs(report: DatasetReport, dataset: Path) -> "list[DatasetInput]":
    """One input for each part of the split that has clips.

    A data set is known by its name and digest: a store keeps equal ones once, so that a filter finds all
    runs on them.

    Args:
        report: of the data set.
        dataset: its folder.

    Raises:
        BundleError: the folder is incomplete.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    name, kind, source = _source(report)
    clips = read_clips(dataset)
    inputs = []
    for split, context in CONTEXTS.items():
        part = [clip for clip in clips if clip.split == split]
        if part:
            data = Dataset(
                name=f"{name} {context}",
                digest=report.data_hash[:DIGEST_LENGTH],
                source_type=kind,
                source=json.dumps(source),
                profile=json.dumps(_profile(part)),
            )
            inputs.append(DatasetInput(data, [InputTag(CONTEXT, context)]))
    return inputs


def _source(report: DatasetReport) -> tuple[str, str, dict[str, str]]:
    """A name for people, MLflow's kind of the source, and where the clips are."""
    address = parse_source(report.source)
    facts = {"uri": report.source, "revision": report.revision, "version": report.version}
    known = {name: value for name, value in facts.items() if value}
    if isinstance(address, S3Prefix):
        return address.prefix.rstrip("/").rpartition("/")[2] or address.bucket, "s3", known
    if isinstance(address, GitPath):
        return address.path.rstrip("/").rpartition("/")[2] or "clips", "git", known
    return Path(report.source).stem or "clips", "local", known


def _profile(clips: list[Clip]) -> dict[str, object]:
    """Counts that people ask for first."""
    classes = Counter(clip.label for clip in clips)
    return {
        "clips": len(clips),
        "groups": len({clip.group for clip in clips}),
        "classes": dict(sorted(classes.items())),
        "hours": round(sum(clip.duration_s for clip in clips) / 3600, 4),
    }
