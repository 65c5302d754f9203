"""A bundle whose head sees the pixels of a whole clip: every command of the device takes it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from reelflow.backbones.pixels import Pixels
from reelflow.contracts import Sampling
from reelflow.edge.bundle import open_bundle
from reelflow.edge.classifier import Classifier
from reelflow.edge.proof.measure import prove
from reelflow.edge.seal import seal
from reelflow.edge.selftest import self_test
from reelflow.errors import BundleError
from reelflow.video.preprocess import preprocess
from tests.bundles import write_bundle

LABELS = ("blue", "green", "red")
RGB = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}
FRAMES, SIDE, RATE = 6, 32, 24
SPEC = Pixels(f"pixels_{SIDE}").spec


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head that tells the most frequent colour of what it sees, over all frames."""
    import keras

    seen = keras.Input((FRAMES, SPEC.dim))
    spread = keras.layers.Reshape((FRAMES, SIDE * SIDE, 3))(seen)
    means = keras.layers.AveragePooling2D((FRAMES, SIDE * SIDE))(spread)  # (1, 1, 3)
    dense = keras.layers.Dense(3, "softmax", use_bias=False)
    model = keras.Model(seen, dense(keras.layers.Flatten()(means)))
    dense.set_weights([20 * np.eye(3, dtype=np.float32)[:, ::-1]])  # red, green, blue -> the labels' order
    folder = tmp_path_factory.mktemp("pixels")
    changes = {"name": f"{SPEC.name}-colour", "backbone": SPEC, "head_quantization": "dynamic"}
    write_bundle(folder, model, LABELS, frames=FRAMES, head="colour", **changes)
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of red in the middle, then two of green; the blue around it has more than half the area."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 64, 48, "yuv420p", 2_000_000
        for place in range(4 * RATE):
            image = framed("red" if place < 2 * RATE else "green")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def framed(colour: str) -> NDArray[np.uint8]:
    """`(48, 64, 3)`: the square that the backbone sees in this colour, the rest blue."""
    image = np.full((48, 64, 3), RGB["blue"], np.uint8)
    image[5:43, 13:51] = RGB[colour]
    return image


def reelflow(*arguments: object) -> str:
    command = [sys.executable, "-c", "from reelflow.cli import main; main()", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_bundle_verifies_and_says_what_it_sees(bundle: Path) -> None:
    assert "pixels_32-colour" in reelflow("verify", bundle)
    facts = dict(line.split(maxsplit=1) for line in reelflow("info", bundle).splitlines())
    assert facts["sees"] == "6 frames in 1 s, 32 x 32 rgb, the middle 80% of the shorter side"
    assert facts["backbone"] == "pixels_32, none"
    assert np.load(bundle / "golden" / "features.npy").shape == (2, FRAMES, SIDE * SIDE * 3)


def test_a_bundle_from_before_there_was_a_square_is_read(small_bundle: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(small_bundle, tmp_path / "old"))
    document = json.loads((old / "bundle.json").read_text())
    assert document["backbone"]["preprocessing"].pop("centre", "missing") is None
    (old / "bundle.json").write_text(json.dumps(document))
    seal(old)
    assert open_bundle(old).report == open_bundle(small_bundle).report
    self_test(open_bundle(old))


def test_classify_sees_the_middle_alone(bundle: Path, clip: Path, tmp_path: Path) -> None:
    row = json.loads(reelflow("classify", bundle, clip, "--json"))
    assert row["scores"]["blue"] < 0.01, "the square in the middle shows no blue"
    report = open_bundle(bundle).report
    whole = report.backbone.preprocessing.model_copy(update={"centre": None})
    frames = np.stack([framed("green")] * FRAMES)
    assert preprocess(frames, whole).mean(axis=(0, 1, 2)).argmax() == 2, "the whole frame is mostly blue"
    classifier = Classifier(open_bundle(bundle))
    assert classifier.answer(classifier.scores_from_frames(frames)).label == "green"


def test_timeline_finds_where_the_pixels_change(bundle: Path, clip: Path) -> None:
    found = json.loads(reelflow("timeline", bundle, clip, "--json"))
    assert [segment["label"] for segment in found["segments"]] == ["red", "green"]
    assert found["segments"][0]["end_s"] == pytest.approx(2, abs=1 / FRAMES)
    assert found["change_points_s"] == [found["segments"][0]["end_s"]]


def test_watch_answers_on_windows_of_pixels(bundle: Path, clip: Path) -> None:
    lines = reelflow("watch", bundle, clip, "--json", "--answers", "--hop", 0.5).splitlines()
    answers = [line for line in map(json.loads, lines) if line["kind"] == "answer"]
    assert [answers[0]["label"], answers[-1]["label"]] == ["red", "green"]
    assert len(answers) >= 5


def test_benchmark_measures_every_stage(bundle: Path) -> None:
    found = json.loads(reelflow("benchmark", bundle, "--minutes", 0.01, "--json", "--threads", 2))
    assert list(found["stages"]) == ["backbone", "decode", "head", "resize"]
    assert found["frames_per_s"] > 0


def test_the_proof_has_answers_of_classify_and_watch(bundle: Path, clip: Path) -> None:
    proof = prove(bundle, [clip])
    assert [answer.label for answer in proof.watched][::3] == ["red", "green"]
    assert proof.alike(proof) == 1


def test_the_self_test_finds_pixels_that_are_not_the_frame(bundle: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(bundle, tmp_path / "copied"))
    codes = np.load(copied / "golden" / "codes.npy")
    np.save(copied / "golden" / "codes.npy", codes ^ 1)
    opened = open_bundle(bundle)
    self_test(opened)
    with pytest.raises(BundleError, match="not the flattened"):
        self_test(type(opened)(copied, opened.report))


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (3000, 10), (10, 3000), (33, 33)])
def test_frames_of_any_size_and_views_of_them(bundle: Path, tmp_path: Path, shape: tuple[int, int]) -> None:
    opened = open_bundle(bundle)
    sampling = Sampling(frames=FRAMES, clip_s=1.0, views=("plain", "flip", "crop", "tile_11"))
    viewed = type(opened)(bundle, opened.report.model_copy(update={"sampling": sampling}))
    frames = np.full((FRAMES, *shape, 3), RGB["green"], np.uint8)
    classifier = Classifier(viewed)
    assert classifier.codes_of_views(frames).shape == (4, FRAMES, SPEC.dim)
    assert classifier.answer(classifier.scores_from_frames(frames)).label == "green"
