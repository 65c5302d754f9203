"""Typed params.yaml: one section per step. The YAML file holds the values, this module types and bounds."""

import re
from pathlib import Path
from reprlib import Repr
from typing import Annotated, Any, ClassVar, Literal, Self

import pydantic
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    ValidationInfo,
    field_validator,
    model_validator,
)

from reelflow.errors import ParamsError
from reelflow.sources.address import parse_source
from reelflow.sources.userinfo import without_credentials
from reelflow.splitting.protocols import Protocol
from reelflow.yaml_file import read_yaml


def _differ(names: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a name that is there twice: two tasks would have it."""
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{', '.join(twice)} is named more than once; name each once")
    return names


Fraction = Annotated[float, Field(ge=0, le=1)]
LabelFolder = Literal["only", "top", "parent"]
Names = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_differ)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Size = Annotated[int, Field(ge=1, le=65536)]
Blocks = Annotated[int, Field(ge=1, le=200)]
LONGEST_MODEL = 200  # letters; MLflow's keys of params, which name a model in its journal, may have 250
PIXELS = re.compile(r"pixels(?:_([1-9][0-9]{0,8}))?")
"""Names of the backbones that give pixels, and the size that such a name tells."""
FOUND = Repr()  # a few lines of YAML can hold millions of values
FOUND.maxlevel, FOUND.maxstring, FOUND.maxother = 2, 100, 100


class Section(BaseModel):
    """Base of every section: frozen, rejects unknown names.

    Attributes:
        unrolled: the list that is unrolled into one task per item; a task depends only on its own item.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    unrolled: ClassVar[str] = ""

    @field_validator("*", mode="before")
    @classmethod
    def _is_what_was_meant(cls, value: Any, info: ValidationInfo) -> Any:
        """YAML's words for truth would pass as the numbers 1 and 0; no file or name has a zero byte."""
        values = value if isinstance(value, list | tuple | set) else [value]
        wants_truth = cls.model_fields[info.field_name or ""].annotation is bool
        if not wants_truth and any(isinstance(one, bool) for one in values):
            raise ValueError("true, yes, on, false, no and off are no numbers, and as text need quotes")
        if any(isinstance(one, str) and "\0" in one for one in values):
            raise ValueError("it has a zero byte")
        return value

    def of_one_task(self) -> dict[str, Any]:
        """The values that a task's outcome depends on, less the list that it was unrolled from."""
        return self.model_dump(mode="json", exclude={self.unrolled})

    def narrowed_to(self, item: str) -> Self:
        """The section of the task of one item."""
        return self.model_copy(update={self.unrolled: (item,)})


class SplitLists(Section):
    """Split lists: clip paths, one per line, as in UCF101's `trainlist01.txt`."""

    train: str
    test: str
    incomplete: Literal["refuse", "split"] = Field(
        default="refuse", description="classes with too few clips in a list: an error, or split by group"
    )


class DatasetParams(Section):
    """Where the clips are and how they are split."""

    source: str = Field(
        min_length=1,
        description="folder of clips, recipe of generated ones (.yaml), or git+https:// or s3:// address",
    )
    label_folder: LabelFolder = Field(
        default="only",
        description="the class: the only folder (further levels are an error), the topmost, or the clip's",
    )
    group_by_name: bool = Field(default=True, description="names of cameras and datasets define groups")
    split: Literal["group", "random"] = Field(description="cut by whole groups, or clip by clip")
    split_lists: SplitLists | None = Field(description="train and test lists, or null")
    validation: float = Field(gt=0, lt=1, description="fraction of all clips")
    test: float = Field(gt=0, lt=1, description="fraction of all clips; unused with split_lists")
    drop_small_classes: bool = Field(description="drop classes too small for the split")
    clip_timeout_s: float = Field(gt=0, description="seconds after which a clip is quarantined")
    seed: Seed

    @property
    def list_files(self) -> list[str]:
        """The split lists; empty if params name none."""
        return [self.split_lists.train, self.split_lists.test] if self.split_lists else []

    @field_validator("source")
    @classmethod
    def _is_a_source(cls, text: str) -> str:
        parse_source(text)
        return text

    @model_validator(mode="after")
    def _leaves_clips_to_train(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError("validation + test must stay below 1, or nothing is left to train on")
        return self


class FramesParams(Section):
    """Which frames of a clip are kept, and how."""

    count: int = Field(ge=1, le=1000, description="frames a clip, as a head sees them")
    oversample: Literal[1, 3, 5, 7, 9] = Field(description="frames kept for each of these, for time views")
    jpeg_quality: int = Field(ge=50, le=100)
    shards: int = Field(ge=1, le=100_000)
    clip_timeout_s: float = Field(gt=0, description="seconds after which a clip is quarantined")


class FinetuneParams(Section):
    """Further training of a float backbone's last blocks, before it embeds the frames."""

    blocks: int = Field(ge=0, le=100, description="last blocks that learn; 0 leaves the backbone frozen")
    epochs: int = Field(ge=1, le=10_000)
    learning_rate: float = Field(gt=0)
    batch_size: Size = Field(description="frames")


class NetworkParams(Section):
    """A TFLite network as a backbone: `reelflow.backbones.tflite`."""

    file: str = Field(pattern=r"^[^/\\]+$", description="its name in the folder of weights")
    tensor: str = Field(min_length=1, description="the last one that is computed: a map behind a ReLU")
    height: int = Field(ge=1, le=4096, description="of the frames that it sees, in pixels")
    width: int = Field(ge=1, le=4096)
    window: int | None = Field(ge=1, description="side of the averaged windows, in cells; null: all cells")
    stride: int = Field(ge=1, description="from one window to the next, in cells")
    value_range: tuple[float, float] | None = Field(
        default=None, description="of a float network's input; null for uint8"
    )


class FeaturesParams(Section):
    """Which networks embed the frames, and which views of them."""

    unrolled: ClassVar[str] = "backbones"

    backbones: Names
    networks: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], NetworkParams] = Field(
        default={}, description="further backbones, TFLite networks by name"
    )
    weights: str = Field(min_length=1, description="imagenet, random, a file, or a folder of files")
    views: Names = Field(description="names in reelflow.video.views; plain comes first")
    finetune: FinetuneParams
    seed: Seed = Field(description="of random weights and of fine-tuning")

    def has_windows(self, backbone: str) -> bool:
        """Whether a backbone gives features of parts of the picture."""
        return backbone in self.networks and self.networks[backbone].window is not None

    def views_of(self, backbone: str) -> tuple[str, ...]:
        """The views that a backbone embeds: windows see the parts of the plain one in one pass."""
        return self.views[:1] if self.has_windows(backbone) else self.views


class BaselinesParams(Section):
    """The shortcut baselines: classifiers that see only metadata or thumbnails of a clip."""

    thumbnail_frames: int = Field(ge=1, le=100, description="thumbnails a clip")
    seed: Seed


class VideoParams(Section):
    """The networks over pixels: `reelflow.nets.video`."""

    width: float = Field(gt=0, le=4, description="multiplies every number of channels")
    stages: tuple[Blocks, Blocks, Blocks, Blocks] | None = Field(
        description="blocks of conv2_x to conv5_x; null: as the name says"
    )
    recompute: bool = Field(description="compute blocks again for gradients: less memory")
    inflate: str | None = Field(
        min_length=1, description="Keras's weights of a ResNet-50, .h5, that the network starts from"
    )


class TrainingParams(Section):
    """Heads, optimiser and schedule. The studies: see docs/study-a.md and docs/study-b.md."""

    unrolled: ClassVar[str] = "heads"

    heads: Names
    units: Size | None = Field(description="of the recurrent layer; null = dim")
    dense_units: Size
    motion: bool = Field(description="append differences between neighbouring frames to the features")
    segments: int = Field(ge=1, le=1000, description="of segment_linear: equal parts of a clip")
    centered: bool = Field(description="of segment_linear: a clip's mean is taken off; only change counts")
    penalties: tuple[PositiveFloat, ...] = Field(
        min_length=1, description="of segment_linear: L2 strengths to choose from by inner cross-validation"
    )
    optimizer: Literal["adam", "rmsprop"] = Field(description="study A: adam; B: rmsprop")
    gradient_norm: float = Field(ge=0, description="largest norm of all gradients; 0: any")
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = Field(
        description="that video networks compute in; weights and scores stay float32"
    )
    video: VideoParams
    weight_decay: float = Field(ge=0, lt=1, description="of AdamW; 0 is the study's Adam")
    label_smoothing: float = Field(ge=0, lt=1)
    views: Literal["sample", "average", "beside"] = Field(
        description="sample: one view per clip and epoch; average: scores are averaged; beside: all at once"
    )
    teacher: tuple[str, ...] = Field(
        description="models whose mean scores are learnt: training folders, runs:/ or models:/ URIs"
    )
    teacher_weight: Fraction = Field(description="of the teacher's scores against the labels")
    teacher_temperature: float = Field(gt=0, le=100)
    input_dropout: float = Field(ge=0, lt=1)
    dropout: float = Field(ge=0, lt=1)
    leaky_slope: float = Field(ge=0)
    learning_rate: float = Field(gt=0)
    decay: float = Field(ge=0, description="lr / (1 + decay * step)")
    batch_size: Size
    epochs: int = Field(ge=1, le=1_000_000)
    patience: int = Field(ge=1, le=1_000_000, description="epochs without a better validation loss")
    checkpoint_every_s: float = Field(ge=0)
    workers: int = Field(ge=1, le=64, description="that share each batch; each is a process")
    seed: Seed


class EvaluationParams(Section):
    """By which protocol clips are held out, and what is measured on them."""

    protocol: str = Field(
        description="holdout, group_kfold(K), leave_one_group_out, or cross_set(PREFIX of the train groups)"
    )
    resamples: int = Field(ge=100, le=1_000_000, description="of groups, for intervals")
    reject_target: Fraction = Field(description="accuracy asked of clips that are not rejected")
    seed: Seed = Field(description="of the resamples")

    top_k: Size
    chosen_classes: tuple[str, ...] = Field(description="classes of the small confusion matrix")

    @field_validator("protocol")
    @classmethod
    def _is_a_protocol(cls, text: str) -> str:
        return str(Protocol.parse(text))


class ConversionParams(Section):
    """How the best classifier becomes TFLite."""

    head: Literal["float32", "float16", "dynamic", "int8"] = Field(
        description="int8: networks over pixels alone, calibrated on clips"
    )
    backbone: Literal["float32", "float16", "int8"] = Field(description="of float backbones")
    calibration_clips: Size
    golden_clips: Size


Architecture = Literal["x86_64", "aarch64"]
"""As the kernel names it."""


class ReleaseParams(Section):
    """The registry's name and the gates to `champion`."""

    model_name: str = Field(min_length=1, max_length=LONGEST_MODEL, pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")
    min_accuracy: Fraction
    min_agreement: Fraction
    max_accuracy_drop: Fraction = Field(description="Keras accuracy less LiteRT accuracy")
    max_size_mb: float = Field(gt=0)
    require_above_baselines: bool = Field(
        description="promote only what is clearly above its shortcut baselines"
    )
    require_above_chance: bool = Field(
        default=True,
        description="promote only what is clearly above always answering the most frequent class",
    )
    min_class_recall: Fraction = Field(default=0.0, description="of the class that is recognised least")
    min_class_clips: int = Field(default=5, ge=0, description="test clips of the class that has the fewest")
    max_class_fall: Fraction = Field(
        default=1.0, description="recall that a class may lose against the champion, on the compared clips"
    )
    min_compared_clips: int = Field(
        default=20, ge=1, description="test clips left for a comparison without those the champion trained on"
    )
    max_calibration_error: Fraction = Field(default=1.0, description="expected calibration error")
    min_video_parity: Fraction = Field(
        default=0.0, description="clips of the parity check that were decoded from their videos"
    )
    max_frame_ms: float | None = Field(
        default=None, gt=0, description="resize, backbone and head, as reelflow benchmark measures; null: any"
    )
    max_memory_mb: float | None = Field(default=None, gt=0, description="likewise; null: any")
    architectures: tuple[Architecture, ...] = Field(
        default=(), description="that must give the same answers as this machine"
    )
    note: str = Field(max_length=1000, description="for the report and the summary: why these values")


class Params(Section):
    """The whole of params.yaml."""

    dataset: DatasetParams
    frames: FramesParams
    features: FeaturesParams
    baselines: BaselinesParams
    training: TrainingParams
    evaluation: EvaluationParams
    conversion: ConversionParams
    release: ReleaseParams

    def with_values(self, **changes: dict[str, Any]) -> "Params":
        """Replace values: `with_values(dataset={"source": "clips"})`.

        Raises:
            ParamsError: a value is out of bounds.
        """
        document = self.model_dump(mode="json")
        for section, values in changes.items():
            document[section].update(values)
        return _validated(document, where="the command line")


STEPS = tuple(Params.model_fields)
"""Each step has a section."""


def load_params(path: Path) -> Params:
    """Read and check a params file.

    Raises:
        ParamsError: the file is missing, is not YAML, or holds a wrong name or value.
    """
    try:
        document = read_yaml(path)
    except OSError as error:
        raise ParamsError(f"{path}: {error.strerror}; name an existing params file") from error
    except ValueError as error:
        raise ParamsError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise ParamsError(f"{path} holds no sections; expected {', '.join(Params.model_fields)}")
    return _validated(document, where=str(path))


def _validated(document: dict[str, Any], where: str) -> Params:
    try:
        params = Params.model_validate(document)
    except pydantic.ValidationError as error:
        raise ParamsError(explain(error, where)) from error
    if params.features.finetune.blocks and params.evaluation.protocol != "holdout":
        raise ParamsError(
            f"{where}: features.finetune.blocks is {params.features.finetune.blocks} and evaluation.protocol "
            f"is {params.evaluation.protocol}: a backbone that learns would see the labels of clips that are "
            "held out in turn; set the protocol to holdout, or the blocks to 0"
        )
    return params


def explain(error: pydantic.ValidationError, where: str) -> str:
    """Every value to correct, a line each, under a line that starts with `where`."""
    lines = [f"{where}: {error.error_count()} value(s) to correct"]
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        found = "" if problem["type"] == "missing" else f" (found {_shown(problem['input'])})"
        lines.append(f"  {name}: {problem['msg']}{found}")
    return "\n".join(lines)


def _shown(value: object) -> str:
    """A value without the passwords in it, which are looked for before it is shortened."""
    whole = without_credentials(value) if isinstance(value, str) else value
    return without_credentials(FOUND.repr(whole))
