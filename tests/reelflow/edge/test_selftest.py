"""The golden vectors tell a device that computes otherwise."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reelflow.edge.bundle import Bundle, open_bundle
from reelflow.edge.selftest import self_test
from reelflow.errors import BundleError


@pytest.fixture
def bundle(small_bundle: Path, tmp_path: Path) -> Bundle:
    return Bundle(Path(shutil.copytree(small_bundle, tmp_path / "bundle")), open_bundle(small_bundle).report)


def change(bundle: Bundle, name: str, how: Callable[[np.ndarray], Any]) -> None:
    path = bundle.path(f"golden/{name}.npy")
    np.save(path, how(np.load(path)))


def test_a_sound_bundle_passes(bundle: Bundle):
    self_test(bundle)


def test_small_differences_of_other_cpus_pass(bundle: Bundle):
    change(bundle, "scores", lambda scores: scores * np.float32(1.005))
    self_test(bundle)


@pytest.mark.parametrize(
    ("name", "how", "message"),
    [
        ("codes", lambda codes: codes ^ 1, "is not the flattened"),
        ("codes", lambda codes: codes[:1], "expected"),
        ("frames", lambda frames: frames[:, :6], "expected"),
        ("frames", lambda frames: frames.astype(np.float32), "expected"),
        ("frames", lambda frames: frames[0, 0, 0, 0], "expected"),
        ("features", lambda codes: codes // 2, "scores differ from the golden ones"),
        ("features", np.zeros_like, "scores differ from the golden ones"),
        ("scores", lambda scores: scores[:, ::-1], "scores differ from the golden ones"),
        ("scores", lambda scores: scores * np.nan, "scores differ from the golden ones"),
        ("scores", lambda scores: scores * 0, "scores differ from the golden ones"),
        ("scores", lambda scores: scores[:1], "expected"),
        ("scores", lambda scores: scores.astype(np.float64), "expected"),
    ],
)
def test_other_numbers_are_refused(bundle: Bundle, name: str, how: Callable, message: str):
    change(bundle, name, how)
    with pytest.raises(BundleError, match=message):
        self_test(bundle)
