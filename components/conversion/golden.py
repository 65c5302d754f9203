"""Golden vectors: a few inputs and their expected outputs, for the self-test of a device."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelflow.edge.classifier import Classifier
from reelflow.files import write_array
from reelflow.scoring import FrameReader
from reelflow.video.preprocess import preprocess

MAX_FRAMES = 2  # for the backbone: a preprocessed frame of Inception has 268 kB


def write_golden(folder: Path, classifier: Classifier, clip_ids: Sequence[str], frames: FrameReader) -> None:
    """Write `golden/frames.npy`, `codes.npy`, `features.npy` and `scores.npy`.

    Args:
        folder: the bundle.
        classifier: the classifier of the bundle; computes the expected outputs.
        clip_ids: the golden clips; the backbone is tested on the first one's frames.
        frames: of the clips.
    """
    stills = preprocess(frames.read(clip_ids[0])[:MAX_FRAMES], classifier.report.backbone.preprocessing)
    features = np.stack([classifier.codes_from_frames(frames.read(clip_id)) for clip_id in clip_ids])
    vectors: dict[str, NDArray[np.generic]] = {
        "frames": stills,
        "codes": classifier.codes_from_preprocessed(stills),
        "features": features,
        "scores": np.stack([classifier.scores_from_features(clip) for clip in features]),
    }
    for name, vector in vectors.items():
        write_array(folder / "golden" / f"{name}.npy", vector)
