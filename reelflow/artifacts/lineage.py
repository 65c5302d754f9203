"""The lineage of a bundle: `lineage.json` beside `bundle.json`, back to the hash of every clip.

A device does not need it, and `bundle.json` does not list it: the same networks are the same bundle on
every machine. `SHA256SUMS` covers both. The lineage identifies its bundle by the sha256 of `bundle.json`; the
hash of its clips must equal the data hash in `bundle.json`.
"""

import json
import zlib
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any, Self

from pydantic import field_serializer, field_validator

from reelflow.artifacts.clips import ClipRow, data_hash, read_clips, row_of
from reelflow.artifacts.evaluations import FEATURES, TRAINING, Candidate
from reelflow.contracts import BackboneSpec, BundleReport, DatasetReport, FeaturesReport, FramesReport, Sha256
from reelflow.documents import Document
from reelflow.errors import BundleError
from reelflow.files import sha256_file, write_text
from reelflow.provenance.step import PROVENANCE, Provenance

LINEAGE = "lineage.json"
MAX_LINEAGE_BYTES = 64 * 1024 * 1024
MAX_CLIPS_BYTES = 256 * 1024 * 1024


class Lineage(Document):
    """`lineage.json`: all steps before the conversion, which has a separate `provenance.json`."""

    bundle_sha256: Sha256
    """Of `bundle.json`."""
    dataset: DatasetReport
    clips: tuple[ClipRow, ...]
    """In the file as one text: JSON, compressed by zlib, in base64. In older files as they are here."""
    frames: dict[str, Sha256]
    """Shards of the frames step: the sha256 of each file."""
    backbone: BackboneSpec
    features: dict[str, Sha256]
    """Shards of the features step, likewise; empty if the evaluation has no list of them."""
    steps: tuple[Provenance, ...]
    """Of dataset, frames, features and training, where recorded."""

    @field_serializer("clips")
    def _packed(self, clips: tuple[ClipRow, ...]) -> str:
        return b64encode(zlib.compress(json.dumps(clips, separators=(",", ":")).encode(), 9)).decode()

    @field_validator("clips", mode="before")
    @classmethod
    def _unpacked(cls, clips: Any) -> Any:
        if not isinstance(clips, str):
            return clips
        try:
            stream = zlib.decompressobj()
            text = stream.decompress(b64decode(clips, validate=True), MAX_CLIPS_BYTES)
        except (zlib.error, ValueError) as error:
            raise ValueError(f"the clips cannot be unpacked: {error}") from error
        if not stream.eof:
            raise ValueError(f"the clips are cut off, or have more than {MAX_CLIPS_BYTES} bytes")
        return json.loads(text)

    def to_json(self) -> str:
        """Stable JSON on one line."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":")) + "\n"

    @classmethod
    def of_bundle(cls, folder: Path) -> Self:
        """Read the lineage beside a bundle.

        Raises:
            BundleError: it is missing, not a lineage, or of another bundle.
        """
        found = cls._bounded(folder / LINEAGE)
        found.check(folder)
        return found

    def check(self, folder: Path) -> None:
        """Check that this is the lineage of the bundle in a folder.

        Raises:
            BundleError: it belongs to another bundle, or has been altered.
        """
        report = BundleReport.open(folder)
        if self.bundle_sha256 != sha256_file(folder / BundleReport.file_name):
            raise BundleError(f"{folder / LINEAGE} belongs to another bundle: copy the whole folder again")
        if not data_hash(self.clips) == self.dataset.data_hash == report.data_hash:
            raise BundleError(
                f"{folder / LINEAGE} lists other clips than those that the bundle was made from (data hash "
                f"{report.data_hash[:12]}): it has been altered, copy the whole folder again"
            )

    @classmethod
    def registered(cls, path: Path, sha256: Sha256) -> Self:
        """Read the lineage of a registered version.

        Raises:
            BundleError: it has been altered.
        """
        if sha256_file(path) != sha256:
            raise BundleError(f"{LINEAGE} in the registry is not what was registered: register it again")
        return cls._bounded(path)

    @classmethod
    def _bounded(cls, path: Path) -> Self:
        if path.is_file() and path.stat().st_size > MAX_LINEAGE_BYTES:
            raise BundleError(f"{path} is larger than {MAX_LINEAGE_BYTES} bytes: not read")
        return cls.read(path)

    @property
    def shards(self) -> frozenset[Sha256]:
        """The sha256 of every shard of frames and features that the model was trained on."""
        return frozenset([*self.frames.values(), *self.features.values()])

    def step(self, name: str) -> Provenance | None:
        """The provenance of a step's output; None if not recorded."""
        return next((one for one in self.steps if one.step == name), None)


def write_lineage(bundle: Path, *, dataset: Path, frames: Path, candidate: Candidate) -> None:
    """Write the lineage of a finished bundle.

    Args:
        bundle: its folder.
        dataset: folder of the dataset step.
        frames: folder of the frames step.
        candidate: the classifier that was converted.

    Raises:
        BundleError: an input is damaged.
        StorageError: the disk is full or read-only.
    """
    own = candidate.folder
    recorded = [folder / PROVENANCE for folder in (dataset, frames, own / FEATURES, own / TRAINING)]
    features = own / FEATURES / FeaturesReport.file_name
    shards = FeaturesReport.read(features).shards if features.is_file() else ()
    lineage = Lineage(
        bundle_sha256=sha256_file(bundle / BundleReport.file_name),
        dataset=DatasetReport.open(dataset),
        clips=tuple(row_of(clip) for clip in read_clips(dataset)),
        frames={shard.file: shard.sha256 for shard in FramesReport.open(frames).shards},
        backbone=candidate.report.training.backbone,
        features={shard.file: shard.sha256 for shard in shards},
        steps=tuple(Provenance.read(path) for path in recorded if path.is_file()),
    )
    write_text(bundle / LINEAGE, lineage.to_json())
