"""Networks that compute in 16 bits, with weights, statistics and scores in 32."""

import warnings

import numpy as np
import pytest

from components.training.learners.graph import Stepper, scorer
from reelflow.nets.heads import build_head
from reelflow.nets.runtime import seed_everything
from reelflow.nets.saved import load_head, save_head
from tests.fake_features import training_params
from tests.reelflow.nets.video.weights import randomise
from tests.slowly import slow

CLIPS, FRAMES, SIDE = 4, 4, 24
PIXELS = np.random.default_rng(1).random((CLIPS, FRAMES, SIDE * SIDE * 3), dtype=np.float32)
TARGETS = np.tile(np.eye(2, dtype=np.float32)[[0, 1, 0, 1]], 2)  # classes, and again for a teacher's
HALVES = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}


PAIRS = [
    ("mixed_float16", "p3d_63"),
    ("mixed_bfloat16", "convlstm_c2d_63"),
    slow("mixed_float16", "convlstm_c2d_63"),
    slow("mixed_bfloat16", "p3d_63"),
]


def params_of(precision: str, *, recompute: bool = False):
    video = {"width": 1 / 16, "stages": (1, 1, 1, 1), "recompute": recompute}
    return training_params(precision=precision, video=video, optimizer="rmsprop", gradient_norm=1, dropout=0)


def build(head: str, precision: str, **options):
    seed_everything(1)
    params = params_of(precision, **options)
    return build_head(head, frames=FRAMES, dim=SIDE * SIDE * 3, classes=2, params=params)


@pytest.mark.parametrize("head", ["p3d_63", "convlstm_c2d_63", "c2d_50"])
@pytest.mark.parametrize("precision", HALVES)
def test_blocks_compute_in_16_bits_and_all_else_is_in_32(head, precision):
    model = build(head, precision)
    assert {weight.dtype for weight in model.weights if "seed" not in weight.name} == {"float32"}
    blocks = [layer for layer in model.layers if hasattr(layer, "convs")]
    assert {layer.output.dtype for layer in blocks} == {HALVES[precision]}
    assert {layer.compute_dtype for block in blocks for layer in block.convs.values()} == {HALVES[precision]}
    assert model.get_layer("conv1").output.dtype == HALVES[precision]
    assert model.get_layer("scores").output.dtype == "float32"
    scores = scorer(model)(PIXELS)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize(("precision", "head"), PAIRS)
def test_scores_are_close_to_those_in_32_bits(head, precision):
    half, whole = build(head, precision), build(head, "float32")
    randomise(half)
    randomise(whole)
    found, expected = scorer(half)(PIXELS), scorer(whole)(PIXELS)
    assert np.abs(found - expected).max() > 0
    np.testing.assert_allclose(found, expected, atol=0.01 if precision == "mixed_float16" else 0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "head", "recompute"),
    [
        slow("mixed_float16", "convlstm_c2d_63", False),
        slow("mixed_float16", "convlstm_c2d_63", True),
        slow("mixed_float16", "p3d_63", True),
        slow("mixed_bfloat16", "convlstm_c2d_63", True),
        slow("mixed_bfloat16", "convlstm_c2d_63", False),
        slow("mixed_bfloat16", "p3d_63", True),
        ("mixed_float16", "p3d_63", False),
        ("mixed_bfloat16", "p3d_63", False),
    ],
)
def test_steps_change_every_weight_and_statistic(precision, head, recompute):
    """In float16 the first steps only lower the loss scale, until the gradients are finite."""
    model = build(head, precision, recompute=recompute)
    before = [weight.numpy() for weight in model.weights]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step = Stepper(model, params_of(precision), is_taught=False)
        losses = [step(PIXELS, TARGETS)[0] for _ in range(10)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    for weight, value in zip(model.weights, before, strict=True):
        assert np.isfinite(weight.numpy()).all(), weight.path
        unused = weight.name == "recurrent_kernel" and "conv2" not in weight.path  # one frame is left there
        if weight.name != "seed_generator_state":  # there is no dropout
            assert (np.abs(weight.numpy() - value).max() > 0) != unused, weight.path


@pytest.mark.parametrize(("precision", "head"), PAIRS)
def test_a_saved_network_keeps_its_precision(head, precision, tmp_path):
    model = build(head, precision)
    digest = save_head(model, tmp_path / "model.keras")
    loaded = load_head(tmp_path / "model.keras", sha256=digest)
    assert loaded.get_layer("conv2_1").compute_dtype == HALVES[precision]
    assert loaded.get_layer("conv2_1").convs["time"].compute_dtype == HALVES[precision]
    np.testing.assert_array_equal(scorer(loaded)(PIXELS), scorer(model)(PIXELS))
