"""Small bundles and clips for tests of the device and of the conversion."""

import json
import shutil
import zlib
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from reelflow.contracts import BundleReport, Parity, Sampling
from reelflow.edge.bundle import HEAD
from reelflow.edge.seal import seal
from reelflow.files import write_bytes
from reelflow.params import TrainingParams, load_params

LABELS = ("grow", "shrink", "spin")
FRAMES = 6
WINDOW_S = 1.8  # of cameras: long enough for a machine with other work
HASH = "0" * 64
TRAINING = load_params(Path("params.large.yaml")).training.model_copy(update={"units": 8, "dense_units": 8})


class RandomFrames:
    """Stands in for a FrameStore: every clip id gives frames of its own."""

    def __init__(self, count: int = FRAMES) -> None:
        self._count = count

    def read(self, clip_id: str) -> NDArray[np.uint8]:
        chance = np.random.default_rng(zlib.crc32(clip_id.encode()))
        return chance.integers(0, 256, (self._count, 30, 40, 3), np.uint8)


def random_head(
    name: str,
    *,
    frames: int,
    dim: int,
    classes: int,
    params: TrainingParams = TRAINING,
    views: int = 1,
    seed: int = 1,
):
    """A Keras head whose every weight is random, batch norm's averages too."""
    from reelflow.nets.heads import build_head

    model = build_head(name, frames=frames, dim=dim, classes=classes, params=params, views=views)
    chance = np.random.default_rng(seed)
    model.set_weights(
        [
            chance.uniform(0.1, 0.5, w.shape) * chance.choice([-1, 1], w.shape)
            if w.ndim > 1
            else chance.uniform(0.5, 1.5, w.shape)
            for w in model.get_weights()
        ]
    )
    return model


def write_small_bundle(folder: Path, *, head: str = "gru", **changes: Any) -> BundleReport:
    """A whole bundle: the thumbnail backbone and a random head of three classes.

    Args:
        folder: where it is written.
        head: name of the head.
        changes: further values of `bundle.json`.
    """
    from reelflow.backbones.thumbnail import SPEC

    model = random_head(head, frames=FRAMES, dim=SPEC.dim, classes=len(LABELS))
    return write_bundle(folder, model, LABELS, frames=FRAMES, head=head, **changes)


def write_bundle(
    folder: Path, model: Any, labels: tuple[str, ...], *, frames: int, head: str = "any", **changes: Any
) -> BundleReport:
    """A whole bundle: a Keras head on the thumbnail, or on another backbone without a network (`changes`)."""
    from components.conversion.head import convert_head
    from components.conversion.manifest import finish_bundle
    from reelflow.backbones.thumbnail import SPEC

    write_bytes(folder / HEAD, convert_head(model, "dynamic"))
    parity = Parity(clips=9, agreement=1, max_score_difference=0, keras_accuracy=1, litert_accuracy=1)
    values: dict[str, Any] = {
        "name": f"thumbnail-{head}",
        "data_hash": HASH,
        "labels": labels,
        "sampling": Sampling(frames=frames, clip_s=1.0),
        "backbone": SPEC,
        "backbone_quantization": "none",
        "head": head,
        "head_quantization": "dynamic",
        "parity": parity,
        "files": {},
        "size_bytes": 0,
    }
    draft = BundleReport.model_validate(values | changes)
    report = finish_bundle(draft, folder, 2, ("a", "b", "c"), RandomFrames(frames))
    seal(folder)
    return report


def renamed_bundle(bundle: Path, folder: Path, name: str) -> Path:
    """A copy of a bundle under another name."""
    shutil.copytree(bundle, folder)
    manifest = folder / BundleReport.file_name
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"name": name}))
    seal(folder)
    return folder


def write_clip(path: Path, frames: int = 12, seed: int = 1) -> Path:
    """A real clip: MPEG-4 in MP4, 64x48, moving colours."""
    chance = np.random.default_rng(seed)
    start, end = chance.integers(0, 256, (2, 48, 64, 3))
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for place in range(frames):
            image = (start + (end - start) * place / frames).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path
