"""The documents that steps exchange.

Every step writes one output folder. Its report (`dataset.json`, `frames.json`, ...) is written last and
names the other files with their sha256. A folder with a report is therefore complete, and the hash
of the report identifies the content of the folder. Reports have no times and no absolute paths: the
same inputs give the same bytes.
"""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from reelflow.documents import Document, Report

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
MAX_ALIKE = 200  # pairs of each two splits
UNSURE = "unsure"
"""A word of devices for a clip or event whose score is too low for an answer; no class may have this name."""


class Clip(Document):
    """One usable clip, a row of `clips.parquet`. Sizes are as displayed, after rotation."""

    clip_id: str = Field(pattern=r"^[0-9a-f]{16}$", description="the start of its content's sha256")
    path: str = Field(description="relative to the clips' root, with forward slashes")
    label: str
    group: str
    split: Split
    frame_count: int = Field(ge=1, description="frames that decode; the header may differ")
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
    """One clip that was left out, with the reason."""

    path: str
    reason: str


class DatasetReport(Report):
    """`dataset.json`: a labelled data set. `clips.parquet` beside it lists the clips."""

    file_name: ClassVar[str] = "dataset.json"

    source: str = Field(description="as in params: a folder, a recipe of generated clips, or an address")
    revision: str = Field(default="", description="revision of the source: a commit, or DVC's hash")
    version: str = Field(default="", description="hash of the names and contents of the source")
    generated: bool = Field(description="the clips were made from a recipe and are in clips/ of this folder")
    labels: tuple[str, ...] = Field(description="sorted; the index of a label is its class index")
    split_counts: dict[Split, int]
    groups: int
    dropped_classes: tuple[str, ...]
    quarantined: tuple[Rejected, ...]
    notes: tuple[str, ...] = Field(
        default=(), description="how the split differs from the split lists, and groups that it cuts"
    )
    data_hash: Sha256 = Field(description="hash of every clip's content, label, group and split")
    clips_sha256: Sha256 = Field(description="of clips.parquet")

    def clips_root(self, folder: Path) -> Path:
        """Root folder of the clips; `folder` is the folder of this report."""
        return folder / "clips" if self.generated else Path(self.source)


class FrameShard(Document):
    """One tar of JPEG frames, members `<clip_id>.mjpeg`, and its index beside it."""

    file: str
    sha256: Sha256
    size_bytes: int
    index_sha256: Sha256
    clip_ids: tuple[str, ...]


class Alike(Document):
    """Two clips of different groups that look the same."""

    paths: tuple[str, str]
    splits: tuple[Split, Split]


class FramesReport(Report):
    """`frames.json`: uniformly spread frames of every clip."""

    file_name: ClassVar[str] = "frames.json"

    data_hash: Sha256
    count: int = Field(ge=1, le=1000, description="frames a clip, as a head sees them")
    oversample: Literal[1, 3, 5, 7, 9] = Field(default=1, description="frames kept for each of these")
    jpeg_quality: int
    shards: tuple[FrameShard, ...]
    quarantined: tuple[Rejected, ...]
    alike: tuple[Alike, ...] = Field(
        default=(), description="near-duplicates in different groups; of each two splits at most `MAX_ALIKE`"
    )
    stored: bool = Field(default=False, description="the shards are in an object store, not beside this file")


class Preprocessing(Document):
    """From an RGB frame to a backbone's input. The same numbers train and serve."""

    height: int = Field(ge=1, le=4096)
    width: int = Field(ge=1, le=4096)
    color: Literal["rgb", "grey"]
    centre: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="side of the square that is cut out of the middle before the resize, as a fraction of "
        "the frame's shorter side; null: the whole frame",
    )
    resize: Literal["pil-bilinear"] = Field(description="antialiased bilinear, in fixed point")
    value_range: tuple[float, float] | None = Field(
        description="float32 range that 0..255 maps to, or null for unchanged uint8"
    )


class TfliteTrunk(Document):
    """The part of a TFLite file that embeds frames; `NetworkParams` says what the fields mean."""

    file: str
    tensor: str
    window: int | None
    stride: int


class BackboneSpec(Document):
    """Input and output of a frozen CNN; feature (float32) = code * scale."""

    name: str
    preprocessing: Preprocessing
    dim: int = Field(ge=1, description="of all windows together")
    windows: int = Field(default=1, ge=1, description="parts of the picture with features of their own")
    dtype: Literal["uint8", "float16"] = Field(description="of the stored codes")
    scale: float = Field(gt=0)
    weights_sha256: Sha256 | None = Field(description="null for a backbone without weights")
    trunk: TfliteTrunk | None = Field(default=None, description="of a network that only the params describe")


class FeatureShard(Document):
    """One `.npy` of one view's codes, `(clips, frames, dim)` in C order.

    Each view is a separate file: adding a view leaves the others unchanged.
    """

    file: str
    view: str = "plain"
    sha256: Sha256
    clip_ids: tuple[str, ...]


class FeaturesReport(Report):
    """`features.json`: one backbone's codes of every frame."""

    file_name: ClassVar[str] = "features.json"

    data_hash: Sha256
    backbone: BackboneSpec
    frames: int = Field(ge=1, le=1000, description="frames a clip")
    views: tuple[str, ...] = Field(default=("plain",), description="of each clip; plain comes first")
    shards: tuple[FeatureShard, ...] = Field(description="by view; each view has the same clips, in order")
    stored: bool = Field(default=False, description="the shards are in an object store, not beside this file")


class Predictions(Document):
    """Scores of clips that the scoring model was not trained on, unless said otherwise.

    The file beside the report is `(clips, classes) float32`, probabilities.
    """

    file: str
    sha256: Sha256
    clip_ids: tuple[str, ...] = Field(description="its rows")
    truth: tuple[int, ...] = Field(description="class index of each clip")
    folds: tuple[int, ...] = Field(description="fold of each clip: an index into `folds`")

    @model_validator(mode="after")
    def _has_rows_of_three(self) -> Self:
        if not len(self.clip_ids) == len(self.truth) == len(self.folds):
            raise ValueError("clip_ids, truth and folds must all have one value per row")
        return self


class Fold(Document):
    """One train/validation/test fold of a protocol, and its result."""

    name: str
    train_clips: int
    validation_clips: int
    test_clips: int
    best_epoch: int = Field(default=1, description="1 for models without epochs")


class Baseline(Document):
    """A shortcut baseline: a classifier that sees only metadata or thumbnails of a clip."""

    name: Literal["metadata", "thumbnails"]
    scored: Predictions


class BaselinesReport(Report):
    """`baselines.json`: shortcut baselines on the same folds as every classifier of the run."""

    file_name: ClassVar[str] = "baselines.json"

    data_hash: Sha256
    protocol: str
    labels: tuple[str, ...]
    baselines: tuple[Baseline, ...]


class TrainingReport(Report):
    """`training.json`: one head, trained; the model to deploy is `model.keras` beside it.

    By `holdout` it is trained on the train clips; a linear head, which needs no early stopping, also on
    the validation clips. By any other protocol it is trained on all clips, and the scores come
    from one further model per fold: `test` holds every tested clip once, scored by the model of the
    fold that held it out.
    """

    file_name: ClassVar[str] = "training.json"

    data_hash: Sha256
    protocol: str
    folds: tuple[Fold, ...]
    validation: Predictions = Field(
        description="to calibrate scores; a linear head has scored its training clips too"
    )
    test: Predictions
    deployed: Predictions = Field(
        description="of the model to deploy, on the clips that parity is checked on"
    )
    head: str
    backbone: BackboneSpec
    frames: int
    views: tuple[str, ...] = Field(default=("plain",), description="whose scores are used")
    beside: bool = Field(
        default=False, description="the head sees all views at once; otherwise scores are averaged over views"
    )
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


class Interval(Document):
    """A 95 % interval, from resampling whole groups."""

    low: float
    high: float


class Bin(Document):
    """One bin of a reliability plot: clips whose best score is in one range."""

    clips: int
    confidence: float = Field(description="mean best score")
    accuracy: float


class Calibration(Document):
    """Calibration of the scores: fitted on validation clips, measured on test clips."""

    temperature: float = Field(gt=0, description="scores become score ** (1 / temperature), normalised")
    error_before: float = Field(description="expected calibration error of the raw scores")
    error: float = Field(description="expected calibration error of the scaled scores")
    bins: tuple[Bin, ...] = Field(description="of the scaled scores, in equal ranges from 0 to 1")
    reject_below: float = Field(ge=0, le=1, description="clips with a best score below this are rejected")
    target: float = Field(description="target accuracy of accepted clips")
    target_met: bool = Field(description="on the validation clips")
    accepted: float = Field(description="fraction of test clips")
    accepted_accuracy: float = Field(description="on the accepted test clips; 0 if there are none")


class BaselineComparison(Document):
    """A classifier against a shortcut baseline, on the same clips."""

    name: Literal["metadata", "thumbnails"]
    accuracy: float
    interval: Interval
    difference: float = Field(description="accuracy of the classifier minus that of the baseline")
    difference_interval: Interval = Field(description="by a paired group bootstrap")
    clearly_above: bool = Field(description="the interval is above 0, and McNemar's test gives p < 0.05")


class EvaluationReport(Report):
    """`evaluation.json`: one classifier on the test clips.

    Beside it: `scores.npy` `(test clips, classes) float32`, the model and the figures. `metrics`
    holds accuracy, top5_accuracy (of the first `top_k` classes), macro_f1, and
    validation_accuracy and validation_loss, by which the best candidate is selected (of linear heads alone,
    cross_validation_accuracy and cross_validation_loss): test clips are never used for selection.
    """

    file_name: ClassVar[str] = "evaluation.json"

    name: str = Field(description="<backbone>-<head>")
    data_hash: Sha256
    training: TrainingReport
    labels: tuple[str, ...]
    top_k: int
    clip_ids: tuple[str, ...] = Field(description="the rows of scores.npy")
    truth: tuple[int, ...] = Field(description="class index of each test clip")
    groups: tuple[str, ...] = Field(description="group of each test clip")
    intervals: dict[str, Interval] = Field(description="of accuracy, top5_accuracy and macro_f1")
    calibration: Calibration
    baselines: tuple[BaselineComparison, ...]
    confusion: tuple[tuple[int, ...], ...] = Field(description="rows are true classes")
    per_class: tuple[ClassScores, ...]
    averages: tuple[ClassScores, ...] = Field(description="macro and support-weighted")
    scores_sha256: Sha256
    model_sha256: Sha256


class Sampling(Document):
    """How frames are sampled from a clip."""

    frames: int = Field(ge=1, le=1000)
    method: Literal["uniform-centres"] = "uniform-centres"
    views: tuple[str, ...] = Field(default=("plain",), max_length=32)
    beside: bool = Field(
        default=False, description="the head sees all views at once; otherwise scores are averaged over views"
    )
    clip_s: float = Field(default=0.0, ge=0, description="median duration of the training clips")

    def width(self, dim: int) -> int:
        """Dimensions of a frame as input of the head, for a backbone with `dim`."""
        return dim * len(self.views) if self.beside else dim


class Parity(Document):
    """The bundle on LiteRT, from the videos, compared with the Keras model, on the stored frames.

    By `holdout` on the test clips. By any other protocol the deployed model is trained on all
    clips: parity is then checked on training clips, and the two accuracies are not estimates.
    """

    clips: int
    seen: bool = Field(default=False, description="the model was trained on these clips")
    videos: int = Field(
        default=0,
        ge=0,
        description="clips that were decoded from the video, as on a device; the others' frames are stored",
    )
    agreement: float = Field(description="fraction of clips with the same top-1")
    max_score_difference: float
    keras_accuracy: float
    litert_accuracy: float


class BundleFile(Document):
    """One file of a bundle."""

    sha256: Sha256
    size_bytes: int = Field(ge=0)


class BundleReport(Report):
    """`bundle.json`: everything that a device needs to know. The device verifies all of it.

    `SHA256SUMS` beside it covers `bundle.json`, `lineage.json` and `provenance.json`.

    Files: `head.tflite`, `backbone.tflite` unless the backbone has no weights, and golden vectors
    `golden/frames.npy` (frames, height, width, channels) uint8, preprocessed; `golden/codes.npy`
    (frames, dim), the output of the backbone; `golden/features.npy` (clips, frames, dim),
    codes; `golden/scores.npy` (clips, classes) float32, the output of the head.
    """

    file_name: ClassVar[str] = "bundle.json"

    name: str = Field(description="<backbone>-<head>")
    data_hash: Sha256
    labels: tuple[str, ...]
    sampling: Sampling
    backbone: BackboneSpec
    backbone_quantization: Literal["none", "uint8", "float32", "float16", "int8"]
    head: str
    head_quantization: Literal["float32", "float16", "dynamic", "int8"]
    accuracy: float = Field(default=0.0, description="on clips that were held out, by the evaluation")
    temperature: float = Field(default=1.0, ge=0.01, le=100, description="of `Calibration`")
    reject_below: float = Field(default=0.0, ge=0, le=1, description="of `Calibration`")
    parity: Parity
    files: dict[str, BundleFile]
    size_bytes: int = Field(description="of all files together")


class Gate(Document):
    """One condition of a promotion."""

    name: str
    found: float | None = Field(description="null: not measured")
    limit: float
    passed: bool
    why: str = Field(default="", description="why it was not measured")


class Comparison(Document):
    """Challenger against champion on the same test clips."""

    champion: str
    champion_version: int
    clips: int
    groups: int
    accuracy: float
    champion_accuracy: float
    difference: float
    difference_interval: Interval = Field(description="by a paired group bootstrap")
    only_challenger: int = Field(description="clips that only the challenger classifies correctly")
    only_champion: int = Field(description="clips that only the champion classifies correctly")
    p_value: float = Field(description="of McNemar's exact test, two-sided")
    size_ratio: float = Field(description="size of the challenger divided by that of the champion")
    champion_may_know: bool = Field(description="the champion may have been trained on these clips")
    left_out: int = Field(default=0, ge=0, description="test clips that the champion was trained on")
    class_fall: float = Field(
        default=0.0, description="largest loss of recall of a class; below 0: none fell"
    )
    fallen: str = Field(default="", description="the class of that loss")
    verdict: Literal["better", "equal", "worse"]


class ReleaseReport(Report):
    """`release.json`: the result of the registration and of the promotion gates."""

    file_name: ClassVar[str] = "release.json"

    name: str
    data_hash: Sha256
    model_name: str
    version: int = Field(description="0: the registry refused it")
    promoted: bool
    aliases: tuple[str, ...] = Field(description="that now point to this version")
    gates: tuple[Gate, ...]
    comparison: Comparison | None = Field(default=None, description="null if there is no other champion")
    explanation: str
    warnings: tuple[str, ...] = Field(default=(), description="what to know before trusting the result")
    note: str = Field(default="", description="why these params; from the params")


class SummaryRow(Document):
    """One classifier of a run, measured on the test clips."""

    backbone: str
    head: str
    accuracy: float
    accuracy_interval: Interval
    top5_accuracy: float
    macro_f1: float
    test_clips: int


class Summary(Document):
    """`summary.json`: the summary of a run."""

    rows: tuple[SummaryRow, ...] = Field(description="the chosen one first")
    chosen: str = Field(description="<backbone>-<head>, by validation accuracy")
    protocol: str
    baselines: dict[str, float] = Field(description="accuracy of each shortcut baseline")
    labels: tuple[str, ...]
    data_hash: Sha256
    parity: Parity
    promoted: bool
    explanation: str
    warnings: tuple[str, ...] = Field(default=(), description="what to know before trusting the result")
    note: str = Field(default="", description="why these params; from the params")
    seconds: dict[str, float] = Field(default={}, description="work of each task; set by the driver")
    wall_seconds: float = Field(default=0.0, description="of the last attempt; set by the driver")
