"""The self-test of a bundle in a process of its own: whatever the bundle does, this process goes on."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from reelflow.edge.update.agent.isolated import SelfTestLimits, examine_apart
from reelflow.errors import BundleError
from tests.bundles import renamed_bundle
from tests.device_bundles import with_head


def endless(features: Any) -> Any:
    """Scores that take for ever."""
    import tensorflow as tf

    first = tf.reduce_sum(tf.cast(features, tf.float32)) * 0
    return tf.while_loop(lambda at: at > -1, lambda at: [at * 0 + 1], [first])[0] + tf.zeros((1, 3))


def greedy(features: Any) -> Any:
    """Scores that need 4 GB."""
    import tensorflow as tf

    side = tf.cast(tf.reduce_max(tf.cast(features, tf.float32)) * 0 + 32_000, tf.int32)
    return tf.reduce_mean(tf.fill([side, side], 0.3)) + tf.zeros((1, 3))


def test_a_sound_bundle_passes(small_bundle: Path) -> None:
    examine_apart(small_bundle, SelfTestLimits())


def test_a_bundle_that_never_answers_is_ended(small_bundle: Path, tmp_path: Path) -> None:
    bundle = with_head(small_bundle, tmp_path / "bundle", endless)
    started = time.monotonic()
    with pytest.raises(BundleError, match="its self-test takes longer than 2 s"):
        examine_apart(bundle, SelfTestLimits(seconds=2))
    assert time.monotonic() - started < 60


def test_a_bundle_that_wants_all_memory_is_ended(small_bundle: Path, tmp_path: Path) -> None:
    bundle = with_head(small_bundle, tmp_path / "bundle", greedy)
    with pytest.raises(BundleError, match=r"failed to invoke|is ended by SIG"):
        examine_apart(bundle, SelfTestLimits())


def test_what_a_failing_self_test_says_is_told(small_bundle: Path, tmp_path: Path) -> None:
    bundle = renamed_bundle(small_bundle, tmp_path / "bundle", "altered")
    (bundle / "head.tflite").write_bytes(b"altered")
    with pytest.raises(BundleError, match=r"its self-test fails: .*head\.tflite"):
        examine_apart(bundle, SelfTestLimits())


def test_a_bundle_that_crashes_its_process_is_refused(
    small_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(BundleError, match="its self-test is ended by SIGSEGV"):
        examine_apart(small_bundle, SelfTestLimits())


def test_a_library_that_is_given_no_memory_is_told_with_the_limit(
    small_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    why = "libx.so: failed to map segment from shared object"
    (tmp_path / "av.py").write_text(f"raise ImportError({why!r})\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    with pytest.raises(BundleError, match=f"its self-test fails: within 320 MB of memory: {why}"):
        examine_apart(small_bundle, SelfTestLimits())
