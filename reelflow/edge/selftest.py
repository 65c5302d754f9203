"""Golden vectors: checks that this device computes the same as the machine that built the bundle.

Kernels of other CPUs round differently, and a quantised network amplifies each rounding: between
two kernel sets of LiteRT on one CPU 56 % of MobileNetV2's codes differ, by up to 21, but the
codes of a frame keep a cosine of 0.997; frames 0.8 s apart have 0.93. Therefore a cosine
is the criterion for codes of a network, and equality for a backbone without a network.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reelflow.edge.bundle import Bundle
from reelflow.edge.classifier import Classifier
from reelflow.edge.golden_video import check_decoder
from reelflow.errors import BundleError

MIN_COSINE = 0.99
MAX_SCORE_DIFFERENCE = {"float32": 0.005, "float16": 0.005, "dynamic": 0.05, "int8": 0.05}
"""Of a clip's best score."""
ADVICE = "this device does not compute the expected outputs; do not use the bundle here"


def self_test(bundle: Bundle, *, threads: int = 1) -> None:
    """Decode the golden video, compute the golden vectors again, and compare.

    Args:
        bundle: a checked bundle.
        threads: that LiteRT computes with.

    Raises:
        BundleError: a network cannot be loaded or run, or its output differs, or what is decoded does.
    """
    check_decoder()
    classifier = Classifier(bundle, threads=threads)
    _test_backbone(bundle, classifier)
    _test_head(bundle, classifier)


def _test_backbone(bundle: Bundle, classifier: Classifier) -> None:
    spec = bundle.report.backbone
    how = spec.preprocessing
    channels = 3 if how.color == "rgb" else 1
    frames = _golden(bundle, "frames", (how.height, how.width, channels), "uint8").astype(np.uint8)
    expected = _golden(bundle, "codes", (spec.dim,), spec.dtype, rows=len(frames))
    found = classifier.codes_from_preprocessed(frames)
    if bundle.report.backbone_quantization == "none":
        if not np.array_equal(found, expected):
            raise BundleError(f"golden/codes.npy is not the flattened golden/frames.npy: {ADVICE}")
        return
    cosine = float(_cosines(found, expected).min())
    if not cosine >= MIN_COSINE:
        raise BundleError(
            f"the backbone's codes have a cosine of {cosine:.4f} to the golden ones, "
            f"expected at least {MIN_COSINE}: {ADVICE}"
        )


def _test_head(bundle: Bundle, classifier: Classifier) -> None:
    report = bundle.report
    shape = (report.sampling.frames, report.sampling.width(report.backbone.dim))
    features = _golden(bundle, "features", shape, report.backbone.dtype)
    golden = _golden(bundle, "scores", (len(report.labels),), "float32", rows=len(features))
    expected: NDArray[np.float32] = golden.astype(np.float32)
    found = np.stack([classifier.scores_from_features(clip) for clip in features])
    best = np.maximum(expected.max(axis=1, keepdims=True), 1e-6)  # (clips, classes) -> (clips, 1)
    difference = float((np.abs(found - expected) / best).max())
    limit = MAX_SCORE_DIFFERENCE[report.head_quantization]
    if not difference <= limit:
        raise BundleError(
            f"the head's scores differ from the golden ones by {difference:.2%} of the best score, "
            f"expected at most {limit:.2%}: {ADVICE}"
        )
    _test_labels(report.labels, found, expected, limit)


def _test_labels(
    labels: Sequence[str], found: NDArray[np.float32], expected: NDArray[np.float32], limit: float
) -> None:
    """The golden class has the best score here too, or is practically tied with it."""
    for clip, (here, golden) in enumerate(zip(found, expected, strict=True)):
        if here[golden.argmax()] < here.max() * (1 - limit):
            raise BundleError(
                f"golden clip {clip} is {labels[int(here.argmax())]!r} here, "
                f"expected {labels[int(golden.argmax())]!r}: {ADVICE}"
            )


def _golden(
    bundle: Bundle, name: str, shape: tuple[int, ...], dtype: str, *, rows: int | None = None
) -> NDArray[np.generic]:
    """A golden vector `(rows, *shape)`, of the form that it must have."""
    found = bundle.array(f"golden/{name}.npy")
    expected = (len(found) if rows is None and found.ndim else rows, *shape)
    if found.shape != expected or found.dtype != dtype:
        raise BundleError(
            f"golden/{name}.npy is {found.shape} {found.dtype}, expected {expected} {dtype}: "
            "export the bundle again"
        )
    return found


def _cosines(a: NDArray[np.generic], b: NDArray[np.generic]) -> NDArray[np.float64]:
    """Cosine of each pair of rows `(rows, dim)`; 1 for two rows of zeros."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    products = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    same = np.all(x == y, axis=1)
    return np.where(same, 1.0, (x * y).sum(axis=1) / np.where(products > 0, products, 1.0))
