"""The table of clips, `clips.parquet`: one row per usable clip."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pydantic

from reelflow.contracts import Clip, DatasetReport, Sha256, Split
from reelflow.errors import BundleError
from reelflow.files import atomic, sha256_file, sha256_text

CLIPS = "clips.parquet"
ClipRow = tuple[Sha256, str, str, str, Split]
"""A clip's sha256, path, label, group and split."""
SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("path", pa.string()),
        ("label", pa.string()),
        ("group", pa.string()),
        ("split", pa.string()),
        ("frame_count", pa.int64()),
        ("duration_s", pa.float64()),
        ("fps", pa.float64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("rotation", pa.int32()),
        ("codec", pa.string()),
        ("has_audio", pa.bool_()),
        ("size_bytes", pa.int64()),
        ("sha256", pa.string()),
        ("schema_version", pa.int32()),
    ]
)


def write_clips(clips: Sequence[Clip], path: Path) -> None:
    """Write the table atomically; the same clips give the same bytes.

    Raises:
        StorageError: the disk is full or read-only.
    """
    table = pa.Table.from_pylist([clip.model_dump() for clip in clips], SCHEMA)
    with atomic(path) as partial:
        pq.write_table(
            table, partial, compression="zstd", use_dictionary=["label", "group", "split", "codec"]
        )


def read_clips(dataset: Path) -> list[Clip]:
    """Read the clips of a data set's folder, in the order they were written.

    Raises:
        BundleError: the folder is incomplete, or its table differs from the hash in `dataset.json`.
    """
    path = dataset / CLIPS
    expected = DatasetReport.open(dataset).clips_sha256
    try:
        if sha256_file(path) != expected:
            raise BundleError(
                f"{path} is not the table that {DatasetReport.file_name} names: run dataset again"
            )
        return [Clip.model_validate(row) for row in pq.read_table(path).to_pylist()]
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing: run the dataset step again") from error
    except (OSError, pa.ArrowException, pydantic.ValidationError) as error:
        raise BundleError(f"{path} is not a table of clips: {error}") from error


def row_of(clip: Clip) -> ClipRow:
    """A clip as a lineage lists it."""
    return clip.sha256, clip.path, clip.label, clip.group, clip.split


def data_hash(clips: Iterable[ClipRow]) -> Sha256:
    """Hash of every clip's content, label, group and split, whatever their paths and order."""
    rows = ([sha256, label, group, split] for sha256, _, label, group, split in clips)
    return sha256_text(json.dumps(sorted(rows)))
