"""Every head, quantised every way: Keras's numbers, operators that a device has, a loop kept a loop."""

from pathlib import Path

import numpy as np
import pytest

from components.conversion.head import convert_head
from components.conversion.operators import check_operators, count_operators
from reelflow.edge.runtime import Network
from reelflow.nets.heads import HEADS, build_head
from reelflow.nets.linear import fit_linear, summaries_of
from reelflow.nets.runtime import seed_everything
from tests.bundles import TRAINING, random_head
from tests.slowly import slow, slow_but

TOLERANCE = {"float32": 1e-5, "float16": 2e-3, "dynamic": 2e-2}
DIM, CLASSES = 12, 5
CASES = [(name, views, how) for name in HEADS for views, how in ((1, "float32"), (3, "dynamic"))]
CASES += [(name, 1, "float16") for name in ("lstm", "tcn")]


OTHERS = [("gru", 1, "float32"), ("lstm", 1, "float16")]
QUICK = [(name, 3, "dynamic") for name in HEADS if name not in ("gru", "lstm")] + OTHERS


@pytest.mark.parametrize(("name", "views", "quantization"), slow_but(CASES, *QUICK))
def test_a_converted_head_gives_the_numbers_of_keras(
    name: str, views: int, quantization: str, tmp_path: Path
):
    model = random_head(name, frames=7, dim=DIM, classes=CLASSES, views=views)
    features = np.random.default_rng(3).normal(size=(9, 7, views * DIM)).astype(np.float32)
    expected = model(features, training=False).numpy()
    assert np.ptp(expected, axis=0).max() > 0.03, "the head must not say the same of every clip"

    content = convert_head(model, quantization)
    check_operators(content, "head.tflite")
    (tmp_path / "head.tflite").write_bytes(content)
    network = Network(tmp_path / "head.tflite")
    found = np.concatenate([network(clip[None]) for clip in features])
    np.testing.assert_allclose(found, expected, atol=TOLERANCE[quantization])
    again = np.concatenate([network(clip[None]) for clip in features])
    np.testing.assert_array_equal(found, again)


@pytest.mark.slow
@pytest.mark.parametrize("name", slow_but(HEADS, "gru", "tcn", "segment_linear"))
def test_larger_heads_that_see_motion_keep_to_keras(name: str, tmp_path: Path):
    """Weights as first drawn; large enough that the converter quantises them."""
    seed_everything(2)
    params = TRAINING.model_copy(update={"motion": True, "units": 32, "dense_units": 128})
    model = build_head(name, frames=25, dim=160, classes=CLASSES, params=params)
    features = np.random.default_rng(4).random((6, 25, 160), dtype=np.float32)
    (tmp_path / "head.tflite").write_bytes(convert_head(model, "dynamic"))
    network = Network(tmp_path / "head.tflite")
    found = np.concatenate([network(clip[None]) for clip in features])
    np.testing.assert_allclose(found, model(features, training=False).numpy(), atol=5e-3)


@pytest.mark.parametrize(("name", "loops"), [("lstm", 1), ("bigru", 2)])
@pytest.mark.slow
def test_more_frames_make_no_more_operators(name: str, loops: int):
    short, long = (
        count_operators(convert_head(random_head(name, frames=frames, dim=4, classes=3), "dynamic"))
        for frames in (3, 40)
    )
    assert short == long
    assert short["WHILE"] == loops
    assert not {"VAR_HANDLE", "CALL_ONCE"} & short.keys(), "a head has no state"


@pytest.mark.parametrize("name", ["attention", "tcn", "segment_linear"])
@pytest.mark.slow
def test_long_clips_and_many_segments_stay_within_the_operators_of_a_device(name: str):
    params = TRAINING.model_copy(update={"motion": True, "segments": 7})
    found = convert_head(random_head(name, frames=200, dim=4, classes=3, params=params), "dynamic")
    check_operators(found, "head.tflite")
    assert not {"VAR_HANDLE", "CALL_ONCE"} & count_operators(found).keys()


@pytest.mark.parametrize("motion", [slow(False), True])
def test_a_fitted_linear_head_keeps_to_keras(motion: bool, tmp_path: Path):
    """Its weights span many orders of magnitude, for dimensions that hardly vary."""
    chance = np.random.default_rng(5)
    truth = np.arange(60) % 3
    spread = np.logspace(-3, 0, 160)
    features = 1 + truth[:, None, None] * spread * chance.choice([0, 1], 160) * 0.2
    features = (features + chance.normal(size=(60, 25, 160)) * spread).astype(np.float32)
    params = TRAINING.model_copy(update={"motion": motion})
    model = build_head("segment_linear", frames=25, dim=160, classes=3, params=params)
    rows = summaries_of(model, [features])
    fit_linear(model, rows, truth, [f"{place % 10}" for place in range(60)], params, 1)
    expected = model(features, training=False).numpy()
    for quantization, tolerance in {"float32": 1e-4, "float16": 5e-3, "dynamic": 2e-2}.items():
        (tmp_path / "head.tflite").write_bytes(convert_head(model, quantization))
        network = Network(tmp_path / "head.tflite")
        found = np.concatenate([network(clip[None]) for clip in features])
        np.testing.assert_allclose(found, expected, atol=tolerance, err_msg=quantization)


def test_the_same_head_gives_the_same_bytes():
    model = random_head("lstm", frames=5, dim=4, classes=3)
    assert convert_head(model, "dynamic") == convert_head(model, "dynamic")


def test_quantisation_makes_it_smaller():
    model = random_head("single_frame", frames=5, dim=512, classes=5)
    sizes = [len(convert_head(model, quantization)) for quantization in TOLERANCE]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3
