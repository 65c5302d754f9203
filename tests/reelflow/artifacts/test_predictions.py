"""Scores on disk: what was written comes back, and nothing else does."""

import io
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from reelflow.artifacts.predictions import read_predictions, write_predictions
from reelflow.contracts import Predictions
from reelflow.errors import BundleError
from reelflow.files import sha256_file

SCORES = np.array([[0.25, 0.75], [1, 0], [0.5, 0.5]], np.float32)
IDS = ("a" * 16, "b" * 16, "c" * 16)


def packed(scores: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, scores, allow_pickle=False)
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    np.savez(file, SCORES)
    return file.getvalue()


def test_scores_come_back(tmp_path: Path):
    scored = write_predictions(tmp_path, "test", SCORES, IDS, [1, 0, 1])
    assert scored.folds == (0, 0, 0)
    np.testing.assert_array_equal(read_predictions(tmp_path, scored, classes=2), SCORES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"garbage", "not a complete .npy file"),
        (b"", "not a complete .npy file"),
        (packed(SCORES)[:-4], "not a complete .npy file"),
        (zipped(), "not a complete .npy file"),
        (packed(SCORES[:2]), r"expected float32 \(3, 2\)"),
        (packed(SCORES.astype(np.float64)), "expected float32"),
        (packed(SCORES * np.float32(np.nan)), "not probabilities"),
        (packed(SCORES - 1), "not probabilities"),
    ],
)
def test_a_file_of_other_things_is_refused(tmp_path: Path, content: bytes, message: str):
    scored = write_predictions(tmp_path, "test", SCORES, IDS, [1, 0, 1])
    path = tmp_path / scored.file
    path.write_bytes(content)
    with pytest.raises(BundleError, match="not the file that its report names"):
        read_predictions(tmp_path, scored, classes=2)
    renamed = scored.model_copy(update={"sha256": sha256_file(path)})
    with pytest.raises(BundleError, match=message):
        read_predictions(tmp_path, renamed, classes=2)


@pytest.mark.parametrize("name", ["truth", "folds", "clip_ids"])
def test_rows_that_do_not_fit_are_refused(tmp_path: Path, name: str):
    whole = write_predictions(tmp_path, "test", SCORES, IDS, [1, 0, 1]).model_dump()
    with pytest.raises(ValidationError, match="one value per row"):
        Predictions.model_validate(whole | {name: whole[name][:-1]})
