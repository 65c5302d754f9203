"""The same files under `KERAS_BACKEND=jax`: for the same weights the same scores, gradients, statistics."""

import json
import os
import subprocess

import numpy as np
import pytest

from reelflow.nets.runtime import prepare
from reelflow.nets.saved import save_head
from tests.jax_environment import jax_python
from tests.reelflow.nets.video.weights import randomise
from tests.workplace import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("jax"), pytest.mark.timeout(900)]
CLIPS = 3
NETWORK = {"stages": (1, 1, 1, 1), "width": 1 / 16, "frames": 5, "side": 40}  # forms A, B, C, and 2D
CASES = {
    f"{temporal}-{how}": NETWORK | {"temporal": temporal, "recompute": how == "again", "precision": "float32"}
    for temporal, how in [
        ("conv", "once"),
        ("conv", "again"),
        ("conv_lstm", "once"),
        ("conv_lstm", "again"),
        ("none", "once"),
    ]
}
HALF = {
    "conv-once-half": CASES["conv-once"] | {"precision": "mixed_float16"},
    "conv_lstm-again-half": CASES["conv_lstm-again"] | {"precision": "mixed_bfloat16"},
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """By case: what TensorFlow gives, and what JAX gives."""
    python, folder = jax_python(), tmp_path_factory.mktemp("jax")
    prepare()
    on_tensorflow = {name: run_here(folder / name, case) for name, case in (CASES | HALF).items()}
    (folder / "cases.json").write_text(json.dumps(CASES | HALF))
    done = subprocess.run(
        [python, "-m", "tests.reelflow.nets.video.one_step", folder / "cases.json", folder],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "jax"  # TensorFlow is not imported: it is not there
    return {name: (found, dict(np.load(folder / f"{name}.jax.npz"))) for name, found in on_tensorflow.items()}


def run_here(path, case):
    """Weights, pixels and a file for the other process, and what TensorFlow makes of them."""
    from tests.reelflow.nets.video.one_step import build, run_case

    model = build(case)
    randomise(model)
    given = {weight.path: weight.numpy() for weight in model.weights}
    shape = (CLIPS, case["frames"], case["side"] ** 2 * 3)
    given["pixels"] = np.random.default_rng(1).random(shape, dtype=np.float32)
    np.savez(path.with_suffix(".npz"), **given)
    save_head(model, path.with_suffix(".keras"))
    return run_case(case, given, path.with_suffix(".keras"))


@pytest.mark.parametrize("case", CASES)
def test_jax_gives_what_tensorflow_gives(results, case):
    """Scores, loss, the gradient of every weight, and every moving statistic."""
    on_tensorflow, on_jax = results[case]
    assert on_tensorflow.keys() == on_jax.keys()
    for name, expected in on_tensorflow.items():
        largest = max(np.abs(expected).max(), 0.01)  # smaller gradients are differences of large sums
        np.testing.assert_allclose(on_jax[name], expected, rtol=1e-4, atol=1e-4 * largest, err_msg=name)
    np.testing.assert_array_equal(on_jax["loaded_scores"], on_jax["scores"])


@pytest.mark.parametrize("case", HALF)
def test_jax_computes_in_16_bits(results, case):
    on_jax, whole = results[case][1], results[case.removesuffix("-half")][1]
    for name, value in on_jax.items():
        assert np.isfinite(value).all(), name
    assert np.abs(on_jax["scores"] - whole["scores"]).max() > 0
    np.testing.assert_allclose(on_jax["scores"], whole["scores"], atol=0.01)
    np.testing.assert_allclose(on_jax["training_scores"], whole["training_scores"], atol=0.1)
