"""The documents that cross a step's border.

Every step leaves one folder. Its report (`dataset.json`, `frames.json`, ...) is written last and
names the other files with their sha256, so that a folder with a report is a whole one, and the
report's own hash stands for the folder's content. Reports hold no times and no paths of the
machine: the same inputs give the same bytes.
"""

import json
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from reelflow.errors import BundleError
from reelflow.files import write_text

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
MAX_DOCUMENT_BYTES = 256 * 1024 * 1024


class Document(BaseModel):
    """Base of every document: frozen, strict about names, versioned."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1

    def to_json(self) -> str:
        """Stable JSON: same content, same bytes."""
        return json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True, allow_nan=False) + "\n"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a document.

        Raises:
            BundleError: missing, too large, or not of this form.
        """
        try:
            if path.stat().st_size > MAX_DOCUMENT_BYTES:
                raise BundleError(f"{path} is larger than {MAX_DOCUMENT_BYTES} bytes: not read")
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise BundleError(f"{path} is missing: the step that writes it has not finished") from error
        except OSError as error:
            raise BundleError(f"{path} cannot be read: {error.strerror}") from error
        except pydantic.ValidationError as error:
            raise BundleError(f"{path} is no valid {cls.__name__}: {error}") from error


class Report(Document):
    """What a step says of its folder.

    Attributes:
        metrics: single figures, by name.
        curves: figures an epoch, by name.
    """

    file_name: ClassVar[str]

    metrics: dict[str, float] = {}
    curves: dict[str, tuple[float, ...]] = {}

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read the report of a step's folder.

        Raises:
            BundleError: the folder is not whole.
        """
        return cls.read(folder / cls.file_name)

    def save(self, folder: Path) -> None:
        """Write the report, and with it make the folder whole.

        Raises:
            StorageError: the disk is full or read-only.
        """
        write_text(folder / self.file_name, self.to_json())


class Clip(Document):
    """One usable clip, a row of `clips.parquet`. Sizes are as displayed, after rotation."""

    clip_id: str = Field(pattern=r"^[0-9a-f]{16}$", description="the start of its content's sha256")
    path: str = Field(description="relative to the clips' root, with forward slashes")
    label: str
    group: str
    split: Split
    frame_count: int = Field(ge=1, description="frames that decode, not what the header says")
    duration_s: float = Field(ge=0)
    fps: float = Field(ge=0)
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    rotation: int = Field(description="degrees clockwise to display upright: 0, 90, 180, 270")
    codec: str
    has_audio: bool
    size_bytes: int = Field(ge=1)
    sha256: Sha256


class Rejected(Document):
    """One clip that was left out, and why."""

    path: str
    reason: str


class DatasetReport(Report):
    """`dataset.json`: the whole of a labelled data set. The clips stand in `clips.parquet`."""

    file_name: ClassVar[str] = "dataset.json"

    source: str = Field(description="as in params: a folder, or a recipe of generated clips")
    generated: bool = Field(description="the clips lie in this folder's clips/, made from a recipe")
    labels: tuple[str, ...] = Field(description="sorted; a label's place is its class index")
    split_counts: dict[Split, int]
    groups: int
    dropped_classes: tuple[str, ...]
    quarantined: tuple[Rejected, ...]
    data_hash: Sha256 = Field(description="of every clip's content, label, group and split")
    clips_sha256: Sha256 = Field(description="of clips.parquet")

    def clips_root(self, folder: Path) -> Path:
        """Where the clips lie; `folder` is the one that this report stands in."""
        return folder / "clips" if self.generated else Path(self.source)


class FrameShard(Document):
    """One tar of JPEG frames, members `<clip_id>/<index>.jpg`, and its index beside it."""

    file: str
    sha256: Sha256
    size_bytes: int
    clip_ids: tuple[str, ...]


class FramesReport(Report):
    """`frames.json`: uniformly spread frames of every clip."""

    file_name: ClassVar[str] = "frames.json"

    data_hash: Sha256
    count: int = Field(ge=1, le=1000, description="frames a clip")
    jpeg_quality: int
    shards: tuple[FrameShard, ...]
    quarantined: tuple[Rejected, ...]


class Preprocessing(Document):
    """From an RGB frame to a backbone's input. The same numbers train and serve."""

    height: int = Field(ge=1, le=4096)
    width: int = Field(ge=1, le=4096)
    color: Literal["rgb", "grey"]
    resize: Literal["pil-bilinear"] = Field(description="antialiased bilinear, in fixed point")
    value_range: tuple[float, float] | None = Field(
        description="float32 range that 0..255 maps to, or null for uint8 as it is"
    )


class BackboneSpec(Document):
    """What a frozen CNN takes and gives. feature (float32) = code * scale."""

    name: str
    preprocessing: Preprocessing
    dim: int = Field(ge=1)
    dtype: Literal["uint8", "float16"] = Field(description="of the stored codes")
    scale: float = Field(gt=0)
    weights_sha256: Sha256 | None = Field(description="null for a backbone without weights")


class FeatureShard(Document):
    """One `.npy` of codes, `(clips, frames, dim)` in C order."""

    file: str
    sha256: Sha256
    clip_ids: tuple[str, ...]


class FeaturesReport(Report):
    """`features.json`: one backbone's codes of every frame."""

    file_name: ClassVar[str] = "features.json"

    data_hash: Sha256
    backbone: BackboneSpec
    frames: int = Field(ge=1, le=1000, description="frames a clip")
    shards: tuple[FeatureShard, ...]


class TrainingReport(Report):
    """`training.json`: one head, trained; the model is `model.keras` beside it."""

    file_name: ClassVar[str] = "training.json"

    data_hash: Sha256
    head: str
    backbone: BackboneSpec
    frames: int
    labels: tuple[str, ...]
    best_epoch: int = Field(ge=1)
    epochs_run: int = Field(ge=1)
    stopped_early: bool
    seed: int
    parameters: int = Field(description="trainable parameters of the head")
    model_sha256: Sha256


class ClassScores(Document):
    """Precision, recall and F1 of one class, or an average over classes."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


class EvaluationReport(Report):
    """`evaluation.json`: one classifier on the test clips.

    Beside it: `scores.npy` `(test clips, classes) float32`, the model and the figures. `metrics`
    holds accuracy, top5_accuracy (with as many classes as top_k says), macro_f1, and
    validation_accuracy and validation_loss, by which the best of several is chosen: the test clips
    choose nothing.
    """

    file_name: ClassVar[str] = "evaluation.json"

    name: str = Field(description="<backbone>-<head>")
    data_hash: Sha256
    training: TrainingReport
    labels: tuple[str, ...]
    top_k: int
    clip_ids: tuple[str, ...] = Field(description="the rows of scores.npy")
    truth: tuple[int, ...] = Field(description="class index a test clip")
    confusion: tuple[tuple[int, ...], ...] = Field(description="rows are true classes")
    per_class: tuple[ClassScores, ...]
    averages: tuple[ClassScores, ...] = Field(description="macro and support-weighted")
    scores_sha256: Sha256
    model_sha256: Sha256


class Sampling(Document):
    """How a clip becomes frames."""

    frames: int = Field(ge=1, le=1000)
    method: Literal["uniform-centres"] = "uniform-centres"


class Parity(Document):
    """The bundle on LiteRT against the Keras model, over the whole test set."""

    clips: int
    agreement: float = Field(description="fraction of clips with the same top-1")
    max_score_difference: float
    keras_accuracy: float
    litert_accuracy: float


class BundleFile(Document):
    """One file of a bundle."""

    sha256: Sha256
    size_bytes: int = Field(ge=0)


class BundleReport(Report):
    """`bundle.json`: everything that a device needs to know, and nothing that it must trust.

    Files: `head.tflite`, `backbone.tflite` unless the backbone has no weights, and golden vectors
    `golden/frames.npy` (frames, height, width, channels) uint8, preprocessed; `golden/codes.npy`
    (frames, dim), what the backbone gives for them; `golden/features.npy` (clips, frames, dim),
    codes; `golden/scores.npy` (clips, classes) float32, what the head gives for them.
    """

    file_name: ClassVar[str] = "bundle.json"

    name: str = Field(description="<backbone>-<head>")
    data_hash: Sha256
    labels: tuple[str, ...]
    sampling: Sampling
    backbone: BackboneSpec
    backbone_quantization: Literal["none", "uint8", "float32", "float16", "int8"]
    head: str
    head_quantization: Literal["float32", "float16", "dynamic"]
    parity: Parity
    files: dict[str, BundleFile]
    size_bytes: int = Field(description="of all files together")


class Gate(Document):
    """One condition of a promotion."""

    name: str
    found: float
    limit: float
    passed: bool


class ReleaseReport(Report):
    """`release.json`: what became of the bundle in the registry."""

    file_name: ClassVar[str] = "release.json"

    name: str
    data_hash: Sha256
    model_name: str
    version: int
    promoted: bool
    aliases: tuple[str, ...] = Field(description="that point to this version now")
    gates: tuple[Gate, ...]
    explanation: str


class SummaryRow(Document):
    """One classifier of a run, measured on the test clips."""

    backbone: str
    head: str
    accuracy: float
    top5_accuracy: float
    macro_f1: float
    test_clips: int


class Summary(Document):
    """`summary.json`: a whole run at a glance."""

    rows: tuple[SummaryRow, ...] = Field(description="the chosen one first")
    chosen: str = Field(description="<backbone>-<head>, by validation accuracy")
    labels: tuple[str, ...]
    data_hash: Sha256
    parity: Parity
    promoted: bool
    explanation: str
    seconds: dict[str, float] = Field(default={}, description="of each task's own work; from the driver")
    wall_seconds: float = Field(default=0.0, description="of the whole last attempt; from the driver")
