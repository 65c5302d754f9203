"""Fine-tuning: what it may see, what it leaves, and that a second attempt does not do it again."""

import io
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from components.features import step
from components.features.finetune import NOTE
from components.features.maps import MOST_BYTES, MOST_FRAMES, _frames_a_clip
from reelflow.artifacts.evaluations import BACKBONE_WEIGHTS
from reelflow.artifacts.features import FeatureStore
from reelflow.artifacts.frames import FrameStore
from reelflow.backbones.keras_application import KerasBackbone
from reelflow.backbones.thumbnail import Thumbnail
from reelflow.contracts import (
    BackboneSpec,
    Clip,
    DatasetReport,
    FeaturesReport,
    FramesReport,
    Preprocessing,
)
from reelflow.errors import BundleError, DataError, ParamsError, ReelflowError
from reelflow.files import sha256_file
from reelflow.params import FeaturesParams, load_params
from reelflow.progress import Event, watched_by
from reelflow.video.preprocess import preprocess
from tests.environment import in_environment
from tests.fake_features import make_clips, write_dataset
from tests.fake_frames import write_shard

run = in_environment(step.run)

LABELS = ("horizontal", "vertical")
COUNTS = {"train": 12, "validation": 6, "test": 2}  # clips a class
FRAMES = 3
HOW = Preprocessing(height=24, width=24, color="rgb", resize="pil-bilinear", value_range=(-1, 1))


def params(**changes: object) -> FeaturesParams:
    values = {"blocks": 1, "epochs": 4, "learning_rate": 0.01, "batch_size": 8} | changes
    section = load_params(Path("params.yaml")).with_values(features={"weights": "random", "finetune": values})
    return section.features


def load_small(weights: str) -> KerasBackbone:
    """A network of two blocks, random or from Keras's file of weights."""
    keras.utils.set_random_seed(7)
    pixels = values = keras.Input((24, 24, 3))
    for block in (1, 2):
        values = keras.layers.Conv2D(8, 3, strides=2, name=f"conv{block}")(values)
        values = keras.layers.BatchNormalization(name=f"norm{block}")(values)
        values = keras.layers.ReLU(name=f"block{block}")(values)
    network = keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(values))
    sha256 = "0" * 64
    if weights != "random":
        network.load_weights(weights)
        sha256 = sha256_file(Path(weights))
    spec = BackboneSpec(
        name="small", preprocessing=HOW, dim=8, dtype="float16", scale=1, weights_sha256=sha256
    )
    return KerasBackbone(network, spec, before_blocks=("block1",))


@pytest.fixture(autouse=True)
def networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "components.features.step.load_backbone", lambda _, weights, **__: load_small(weights)
    )
    registry = {"small": "reelflow.backbones.keras_application"}
    monkeypatch.setattr("reelflow.backbones.registry.BACKBONES", registry)


@dataclass(frozen=True)
class Place:
    """A folder with a data set and its frames, and room for features."""

    folder: Path

    @property
    def inputs(self) -> dict[str, Path]:
        return {"dataset": self.folder / "dataset", "frames": self.folder / "frames"}

    def write(self, clips: list[Clip]) -> "Place":
        """Write what the steps before would; the pictures depend on the clips' paths alone."""
        write_dataset(self.inputs["dataset"], clips, LABELS)
        self.inputs["frames"].mkdir()
        jpegs = {clip.clip_id: [stripes(clip, frame) for frame in range(FRAMES)] for clip in clips}
        shard = write_shard(self.inputs["frames"] / "shard-00000-of-00001.tar", jpegs)
        FramesReport(
            data_hash=DatasetReport.open(self.inputs["dataset"]).data_hash,
            count=FRAMES,
            jpeg_quality=95,
            shards=(shard,),
            quarantined=(),
        ).save(self.inputs["frames"])
        return self

    def tune(self, **changes: object) -> Path:
        """Run the step; returns its folder."""
        features = self.folder / "out" / "features"
        features.mkdir(parents=True, exist_ok=True)
        run(params(**changes), backbone="small", features=features, **self.inputs)
        return features


def stripes(clip: Clip, frame: int) -> bytes:
    """Stripes of a random period and phase, in the direction that the path tells."""
    chance = np.random.default_rng((int(clip.clip_id, 16), frame))
    waves = np.sin(np.arange(40) / chance.uniform(0.7, 2.0) + chance.uniform(0, 6)) * 60 + 128
    picture = np.broadcast_to(waves[:, None] if clip.path.startswith("horizontal") else waves, (40, 40))
    noisy = picture[..., None] + chance.normal(0, 30, (40, 40, 3))
    buffer = io.BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path).write(make_clips(LABELS, COUNTS))


def test_the_features_are_those_of_the_weights_beside_them(place: Place) -> None:
    features = FeatureStore(folder := place.tune())
    assert features.report.backbone.weights_sha256 == sha256_file(folder / BACKBONE_WEIGHTS)
    network = load_small(str(folder / BACKBONE_WEIGHTS))
    clip = features.clip_ids[0]
    expected = network.embed(preprocess(FrameStore(place.inputs["frames"]).read(clip), HOW))
    np.testing.assert_array_equal(features.gather([clip])[0], expected)
    assert (load_small("random").embed(np.full((1, 24, 24, 3), 9, np.uint8)) != expected[:1]).any()


def test_only_the_last_blocks_learn_and_batch_norms_stay(place: Place) -> None:
    trained = load_small(str(place.tune() / BACKBONE_WEIGHTS))._network
    before = load_small("random")._network
    changed = {
        layer.name
        for layer, same in zip(before.layers, trained.layers, strict=True)
        for old, new in zip(layer.get_weights(), same.get_weights(), strict=True)
        if (old != new).any()
    }
    assert changed == {"conv2"}


def test_the_metrics_tell_what_it_brought(place: Place) -> None:
    report = FeaturesReport.open(place.tune(epochs=5))
    metrics, curves = report.metrics, report.curves
    assert {len(curve) for curve in curves.values()} == {5}
    losses = [metrics["finetune_loss_before"], *curves["finetune_validation_loss"]]
    accuracies = [metrics["finetune_accuracy_before"], *curves["finetune_validation_accuracy"]]
    best = int(metrics["finetune_best_epoch"])
    assert best == np.argmin(losses) > 0
    assert (metrics["finetune_loss_after"], metrics["finetune_accuracy_after"]) == (
        losses[best],
        accuracies[best],
    )
    assert losses[best] < 0.8 * losses[0]
    assert metrics["clips"] == 40


def test_a_network_that_only_gets_worse_stays_as_it_was(place: Place) -> None:
    events: list[Event] = []
    with watched_by(events.append):
        folder = place.tune(learning_rate=3.0, epochs=1)
    assert FeaturesReport.open(folder).metrics["finetune_best_epoch"] == 0
    assert any("stays as it was" in event.get("message", "") for event in events)
    trained, before = load_small(str(folder / BACKBONE_WEIGHTS)), load_small("random")
    for old, new in zip(before._network.get_weights(), trained._network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.slow
def test_test_clips_teach_nothing(place: Place, tmp_path: Path) -> None:
    """With the test clips' labels exchanged, and networks built before, the weights are the same bytes."""
    other = dict(zip(LABELS, reversed(LABELS), strict=True))
    clips = make_clips(LABELS, COUNTS)
    relabelled = {
        split: [
            clip.model_copy(update={"label": other[clip.label]}) if clip.split == split else clip
            for clip in clips
        ]
        for split in ("test", "train")
    }
    expected = sha256_file(place.tune() / BACKBONE_WEIGHTS)
    for split, is_same in (("test", True), ("train", False)):
        elsewhere = Place(tmp_path / split).write(relabelled[split])
        assert (sha256_file(elsewhere.tune() / BACKBONE_WEIGHTS) == expected) is is_same


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes(place: Place, tmp_path: Path) -> None:
    again = Place(tmp_path / "again").write(make_clips(LABELS, COUNTS))
    one, two = ({path.name: path.read_bytes() for path in p.tune().iterdir()} for p in (place, again))
    assert one == two
    assert {BACKBONE_WEIGHTS, NOTE, "features.json"} < one.keys()


def test_finished_weights_are_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place.tune()
    expected = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr("components.features.finetune.Tail", None)  # whoever trains again fails
    place.tune()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == expected


@pytest.mark.parametrize("harm", ["weights", "note", "other rate"])
@pytest.mark.slow
def test_weights_that_are_not_whole_or_of_another_tuning_are_made_again(place: Place, harm: str) -> None:
    weights = place.tune() / BACKBONE_WEIGHTS
    expected = weights.read_bytes()
    if harm == "weights":
        weights.write_bytes(expected[:-1])
    elif harm == "note":
        weights.with_name(NOTE).write_text("{")
    place.tune(**({"learning_rate": 0.02} if harm == "other rate" else {}))
    assert (weights.read_bytes() == expected) is (harm != "other rate")


def test_more_blocks_than_there_are_is_an_error(place: Place) -> None:
    with pytest.raises(ParamsError, match="blocks is 2, but small has 1"):
        place.tune(blocks=2)


def test_a_network_that_cannot_learn_is_an_error(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.features.step.load_backbone", lambda *_, **__: Thumbnail())
    with pytest.raises(ParamsError, match=r"thumbnail is not a float network.*mobilenet_v2 or inception_v3"):
        place.tune()


def test_without_labels_nothing_is_learnt(place: Place) -> None:
    with pytest.raises(ParamsError, match="--dataset"):
        run(params(), backbone="small", frames=place.inputs["frames"], features=place.folder)


def test_a_loss_that_is_no_number_is_an_error(place: Place) -> None:
    with pytest.raises(ParamsError, match=r"epoch [1-4]: lower features\.finetune\.learning_rate"):
        place.tune(learning_rate=1e30)
    assert not (place.folder / "out/features" / NOTE).exists()
    assert not list((place.folder / "out/features").glob(".*"))


def inputs_of_other_clips(place: Place) -> None:
    report = FramesReport.open(place.inputs["frames"])
    report.model_copy(update={"data_hash": "f" * 64}).save(place.inputs["frames"])


def altered_frames(place: Place) -> None:
    (tar,) = place.inputs["frames"].glob("*.tar")
    tar.write_bytes(tar.read_bytes()[:-1] + b"!")


@pytest.mark.parametrize(
    ("harm", "error", "message"),
    [
        (inputs_of_other_clips, BundleError, "of other clips than"),
        (altered_frames, BundleError, "has been altered"),
    ],
)
def test_inputs_that_are_not_whole_are_an_error(
    place: Place, harm, error: type[ReelflowError], message: str
) -> None:
    harm(place)
    with pytest.raises(error, match=message):
        place.tune()


def test_both_splits_are_needed(tmp_path: Path) -> None:
    place = Place(tmp_path).write(make_clips(LABELS, {"train": 2, "validation": 0, "test": 1}))
    with pytest.raises(DataError, match="no validation clip has frames"):
        place.tune()


def test_two_classes_are_needed(tmp_path: Path) -> None:
    clips = make_clips(LABELS, {"train": 2, "validation": 1, "test": 1})
    place = Place(tmp_path).write([c for c in clips if (c.split, c.label) != ("train", LABELS[0])])
    with pytest.raises(DataError, match="of one class; fine-tuning needs two or more"):
        place.tune()


@pytest.mark.parametrize(
    ("kept", "clips", "map_bytes", "expected"),
    [
        (3, 10, 1000, 3),
        (25, 10, 1000, MOST_FRAMES),
        (25, 10_000, 131_072, MOST_BYTES // (10_000 * 131_072)),
        (25, 1_000_000, 262_144, 1),
    ],
)
def test_large_data_sets_give_fewer_frames_a_clip(
    kept: int, clips: int, map_bytes: int, expected: int
) -> None:
    assert _frames_a_clip(kept, clips, map_bytes=map_bytes) == expected
